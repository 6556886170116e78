"""Snapshots of the server's raft storage: taken, examined, and put in the place of what it has.

A snapshot is what the server's disk holds, ciphertext: its key is in it under the unseal keys, which are not.
"""

import hashlib
import io
import tarfile
import zlib

from heiiki.errors import SnapshotError, VaultError, VaultFault
from heiiki.pki.server.bootstrap import root, unseal
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import Access

PATH = "sys/storage/raft/snapshot"
_FORCED = "sys/storage/raft/snapshot-force"
_SUMS = "SHA256SUMS"
_PARTS = frozenset({"meta.json", "state.bin"})


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
    """Put a snapshot in the place of everything that the server has.

    An empty server is initialised first, with a key that is not kept: with the snapshot it has the unseal
    keys of the snapshot.

    Args:
        access: VAULT_TOKEN, or the unseal keys that are kept, must allow it.
        data: the snapshot, examined.

    Raises:
        SnapshotError: it is of a server with other unseal keys, or the server must be started again.
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
            session.send(PATH, data)
    except VaultError as error:
        if "different set of unseal keys" not in str(error):
            raise
        raise SnapshotError(
            f"the snapshot was taken of a server with other unseal keys than {access.vault.server} has: if "
            "this one is to be replaced, stop it, remove its folder /var/lib/heiiki-vault, start it, and run "
            "this again"
        ) from error
    access.vault.await_active()


def _install_in_empty(access: Access, data: bytes) -> None:
    made = access.vault.write("sys/init", {"secret_shares": 1, "secret_threshold": 1})
    access.vault.write("sys/unseal", {"key": made["keys_base64"][0]})
    access.vault.await_active()
    access.vault.with_token(made["root_token"]).send(_FORCED, data)


def settle(access: Access) -> None:
    """Unseal the server after a restore, where it is sealed, with the keys that are kept.

    Raises:
        SnapshotError: it must be started again first: one that was empty has another's key in memory.
        VaultError: no keys are kept, or it cannot be reached.
    """
    if access.vault.health().sealed:
        unseal(access)
    try:
        access.vault.await_active(within_s=10)
    except VaultError as error:
        if error.fault is not VaultFault.STANDBY:
            raise
        raise SnapshotError(
            f"{access.vault.server} has the snapshot, and must be started again to work with it: "
            "`systemctl restart heiiki-vault` there, unseal it with the keys of the former server, and run "
            "this again, which goes on from here"
        ) from error
