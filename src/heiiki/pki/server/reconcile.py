"""The server as the plan wants it: engines, CAs, roles, policies and log-ins, compared, then changed."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heiiki.errors import VaultError, VaultFault
from heiiki.pki import authorities as ca
from heiiki.pki.server import desired, members, roles
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.desired import Mount, Setting
from heiiki.pki.server.policies import FORMER_MARK, FORMER_POLICIES, REGISTRAR, REGISTRAR_LOGIN
from heiiki.pki.server.reading import Reading
from heiiki.pki.server.secrets import ensure_keys
from heiiki.plan.model import Pki, Plan

_ENGINE_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """What was, or would be, changed at a path; a CA's key and other secrets are never part of it."""

    path: str
    before: str
    after: str


def ensure(
    vault: Vault, plan: Plan, *, check: bool = False, reader: Vault | None = None
) -> tuple[Change, ...]:
    """Make the server what the plan asks for, and return what differed; a second run returns nothing.

    Args:
        vault: a session that may do it: of AppRole configurator when only names have changed, of a root token
            for the rest (engines, CAs, log-ins).
        plan: the service.
        check: compare only.
        reader: a session that may see all of it: of AppRole auditor; left out: `vault` may.

    Raises:
        VaultError: the server cannot be reached, keeps no audit log, or does not allow it.
    """
    _check_audit(vault)
    found = differences(vault, plan, check=check, reading=Reading(reader or vault))
    if not check and any(change.path.endswith("/config/crl") for change in found):
        for mount in (plan.pki.root_mount, plan.pki.issuing_mount):
            vault.read(f"{mount}/crl/rotate")  # the present CRLs were made for the former lifetimes
    if check and any(change.path == f"sys/mounts/{plan.pki.secrets_mount}" for change in found):
        return found  # without the engine there is none that could be asked
    return (*found, *_keys(vault, plan, check=check))


def _keys(vault: Vault, plan: Plan, *, check: bool) -> Iterator[Change]:
    for path in ensure_keys(vault, plan, check=check):
        yield Change(f"{plan.pki.secrets_mount}/{path}", "", "a new key of routing\n")


def differences(
    vault: Vault, plan: Plan, *, check: bool = True, reading: Reading | None = None
) -> tuple[Change, ...]:
    """Return what differs from the plan, and, unless `check`, change it; see `ensure`.

    Args:
        vault: a session that may do it.
        plan: the service.
        check: compare only.
        reading: what the server said already.

    Raises:
        VaultError: the server cannot be reached, or does not allow it.
    """
    said = reading or Reading(vault)
    devices = _devices(said, plan)
    return (
        *_mounts(vault, said, desired.mounts(plan.pki), check=check),
        *_settings(vault, said, desired.engine_settings(plan.pki), check=check),
        *_authorities(vault, plan, check=check),
        # Marks of the former kind first: no device has a role for a moment that its mark does not cover.
        *_settings(vault, said, devices, check=check),
        *_settings(vault, said, desired.access_settings(plan), check=check),
        *_registrar(vault, said, plan.pki, check=check),
        *_settings(vault, said, desired.quota_settings(), check=check),
        *_policies(vault, said, plan, check=check),
        *_settings(vault, said, desired.token_settings(plan), check=check),
        *_superfluous(vault, said, plan, check=check),
        *_members(vault, said, plan, check=check),
    )


def _members(vault: Vault, said: Reading, plan: Plan, *, check: bool) -> Iterator[Change]:
    """Remove the members of the cluster that the plan does not have: each has all secrets, and may lead."""
    for name in members.foreign(said, plan.pki):
        if not check:
            vault.write(members.REMOVE, {"server_id": name})
        yield Change(f"{members.CONFIGURATION}/{name}", "a member of the cluster\n", "")


def _devices(said: Reading, plan: Plan) -> tuple[Setting, ...]:
    """Return the roles of all devices at the issuing CA, with the marks that the server has.

    A mark stays, whatever the plan says: only `heiiki.pki.marks.lift` takes it away.
    """
    wanted = {setting.path: setting for setting in desired.role_settings(plan)}
    for device in marked(said, plan.pki):
        path = roles.role_path(plan.pki, device)
        wanted[path] = Setting(path, roles.revoked_role(plan.pki))
    return tuple(wanted.values())


def marked(said: Reading, trust: Pki) -> tuple[str, ...]:
    """Return every device that is marked as revoked, by its role or in the former way by its policy."""
    if f"{trust.issuing_mount}/" not in (said.read("sys/mounts") or {}):
        return ()
    names = said.names(f"{trust.issuing_mount}/roles")
    found = said.each(roles.role_path(trust, name) for name in names)
    by_role = [name for name, values in zip(names, found, strict=True) if roles.is_mark(values)]
    former = _former(said)
    texts = said.each(f"sys/policies/acl/{name}" for name in former)
    denied = [
        name for name, one in zip(former, texts, strict=True) if (one or {}).get("policy") == FORMER_MARK
    ]
    return tuple(dict.fromkeys([*by_role, *(name.removeprefix(FORMER_POLICIES) for name in denied)]))


def _former(said: Reading) -> list[str]:
    """Return the policies that devices had of their own, before one served them all."""
    return [name for name in said.names("sys/policies/acl") if name.startswith(FORMER_POLICIES)]


def _check_audit(vault: Vault) -> None:
    """Refuse a server that writes no audit log: who did what could never be told (NISTIR 7628 AU-2)."""
    if not vault.read("sys/audit"):
        raise vault.error(
            VaultFault.REJECTED,
            "keeps no audit log: who did what could never be told",
            'declare one in its configuration (OpenBao: audit "file" "file" { ... }), or by '
            "`vault audit enable file file_path=...` (HashiCorp Vault)",
        )


