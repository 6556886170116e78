"""The life of the log-ins that a controller keeps: a secret id ends by itself, and is renewed before.

Who logs in renews its own: the server gives the new one over the connection that is logged in, so no other
party has seen it. It is kept before the old one is destroyed. A run that is cut off between loses
nothing: either the old one is kept, and works, or the new one, and the next run destroys the old.

What the environment gives is kept elsewhere; it is looked at, and not renewed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from heiiki.errors import SecretError, VaultError, VaultFault
from heiiki.pki.server.desired import SECRET_ID_S
from heiiki.pki.server.login import Access, credentials, is_given, logged_in, role_path
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.reconcile import Change

_DAY_S = 86400
RENEWED_S = SECRET_ID_S * 2 // 3
"""A secret id with less life than this is renewed by the next run that sets up or issues something."""
LEAST_S = SECRET_ID_S // 3
"""With less than this no run has renewed it for a month: somebody must look."""
_FORMER = "former_secret_id"


@dataclass(frozen=True, slots=True)
class LogIn:
    """A log-in, as this controller has it.

    Attributes:
        left_s: seconds until its secret id ends; None: never.
        given: the environment gives it, so its keeper must renew it.
        problem: why it cannot be used; empty when it can.
    """

    approle: AppRole
    left_s: float | None = None
    given: bool = False
    problem: str = ""

    @property
    def wrong(self) -> str:
        """What must be done about it, as text; empty when nothing must."""
        if self.problem:
            return self.problem
        if self.left_s is None:
            return f"{self.approle} has a secret id without an end: {self._remedy}"
        if self.left_s < LEAST_S:
            return f"{self.approle} ends in {self.left_s / _DAY_S:.0f} days: {self._remedy}"
        return ""

    @property
    def _remedy(self) -> str:
        if self.given:
            role = f"auth/approle/role/{self.approle}/secret-id"
            return f"have its keeper make a new one (`bao write -force {role}`)"
        return "run site.yml or renew.yml, which renew it"


def look(access: Access) -> tuple[LogIn, ...]:
    """Return every log-in, as far as it can be used from here; one that is not known here has a problem.

    Raises:
        VaultError: the server is away or sealed.
    """
    return tuple(_looked_at(access, approle) for approle in AppRole)


def _looked_at(access: Access, approle: AppRole) -> LogIn:
    given = is_given(access, approle)
    try:
        return LogIn(approle, _left(access, approle), given)
    except VaultError as error:
        if error.fault not in {VaultFault.TOKEN, VaultFault.FORBIDDEN}:
            raise
        return LogIn(approle, given=given, problem=str(error))


def _left(access: Access, approle: AppRole) -> float | None:
    """Log in, and return how long that will be possible."""
    with logged_in(access, approle) as session:
        path = f"auth/approle/role/{approle}/secret-id/lookup"
        secret_id = credentials(access, approle)["secret_id"]
        said = session.write(path, {"secret_id": secret_id}).get("data") or {}
    if not said.get("secret_id_ttl"):
        return None
    return (_time(said["expiration_time"]) - datetime.now(UTC)).total_seconds()


def _time(text: str) -> datetime:
    """Return a time as the server writes it (RFC 3339), which has nanoseconds."""
    seconds = text.removesuffix("Z").partition(".")[0]
    return datetime.fromisoformat(seconds).replace(tzinfo=UTC)


def renew(access: Access, *, check: bool = False) -> tuple[Change, ...]:
    """Renew every log-in that this controller keeps and that has too little life left.

    One that the server refuses is left as it is: only the rights of root make a new one
    (`heiiki.pki.server.bootstrap.ensure_logins`).

    Args:
        access: keeps them.
        check: only tell.

    Raises:
        VaultError: the server is away or sealed, or does not do it.
    """
    return tuple(_renewed(access, check=check))


def warnings(access: Access, *, check: bool = False) -> tuple[str, ...]:
    """Renew what `renew` does, and return what hinders that: it is no reason to leave other work undone."""
    try:
        renew(access, check=check)
    except VaultError as error:
        return (f"the controller's log-ins could not be renewed: {error}",)
    return ()


def _renewed(access: Access, *, check: bool) -> Iterator[Change]:
    if access.environment.get("VAULT_TOKEN"):
        return
    for approle in AppRole:
        path = role_path(approle)
        if is_given(access, approle) or not access.store.has(path):
            continue
        found = _looked_at(access, approle)
        if found.problem:
            continue
        if not check:
            _destroy_former(access, approle)
        if found.left_s is None or found.left_s < RENEWED_S:
            if not check:
                _replace(access, approle)
            yield Change(path, "a secret id that ends\n", "another secret id\n")


def _replace(access: Access, approle: AppRole) -> None:
    kept = access.store.fields(role_path(approle))
    with logged_in(access, approle) as session:
        made = session.write(f"auth/approle/role/{approle}/secret-id", {})["data"]["secret_id"]
    new = {"role_id": kept["role_id"], "secret_id": made, _FORMER: kept["secret_id"]}
    access.store.write(role_path(approle), new)
    _destroy_former(access, approle)


def _destroy_former(access: Access, approle: AppRole) -> None:
    """Destroy the secret id that was replaced, with a session of the one that replaced it."""
    try:
        former = access.store.read(role_path(approle), _FORMER)
    except SecretError:
        return
    with logged_in(access, approle) as session:
        session.write(f"auth/approle/role/{approle}/secret-id/destroy", {"secret_id": former})
    kept = access.store.fields(role_path(approle))
    access.store.write(role_path(approle), {key: value for key, value in kept.items() if key != _FORMER})
