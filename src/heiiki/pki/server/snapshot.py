"""Snapshots of the server's raft storage: taken, examined, and put in the place of what it has.

A snapshot is what the server's disk holds, ciphertext: its key is in it under the unseal keys, which are not.
"""

import hashlib
import io
import tarfile
import time
import zlib

from heiiki.errors import SnapshotError, VaultError, VaultFault
from heiiki.pki.server.bootstrap import root, unseal
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import Access

PATH = "sys/storage/raft/snapshot"
_FORCED = "sys/storage/raft/snapshot-force"
_SUMS = "SHA256SUMS"
_PARTS = frozenset({"meta.json", "state.bin"})
_TAKEN_S, _POLL_S = 60.0, 0.1
_AWAY = frozenset({VaultFault.UNREACHABLE, VaultFault.TIMEOUT, VaultFault.STANDBY})


def take(vault: Vault) -> bytes:
    """Return a snapshot of everything that the server has; the session is that of AppRole snapshot.

    Raises:
        SnapshotError: what came is not whole.
        VaultError: the server cannot be reached, or does not allow it.
    """
    data = vault.fetch(PATH)
    examine(data, f"the snapshot that {vault.server} sent")
    return data


def examine(data: bytes, what: str) -> None:
    """Check that a snapshot is whole: every part has the digest that it names itself.

    Args:
        data: the snapshot.
        what: what it is called in an error.

    Raises:
        SnapshotError: it is not, or this is none.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            parts = {one.name: _content(archive, one) for one in archive if one.isfile()}
        lines = (line.split(maxsplit=1) for line in parts[_SUMS].decode("ascii").splitlines())
        sums = {name: digest for digest, name in lines}
    except (tarfile.TarError, zlib.error, OSError, EOFError, KeyError, ValueError) as error:
        raise SnapshotError(
            f"{what} is no whole snapshot of raft storage ({type(error).__name__}: {error}); take another"
        ) from error
    wrong = [name for name in sorted(_PARTS | sums.keys()) if sums.get(name) != _digest(parts.get(name))]
    if wrong:
        raise SnapshotError(f"{what} is damaged at {', '.join(wrong)}; take another")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return stream.read() if stream else b""


def _digest(data: bytes | None) -> str:
    return "" if data is None else hashlib.sha256(data).hexdigest()


def install(access: Access, data: bytes) -> None:
    """Put a snapshot in the place of everything that the server has; `settle` is for afterwards.

    An empty server is initialised first, with a key that is not kept: with the snapshot it has the unseal
    keys of the snapshot.

    Args:
        access: VAULT_TOKEN, or the unseal keys that are kept, must allow it.
        data: the snapshot, examined.

    Raises:
        SnapshotError: it is of a server with other unseal keys, or the server goes on with what it had.
        VaultError: the server cannot be reached, or does not do it.
    """
    health = access.vault.health()
    if not health.initialised:
        _install_in_empty(access, data)
        return
    if health.sealed:
        unseal(access)
    try:
        with root(access) as session:
            made = session.write("auth/token/create", {"policies": ["default"], "ttl": "10m"})
            session.send(PATH, data)
            _await_taken(access.vault.with_token(made["auth"]["client_token"]))
    except VaultError as error:
        if "different set of unseal keys" not in str(error):
            raise
        raise SnapshotError(
            f"the snapshot was taken of a server with other unseal keys than {access.vault.server} has: if "
            "this one is to be replaced, stop it, remove its folder /var/lib/heiiki-vault, start it, and run "
            "this again"
        ) from error


def _install_in_empty(access: Access, data: bytes) -> None:
    made = access.vault.write("sys/init", {"secret_shares": 1, "secret_threshold": 1})
    access.vault.write("sys/unseal", {"key": made["keys_base64"][0]})
    access.vault.await_active()
    former = access.vault.with_token(made["root_token"])
    former.send(_FORCED, data)
    _await_taken(former)


def _await_taken(former: Vault) -> None:
    """Wait until the server has put the snapshot in the place of what it had.

    It answers before it does so (the work goes on behind the answer), and what is written meanwhile is lost.

    Args:
        former: a session whose token was made after the snapshot: with that in place, nothing knows it.

    Raises:
        SnapshotError: the server goes on with what it had.
        VaultError: it is away.
    """
    end = time.monotonic() + _TAKEN_S
    while True:
        try:
            former.read("auth/token/lookup-self")
        except VaultError as error:
            if error.fault not in _AWAY:
                return
            if time.monotonic() > end:
                raise
        else:
            if time.monotonic() > end:
                raise SnapshotError(
                    f"{former.server} accepted the snapshot, and works with what it had {_TAKEN_S:.0f} s "
                    "later: see its journal (`journalctl -u heiiki-vault`) and run this again"
                )
        time.sleep(_POLL_S)


def settle(access: Access) -> None:
    """Wait until the server works after a restore; where it is sealed, unseal it with the keys that are kept.

    Raises:
        VaultError: no keys are kept, or it cannot be reached.
    """
    if access.vault.health().sealed:
        unseal(access)
    else:
        access.vault.await_active()