def _mounts(vault: Vault, said: Reading, wanted: Iterable[Mount], *, check: bool) -> Iterator[Change]:
    for mount in wanted:
        stands = (said.read(mount.table) or {}).get(f"{mount.path}/")
        path = f"{mount.table}/{mount.path}"
        after = _text({"type": mount.kind, "max_lease_ttl": mount.max_lease_s})
        if stands is None:
            if not check:
                vault.write(path, _mount_request(mount))
                _await_engine(vault, mount)
            yield Change(path, "", after)
        elif stands["type"] != mount.kind:
            raise vault.error(
                VaultFault.REJECTED,
                f"has an engine {stands['type']} at {mount.path}, where one of type {mount.kind} belongs",
                "move it (`bao secrets move`), or give the service another server",
            )
        elif (lease := stands["config"]["max_lease_ttl"]) != mount.max_lease_s:
            if not check:
                vault.write(f"{path}/tune", {"max_lease_ttl": f"{mount.max_lease_s}s"})
            yield Change(path, _text({"type": mount.kind, "max_lease_ttl": lease}), after)


def _await_engine(vault: Vault, mount: Mount) -> None:
    """Wait until a new KV engine has made its storage versioned; until then it rejects every call.

    Raises:
        VaultError: it is not ready after half a minute.
    """
    end = time.monotonic() + _ENGINE_S
    while mount.kind == "kv":
        try:
            vault.read(f"{mount.path}/config")
        except VaultError as error:
            if error.fault is not VaultFault.REJECTED or time.monotonic() > end:
                raise
            time.sleep(_POLL_S)
        else:
            return


def _mount_request(mount: Mount) -> dict[str, Any]:
    return {
        "type": mount.kind,
        "description": mount.description,
        "options": dict(mount.options),
        "config": {"max_lease_ttl": f"{mount.max_lease_s}s"},
    }


def _settings(vault: Vault, said: Reading, wanted: Iterable[Setting], *, check: bool) -> list[Change]:
    settings = tuple(wanted)
    differing, changes = [], []
    for setting, stands in zip(settings, said.each(one.path for one in settings), strict=True):
        before = {key: (stands or {}).get(key) for key in setting.values}
        if before != dict(setting.values):
            differing.append(setting)
            changes.append(
                Change(setting.path, "" if stands is None else _text(before), _text(setting.values))
            )
    if not check:
        vault.each(lambda one: vault.write(one.path, roles.sent(one.values)), differing)
    return changes


def _policies(vault: Vault, said: Reading, plan: Plan, *, check: bool) -> list[Change]:
    accessor = str((said.read("sys/auth") or {})["token/"]["accessor"])
    planned = desired.policies(plan, accessor)
    found = said.each(f"sys/policies/acl/{name}" for name in planned)
    texts = {name: str((one or {}).get("policy", "")) for name, one in zip(planned, found, strict=True)}
    changes = [
        Change(f"sys/policies/acl/{name}", texts[name], text)
        for name, text in planned.items()
        if texts[name] != text
    ]
    if not check:
        vault.each(lambda one: vault.write(one.path, {"policy": one.after}), changes)
    return changes


def _superfluous(vault: Vault, said: Reading, plan: Plan, *, check: bool) -> list[Change]:
    """Remove the roles of devices that the plan no longer has, and what devices had before they had roles."""
    planned = {one.device for one in desired.identities(plan)}
    gone = [f"sys/policies/acl/{name}" for name in _former(said)]
    if plan.pki.registrar is None:
        gone += _former_registrar(said)
    for path, kept in (
        (f"{plan.pki.issuing_mount}/roles", {*planned, *marked(said, plan.pki)}),
        ("auth/token/roles", planned),
    ):
        gone += [f"{path}/{name}" for name in said.names(path) if name not in kept]
    if not check:
        vault.each(vault.delete, gone)
    return [Change(path, "there\n", "") for path in gone]


def _former_registrar(said: Reading) -> Iterator[str]:
    """Yield what a registration authority had that the plan has no more; another's log-in is left alone."""
    mount = desired.REGISTRAR_MOUNT
    stands = (said.read(mount.table) or {}).get(f"{mount.path}/")
    if stands and stands["description"] == mount.description:
        yield f"{mount.table}/{mount.path}"
        yield f"sys/policies/acl/{REGISTRAR}"


def registrar_settings(said: Reading, trust: Pki) -> tuple[Setting, ...]:
    """Return what the log-in of the registration authority is to be; nothing while it has none."""
    stands = said.read(REGISTRAR_LOGIN) if trust.registrar else None
    if trust.registrar is None or stands is None:
        return ()
    return (desired.registrar_setting(trust.registrar, stands["certificate"]),)


def _registrar(vault: Vault, said: Reading, trust: Pki, *, check: bool) -> list[Change]:
    """Hold the registration authority's log-in to the plan, where it has one (`heiiki.pki.registrar`)."""
    return _settings(vault, said, registrar_settings(said, trust), check=check)


def _authorities(vault: Vault, plan: Plan, *, check: bool) -> Iterator[Change]:
    makers = (
        (plan.pki.root_mount, "root", ca.rotate_root),
        (plan.pki.issuing_mount, "issuing", ca.rotate_issuing),
    )
    for mount, kind, make in makers:
        current = [one for one in ca.authorities(vault, mount) if one.current]
        if not current:
            if not check:
                make(vault, plan)
            yield Change(f"{mount}/issuers", "", f"{ca.common_name(plan, kind, 1)}: EC P-256\n")
    yield from (Change(*found) for found in ca.ensure_urls(vault, plan.pki, check=check))


def _text(values: Mapping[str, Any]) -> str:
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in sorted(values.items()))
