"""From a server that was just started to one that serves: initialise, unseal, set up, log in.

What the controller keeps, in files that only its user can read (`heiiki.state.FileSecrets`):

- ``vault/ca``: field ``pem``, the CA of the server's own TLS certificate;
- ``vault/init``: the unseal keys, ``key-1``..., and ``threshold``; during the first set-up also the root
  token;
- ``vault/approle/<purpose>``: ``role_id`` and ``secret_id``.

A root token lives as long as a set-up step takes. Real networks override by environment what is kept
elsewhere: ``VAULT_ADDR``, ``VAULT_CACERT``, and ``VAULT_TOKEN`` or ``HEIIKI_VAULT_ROLE_ID`` with
``HEIIKI_VAULT_SECRET_ID``.
"""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from heiiki.errors import SecretError, VaultError, VaultFault
from heiiki.pki.authorities import retirable, retire, rotate_issuing, rotate_root
from heiiki.pki.server.connection import Connector, Server, Vault
from heiiki.pki.server.policies import Purpose
from heiiki.pki.server.reconcile import Change, ensure
from heiiki.plan.model import Pki, Plan
from heiiki.state import FileSecrets

CA = "vault/ca"
INIT = "vault/init"
_CREDENTIALS = ("role_id", "secret_id")

_OPEN_WAY = "sys/generate-root"
"""HashiCorp Vault, and OpenBao where its listener allows it: the unseal keys alone make a root token."""
_CLOSED_WAY = "sys/generate-root-token"
"""OpenBao since 2.6: a log-in is wanted besides; AppRole configurator may."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How the key that unseals a server is split (Shamir): `threshold` of `number` parts are needed."""

    number: int = 5
    threshold: int = 3


class Rotation(StrEnum):
    """A step of the rotation of CAs."""

    ROOT = "root"
    ISSUING = "issuing"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class Access:
    """All that a controller needs to deal with the server of a service.

    Attributes:
        vault: a session without a token.
        store: what the controller keeps: see above.
        environment: may override it; empty for the lab.
    """

    vault: Vault
    store: FileSecrets
    environment: Mapping[str, str]


def access(
    trust: Pki, store: FileSecrets, environment: Mapping[str, str], connect: Connector | None = None
) -> Access:
    """Return the way to the server of a service; nothing is sent yet.

    Args:
        trust: the plan's.
        store: holds ``vault/ca``, unless the environment names a file.
        environment: may name another address and CA (VAULT_ADDR, VAULT_CACERT), a token (VAULT_TOKEN), and
            credentials: those of one purpose (HEIIKI_VAULT_ENROLLER_ROLE_ID and _SECRET_ID, and so on), or
            one pair for every purpose (HEIIKI_VAULT_ROLE_ID and HEIIKI_VAULT_SECRET_ID).
        connect: the lab's way, where no address is named.

    Raises:
        VaultError: no CA is known, or its file cannot be read.
    """
    named = environment.get("VAULT_ADDR", "")
    url = named.rstrip("/") or f"https://{trust.address}:{trust.port}"
    server = Server(url, trust.host, _ca(store, environment), None if named else connect)
    return Access(Vault(server), store, environment)


def _ca(store: FileSecrets, environment: Mapping[str, str]) -> str:
    file = environment.get("VAULT_CACERT", "")
    try:
        return Path(file).read_text(encoding="ascii") if file else store.read(CA, "pem")
    except (OSError, UnicodeError) as error:
        what = f"VAULT_CACERT names {file}, which cannot be read as PEM ({error})"
        raise VaultError(
            f"{what}; name the file of the CA of the server's certificate", VaultFault.TLS
        ) from error
    except SecretError as error:
        raise VaultError(
            "nothing says which CA vouches for the Vault server: set VAULT_CACERT, or run role vault_server, "
            "which keeps it as secret vault/ca",
            VaultFault.TLS,
        ) from error


@contextmanager
def logged_in(access: Access, purpose: Purpose) -> Iterator[Vault]:
    """Give a session that may do what `purpose` needs; its token is revoked afterwards.

    Raises:
        VaultError: no credentials are known, or they are refused.
    """
    token = access.environment.get("VAULT_TOKEN", "")
    session = access.vault.with_token(token or log_in(access, purpose))
    try:
        yield session
    finally:
        if not token:
            _forget(session)


def _forget(session: Vault) -> None:
    """Revoke a token of ours; when the server is gone by now, its short life ends it."""
    try:
        session.write("auth/token/revoke-self", {})
    except VaultError:
        return


def log_in(access: Access, purpose: Purpose) -> str:
    """Return a token for `purpose` that several processes of one run share; its short life ends it.

    Raises:
        VaultError: no credentials are known, or they are refused.
    """
    if given := access.environment.get("VAULT_TOKEN", ""):
        return given
    vault, credentials = access.vault, _credentials(access, purpose)
    try:
        return str(vault.write("auth/approle/login", credentials)["auth"]["client_token"])
    except VaultError as error:
        if error.fault not in {VaultFault.REJECTED, VaultFault.FORBIDDEN, VaultFault.TOKEN}:
            raise
        raise vault.error(
            VaultFault.TOKEN,
            f"refuses the credentials of {purpose} that are kept in {_role_path(purpose)}",
            "run role pki with pki_unseal, which makes new ones",
        ) from error


