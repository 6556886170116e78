"""The server as it is, against the plan: what differs, and what is there beside it."""

from collections.abc import Collection, Iterator

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.authorities import foreign
from heiiki.pki.server import desired
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.policies import TOKEN_ROLE, AppRole, device_policy_name
from heiiki.pki.server.reconcile import differences
from heiiki.plan.model import DeviceClass, Plan

_BUILT_IN = {
    "sys/mounts": {"cubbyhole/", "identity/", "sys/", "agent-registry/"},
    "sys/auth": {"token/"},
    "sys/policies/acl": {"default", "root"},
}

_DEFAULTS = {"name": None, "not_after_bound": "permit", "not_before_bound": "permit"}
"""What a role says of itself beside its planned values, and must say; None is any value."""


def problems(vault: Vault, plan: Plan) -> tuple[str, ...]:
    """Return everything about the server that is not as planned; the session is that of AppRole auditor.

    Raises:
        VaultError: it cannot be reached, or does not let the auditor see it.
    """
    try:
        changed = [f"{change.path} is not as planned" for change in differences(vault, plan)]
    except VaultError as error:
        if error.fault is not VaultFault.REJECTED:
            raise
        changed = [str(error)]
    audit = () if vault.read("sys/audit") else ("the server keeps no audit log",)
    return (*audit, *changed, *_beside(vault, plan), *_unplanned(vault, plan))


def _beside(vault: Vault, plan: Plan) -> Iterator[str]:
    """Yield each value of a role that the plan has no word on, and that is not the server's own default."""
    settings = (*desired.role_settings(plan), *desired.access_settings())
    for setting, stands in zip(settings, vault.each(lambda one: vault.read(one.path), settings), strict=True):
        for key, value in sorted((stands or {}).items()):
            if value and key not in setting.values and _DEFAULTS.get(key, "") not in (None, value):
                yield f"{setting.path}: {key} is set, which is not of the plan"


def _unplanned(vault: Vault, plan: Plan) -> Iterator[str]:
    """Yield what can let somebody in, or certify somebody, and is not of the plan."""
    mounts = desired.mounts(plan.pki)
    for table in ("sys/mounts", "sys/auth"):
        paths = {f"{mount.path}/" for mount in mounts if mount.table == table}
        yield from _others(table, vault.read(table) or {}, paths)
    policies = [
        name for name in vault.names("sys/policies/acl") if not name.startswith(device_policy_name(""))
    ]
    yield from _others("sys/policies/acl", policies, desired.policies(plan))
    roles: dict[str, Collection[str]] = {
        "auth/approle/role": set(AppRole),
        "auth/token/roles": {TOKEN_ROLE},
        "identity/group/id": set(),
        f"{plan.pki.root_mount}/roles": set(),
        f"{plan.pki.issuing_mount}/roles": set(DeviceClass),
    }
    for path, planned in roles.items():
        yield from _others(path, vault.names(path), planned)
    for one in foreign(vault, plan):
        yield f"{one.path} ({one.certificate.subject.rfc4514_string()}) is no CA that the service made"


def _others(path: str, found: Collection[str], planned: Collection[str]) -> Iterator[str]:
    for name in sorted(set(found) - set(planned) - _BUILT_IN.get(path, set())):
        yield f"{path}/{name.rstrip('/')} is not of the plan"
