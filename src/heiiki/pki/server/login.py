"""The way to the server of a service, and log-ins there: by AppRole, one for each approle.

What the controller keeps for it, in files that only its user can read (`heiiki.state.FileSecrets`):

- ``vault/ca``: field ``pem``, the CA of the server's own TLS certificate; of each further server
  ``vault/ca-<device>``;
- ``vault/approle/<purpose>``: ``role_id`` and ``secret_id``.

Real networks override by environment what is kept elsewhere: ``VAULT_ADDR``, ``VAULT_CACERT``, and
``VAULT_TOKEN`` or ``HEIIKI_VAULT_ROLE_ID`` with ``HEIIKI_VAULT_SECRET_ID``.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from heiiki.errors import SecretError, VaultError, VaultFault
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.pinned import Connector, Server
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Pki, VaultHost
from heiiki.state import FileSecrets

CA = "vault/ca"
_HURRIED_S = (3.0, 10.0)
"""Seconds until a server that cannot wait is given up: for the connection, and for an answer."""
_CREDENTIALS = ("role_id", "secret_id")


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

    def hurried(self) -> "Access":
        """Return the same access for what cannot wait: a server that hangs is given up in seconds."""
        return replace(self, vault=self.vault.hurried(*_HURRIED_S))

    def each_server(self) -> tuple["Access", ...]:
        """Return the same access to each server of the cluster by itself."""
        return tuple(replace(self, vault=one) for one in self.vault.each_server())


def access(
    trust: Pki,
    store: FileSecrets,
    environment: Mapping[str, str],
    connect: Callable[[VaultHost], Connector | None] = lambda _server: None,
) -> Access:
    """Return the access to the Vault servers of a service; nothing is sent yet.

    Args:
        trust: the plan's.
        store: holds ``vault/ca``, unless the environment names a file.
        environment: may name other addresses and CA (VAULT_ADDR: one, or with commas one for each server in
            the order of the plan; VAULT_CACERT), a token (VAULT_TOKEN), and credentials: those of one purpose
            (HEIIKI_VAULT_ENROLLER_ROLE_ID and _SECRET_ID, and so on), or one pair for every purpose
            (HEIIKI_VAULT_ROLE_ID and HEIIKI_VAULT_SECRET_ID).
        connect: gives the lab's way to a server, where no address is named.

    Raises:
        VaultError: no CA is known, or its file cannot be read.
    """
    named = [one.strip().rstrip("/") for one in environment.get("VAULT_ADDR", "").split(",") if one.strip()]
    if len(named) not in {0, 1, len(trust.servers)}:
        raise VaultError(
            f"VAULT_ADDR names {len(named)} servers, the plan has {len(trust.servers)}: name one, or "
            "each in the order of `vault_hosts`",
            VaultFault.UNREACHABLE,
        )
    first, *others = (
        Server(
            named[index] if named else f"https://{one.address}:{trust.port}",
            one.host,
            _ca(store, environment, ca_path(trust, one.device)),
            None if named else connect(one),
        )
        for index, one in enumerate(trust.servers[: len(named) or None])
    )
    return Access(Vault(replace(first, others=tuple(others))), store, environment)


def ca_path(trust: Pki, device: str) -> str:
    """Return where the CA of a server's TLS certificate is kept."""
    return CA if device == trust.vault else f"{CA}-{device}"


def _ca(store: FileSecrets, environment: Mapping[str, str], path: str) -> str:
    file = environment.get("VAULT_CACERT", "")
    try:
        return Path(file).read_text(encoding="ascii") if file else store.read(path, "pem")
    except (OSError, UnicodeError) as error:
        what = f"VAULT_CACERT names {file}, which cannot be read as PEM ({error})"
        raise VaultError(
            f"{what}; name the file of the CA of the server's certificate", VaultFault.TLS
        ) from error
    except SecretError as error:
        raise VaultError(
            "nothing says which CA vouches for the Vault server: set VAULT_CACERT, or run role vault_server, "
            f"which keeps it as secret {path}",
            VaultFault.TLS,
        ) from error


@contextmanager
def logged_in(access: Access, approle: AppRole) -> Iterator[Vault]:
    """Give a session that may do what `approle` needs; its token is revoked afterwards.

    Raises:
        VaultError: no credentials are known, or they are refused.
    """
    token = access.environment.get("VAULT_TOKEN", "")
    session = access.vault.with_token(token or log_in(access, approle))
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


def log_in(access: Access, approle: AppRole) -> str:
    """Return a token for `approle` that several processes of one run share; its short life ends it.

    Raises:
        VaultError: no credentials are known, or they are refused.
    """
    if given := access.environment.get("VAULT_TOKEN", ""):
        return given
    vault, known = access.vault, credentials(access, approle)
    try:
        return str(vault.write("auth/approle/login", known)["auth"]["client_token"])
    except VaultError as error:
        if error.fault not in {VaultFault.REJECTED, VaultFault.FORBIDDEN, VaultFault.TOKEN}:
            raise
        raise vault.error(
            VaultFault.TOKEN,
            f"refuses the credentials of {approle} that are kept in {role_path(approle)}: they have "
            "ended, were destroyed, or work from other addresses only",
            "work from an address of a controller; where this is one, run role pki with pki_unseal, which "
            "makes new ones",
        ) from error


def is_given(access: Access, approle: AppRole) -> bool:
    """Tell whether the environment gives the credentials of `approle`."""
    return bool(_given(access, approle))


def _given(access: Access, approle: AppRole) -> dict[str, str]:
    for prefix in (f"HEIIKI_VAULT_{approle.upper()}", "HEIIKI_VAULT"):
        given = {key: access.environment.get(f"{prefix}_{key.upper()}", "") for key in _CREDENTIALS}
        if all(given.values()):
            return given
    return {}


def credentials(access: Access, approle: AppRole) -> dict[str, str]:
    """Return what logs in as `approle`: given by the environment, or kept here.

    Raises:
        VaultError: neither.
    """
    if given := _given(access, approle):
        return given
    try:
        return {key: access.store.read(role_path(approle), key) for key in _CREDENTIALS}
    except SecretError as error:
        raise access.vault.error(
            VaultFault.TOKEN,
            f"wants a log-in as {approle}, for which no credentials are kept",
            f"run role pki with pki_unseal, or set HEIIKI_VAULT_{approle.upper()}_ROLE_ID and "
            f"HEIIKI_VAULT_{approle.upper()}_SECRET_ID",
        ) from error


def role_path(approle: AppRole) -> str:
    """Return where the credentials of a purpose are kept."""
    return f"vault/approle/{approle}"


def usable(access: Access, approle: AppRole) -> bool:
    """Tell whether the server is ready and knows the credentials of `approle`."""
    health = access.vault.health()
    return health.initialised and not health.sealed and can_log_in(access, approle)


def can_log_in(access: Access, approle: AppRole) -> bool:
    """Tell whether the server accepts the credentials of `approle` that are kept here.

    Raises:
        VaultError: the server is away or sealed.
    """
    try:
        with logged_in(replace(access, environment={}), approle):
            return True
    except VaultError as error:
        if error.fault is VaultFault.TOKEN:
            return False
        raise