def _credentials(access: Access, purpose: Purpose) -> dict[str, str]:
    for prefix in (own := f"HEIIKI_VAULT_{purpose.upper()}", "HEIIKI_VAULT"):
        given = {key: access.environment.get(f"{prefix}_{key.upper()}", "") for key in _CREDENTIALS}
        if all(given.values()):
            return given
    try:
        return {key: access.store.read(_role_path(purpose), key) for key in _CREDENTIALS}
    except SecretError as error:
        raise access.vault.error(
            VaultFault.TOKEN,
            f"wants a log-in as {purpose}, for which no credentials are kept",
            f"run role pki with pki_unseal, or set {own}_ROLE_ID and {own}_SECRET_ID",
        ) from error


def _role_path(purpose: Purpose) -> str:
    return f"vault/approle/{purpose}"


def initialise(access: Access, shares: Shares) -> None:
    """Initialise a new server, and keep its unseal keys; those of another that were kept move aside.

    The root token that comes with them is kept too, until `root` has revoked it: a set-up that breaks off can
    then be run again.
    """
    made = access.vault.write(
        "sys/init", {"secret_shares": shares.number, "secret_threshold": shares.threshold}
    )
    if access.store.has(INIT):
        access.store.write(f"{INIT}-before", access.store.fields(INIT))
    keys = {f"key-{number}": key for number, key in enumerate(made["keys_base64"], 1)}
    access.store.write(INIT, {**keys, "threshold": str(shares.threshold), "root_token": made["root_token"]})


def unseal(access: Access) -> None:
    """Unseal the server with the keys that are kept.

    Raises:
        VaultError: they are not, or not enough, or another server's.
    """
    vault = access.vault
    for key in _keys(access):
        if vault.health().sealed and not _taken(vault, key):
            break
    if vault.health().sealed:
        raise vault.error(
            VaultFault.SEALED,
            f"stays sealed after the keys in {INIT}: they are another server's, or too few",
            "unseal it by hand (`bao operator unseal`)",
        )
    vault.await_active()


def _taken(vault: Vault, key: str) -> bool:
    """Give an unseal key; tells whether the server could do something with it."""
    try:
        vault.write("sys/unseal", {"key": key})
    except VaultError as error:
        if error.fault is VaultFault.REJECTED:
            return False
        raise
    return True


def _keys(access: Access) -> list[str]:
    try:
        threshold = int(access.store.read(INIT, "threshold"))
        return [access.store.read(INIT, f"key-{number}") for number in range(1, threshold + 1)]
    except SecretError as error:
        raise access.vault.error(
            VaultFault.SEALED,
            f"wants its unseal keys, which are not kept here ({INIT})",
            "unseal it by hand (`bao operator unseal`), and give a token that may do it in VAULT_TOKEN",
        ) from error


@contextmanager
def root(access: Access) -> Iterator[Vault]:
    """Give a session that may do everything, for a step of set-up; its token is revoked afterwards.

    The token is the one of the first set-up, that of the environment, or a new one from the unseal keys.
    """
    given = access.environment.get("VAULT_TOKEN", "")
    session = access.vault.with_token(given or _root_token(access))
    try:
        yield session
    finally:
        if not given:
            session.write("auth/token/revoke-self", {})
            _drop_root_token(access.store)


def _root_token(access: Access) -> str:
    try:
        return access.store.read(INIT, "root_token")
    except SecretError:
        keys = _keys(access)
    try:
        return _generate(access.vault, _OPEN_WAY, keys)
    except VaultError as error:
        if error.fault is not VaultFault.REJECTED:
            raise
    with logged_in(access, Purpose.CONFIGURATOR) as session:
        return _generate(session, _CLOSED_WAY, keys)


def _drop_root_token(store: FileSecrets) -> None:
    if store.has(INIT):
        fields = store.fields(INIT)
        if fields.pop("root_token", None):
            store.write(INIT, fields)


def _generate(vault: Vault, way: str, keys: list[str]) -> str:
    """Make a root token from unseal keys; it comes XORed with a one-time pad."""
    vault.delete(f"{way}/attempt")
    begun = _answer(vault.write(f"{way}/attempt", {}))
    for key in keys:
        said = _answer(vault.write(f"{way}/update", {"key": key, "nonce": begun["nonce"]}))
        if said["complete"]:
            hidden = said["encoded_token"]
            cipher = base64.b64decode(hidden + "=" * (-len(hidden) % 4))
            return bytes(a ^ b for a, b in zip(cipher, begun["otp"].encode(), strict=True)).decode()
    raise vault.error(
        VaultFault.TOKEN,
        f"wants more keys for a root token than there are in {INIT}",
        "give a root token in VAULT_TOKEN (`bao operator generate-root`)",
    )


