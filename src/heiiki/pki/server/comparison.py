"""The server as it is, against the plan: what differs, and what is there beside it."""

from collections.abc import Collection, Iterator

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.authorities import foreign
from heiiki.pki.server import desired
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.policies import FORMER_POLICIES, REGISTRAR, AppRole
from heiiki.pki.server.reading import Reading
from heiiki.pki.server.reconcile import Change, differences, registrar_settings
from heiiki.pki.server.roles import DEVICE_POLICY
from heiiki.plan.model import Plan

_BUILT_IN = {
    "sys/mounts": {"cubbyhole/", "identity/", "sys/", "agent-registry/"},
    "sys/auth": {"token/"},
    "sys/policies/acl": {"default", "root"},
}

_DEFAULTS = {"not_after_bound": "permit", "not_before_bound": "permit"}
"""What a role says of itself beside its planned values and its name, and must say."""


def problems(vault: Vault, plan: Plan) -> tuple[str, ...]:
    """Return everything about the server that is not as planned; the session is that of AppRole auditor.

    Raises:
        VaultError: it cannot be reached, or does not let the auditor see it.
    """
    said = Reading(vault)
    try:
        changed = [_differs(change) for change in differences(vault, plan, reading=said)]
    except VaultError as error:
        if error.fault is not VaultFault.REJECTED:
            raise
        changed = [str(error)]
    return (*_audit(vault, plan), *changed, *_beside(said, plan), *_unplanned(said, plan))


def _audit(vault: Vault, plan: Plan) -> Iterator[str]:
    """Yield what is not as planned about where the server writes what it is asked.

    Where the files are is a matter of its configuration, which is compared on the host.
    """
    server = plan.device(plan.pki.vault).vault
    planned = {f"{log.name}/" for log in server.audit_logs} if server else set()
    found = vault.read("sys/audit") or {}
    for name in sorted(planned - found.keys()):
        yield f"the server does not keep the audit log {name.rstrip('/')}"
    yield from _others("sys/audit", found, planned)
    files: dict[str, str] = {}
    for name in sorted(planned & found.keys()):
        one, options = found[name], dict(found[name]["options"] or {})
        if one["type"] != "file":
            yield f"sys/audit/{name}: is of type {one['type']}, not file"
        for key in sorted(options.keys() - {"file_path", "mode"}):
            yield f"sys/audit/{name}: {key} is set, which is not of the plan"
        if (other := files.setdefault(options.get("file_path", ""), name)) != name:
            yield f"sys/audit/{name}: writes the file of sys/audit/{other}"


def _differs(change: Change) -> str:
    return f"{change.path} is not {'as planned' if change.after else 'of the plan'}"


def _beside(said: Reading, plan: Plan) -> Iterator[str]:
    """Yield each value of a role that the plan has no word on, and that is not the server's own default."""
    settings = (
        *desired.role_settings(plan),
        *desired.token_settings(plan),
        *desired.access_settings(plan),
        *registrar_settings(said, plan.pki),
    )
    for setting, stands in zip(settings, said.each(one.path for one in settings), strict=True):
        for key, value in sorted((stands or {}).items()):
            defaults = {**_DEFAULTS, "name": setting.path.rpartition("/")[2]}
            if value and key not in setting.values and defaults.get(key, "") != value:
                yield f"{setting.path}: {key} is set, which is not of the plan"


def _unplanned(said: Reading, plan: Plan) -> Iterator[str]:
    """Yield what can let somebody in, or certify somebody, and is not of the plan.

    Roles of devices are left out: `differences` tells of those.
    """
    mounts = desired.mounts(plan.pki)
    for table in ("sys/mounts", "sys/auth"):
        paths = {f"{mount.path}/" for mount in mounts if mount.table == table}
        yield from _others(table, said.read(table) or {}, paths)
    policies = [name for name in said.names("sys/policies/acl") if not name.startswith(FORMER_POLICIES)]
    of_registrar = {REGISTRAR} if plan.pki.registrar else set()
    yield from _others("sys/policies/acl", policies, {*AppRole, DEVICE_POLICY, *of_registrar})
    planned: dict[str, Collection[str]] = {
        "auth/approle/role": set(AppRole),
        "identity/group/id": set(),
        f"{plan.pki.root_mount}/roles": set(),
        **({"auth/cert/certs": of_registrar} if of_registrar else {}),
    }
    for path, names in planned.items():
        yield from _others(path, said.names(path), names)
    yield from _entities(said)
    for one in foreign(said.vault, plan):
        yield f"{one.path} ({one.certificate.subject.rfc4514_string()}) is no CA that the service made"


def _entities(said: Reading) -> Iterator[str]:
    """Yield who has policies beside those of the way by which he is logged in."""
    paths = [f"identity/entity/id/{name}" for name in said.names("identity/entity/id")]
    for path, values in zip(paths, said.each(paths), strict=True):
        if values and values["policies"]:
            names = ", ".join(alias["name"] for alias in values["aliases"] or ())
            yield f"{path} ({names}) has policies of its own, which are not of the plan"


def _others(path: str, found: Collection[str], planned: Collection[str]) -> Iterator[str]:
    for name in sorted(set(found) - set(planned) - _BUILT_IN.get(path, set())):
        yield f"{path}/{name.rstrip('/')} is not of the plan"