def _answer(said: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an answer, which the open way gives bare and the closed one below ``data``."""
    inner = said.get("data")
    return inner if isinstance(inner, dict) else said


def ensure_logins(access: Access, vault: Vault, *, check: bool = False) -> tuple[Change, ...]:
    """Give the controller credentials of every AppRole, where it has none that the server accepts.

    Args:
        access: keeps them.
        vault: a session that may do everything.
        check: only tell.
    """
    lacking = [purpose for purpose in Purpose if not _can_log_in(access, purpose)]
    for purpose in () if check else lacking:
        role = f"auth/approle/role/{purpose}"
        role_id = (vault.read(f"{role}/role-id") or {})["role_id"]
        secret_id = vault.write(f"{role}/secret-id", {})["data"]["secret_id"]
        access.store.write(_role_path(purpose), {"role_id": role_id, "secret_id": secret_id})
    return tuple(
        Change(_role_path(purpose), "", "credentials, kept on the controller\n") for purpose in lacking
    )


def usable(access: Access, purpose: Purpose) -> bool:
    """Tell whether the server is ready and knows the credentials of `purpose`."""
    health = access.vault.health()
    return health.initialised and not health.sealed and _can_log_in(access, purpose)


def _can_log_in(access: Access, purpose: Purpose) -> bool:
    try:
        with logged_in(replace(access, environment={}), purpose):
            return True
    except VaultError as error:
        if error.fault is VaultFault.TOKEN:
            return False
        raise


def apply(
    access: Access, plan: Plan, *, shares: Shares | None = None, unsealing: bool = False, check: bool = False
) -> tuple[Change, ...]:
    """Bring the server to what the plan asks for; a second run returns nothing.

    Args:
        access: the way to it.
        plan: the service.
        shares: a new server may be initialised, its key split so.
        unsealing: the unseal keys kept here may be used: to unseal it, and for a root token where AppRole
            configurator may not do what is needed.
        check: compare only; what comes after initialising or unsealing cannot be foreseen then.

    Raises:
        VaultError: it is not initialised or sealed, and that may not be changed; or any other fault.
    """
    changes = [*_initialised(access, shares, check=check)]
    if not (changes and check):
        changes += _unsealed(access, unsealing=unsealing, check=check)
    if changes and check:
        return tuple(changes)
    access.vault.require_ready()
    if unsealing:
        return (*changes, *set_up(access, plan, check=check))
    with logged_in(access, Purpose.CONFIGURATOR) as session:
        return (*changes, *ensure(session, plan, check=check))


def rotate(access: Access, plan: Plan, step: Rotation, *, check: bool = False) -> tuple[Change, ...]:
    """Do one step of a rotation: see `heiiki.pki.authorities` for their order.

    Raises:
        VaultError: the unseal keys are not kept here, or the server does not do it.
    """
    access.vault.require_ready()
    if step is not Rotation.RETIRE and check:
        return (Change(f"{_mount(plan.pki, step)}/issuers", "", f"a new {step} CA\n"),)
    with root(access) as session:
        if step is Rotation.RETIRE:
            gone = retirable(session, plan.pki) if check else retire(session, plan)
            return tuple(Change(one.path, f"{one.name}\n", "") for one in gone)
        made = rotate_root(session, plan) if step is Rotation.ROOT else rotate_issuing(session, plan)
    return (Change(made.path, "", f"{made.name}\n"),)


def _mount(trust: Pki, step: Rotation) -> str:
    return trust.root_mount if step is Rotation.ROOT else trust.issuing_mount


def _initialised(access: Access, shares: Shares | None, *, check: bool) -> Iterator[Change]:
    if shares is None or access.vault.health().initialised:
        return
    if not check:
        initialise(access, shares)
    yield Change("sys/init", "", f"{shares.number} unseal keys, {shares.threshold} of them needed\n")


def _unsealed(access: Access, *, unsealing: bool, check: bool) -> Iterator[Change]:
    health = access.vault.health()
    if unsealing and health.initialised and health.sealed:
        if not check:
            unseal(access)
        yield Change("sys/seal-status", "sealed\n", "unsealed\n")


def set_up(access: Access, plan: Plan, *, check: bool = False) -> tuple[Change, ...]:
    """Make an unsealed server what the plan asks for, with the rights of root where something differs.

    Without a difference no root token is made. Returns what was, or would be, changed.
    """
    if _settled(access, plan):
        return ()
    if check and not _has_root(access):
        with logged_in(access, Purpose.CONFIGURATOR) as session:
            return (*ensure(session, plan, check=True), *ensure_logins(access, session, check=True))
    with root(access) as session:
        return (*ensure(session, plan, check=check), *ensure_logins(access, session, check=check))


def _settled(access: Access, plan: Plan) -> bool:
    if _has_root(access) or not _can_log_in(access, Purpose.CONFIGURATOR):
        return False
    try:
        with logged_in(access, Purpose.CONFIGURATOR) as session:
            return not ensure(session, plan, check=True) and not ensure_logins(access, session, check=True)
    except VaultError as error:
        if error.fault is VaultFault.FORBIDDEN:
            return False  # the policy that stands is an older one
        raise


def _has_root(access: Access) -> bool:
    store = access.store
    return bool(access.environment.get("VAULT_TOKEN")) or (
        store.has(INIT) and "root_token" in store.fields(INIT)
    )
