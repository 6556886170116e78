"""The server as the plan wants it: engines, CAs, roles, policies and log-ins, compared, then changed."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heiiki.errors import VaultError, VaultFault
from heiiki.pki import authorities as ca
from heiiki.pki.server import desired
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.desired import Mount, Setting
from heiiki.pki.server.policies import device_policy_name, revoked_policy
from heiiki.pki.server.secrets import ensure_keys
from heiiki.plan.model import Plan

_ENGINE_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """What was, or would be, changed at a path; a CA's key and other secrets are never part of it."""

    path: str
    before: str
    after: str


def ensure(vault: Vault, plan: Plan, *, check: bool = False) -> tuple[Change, ...]:
    """Make the server what the plan asks for, and return what differed; a second run returns nothing.

    Args:
        vault: a session that may do it: of AppRole configurator when only names have changed, of a root token
            for the rest (engines, CAs, log-ins).
        plan: the service.
        check: compare only.

    Raises:
        VaultError: the server cannot be reached, keeps no audit log, or does not allow it.
    """
    _check_audit(vault)
    found = differences(vault, plan, check=check)
    if not check and any(change.path.endswith("/config/crl") for change in found):
        for mount in (plan.pki.root_mount, plan.pki.issuing_mount):
            vault.read(f"{mount}/crl/rotate")  # the present CRLs were made for the former lifetimes
    if check and any(change.path == f"sys/mounts/{plan.pki.secrets_mount}" for change in found):
        return found  # without the engine there is none that could be asked
    return (*found, *_keys(vault, plan, check=check))


def _keys(vault: Vault, plan: Plan, *, check: bool) -> Iterator[Change]:
    for path in ensure_keys(vault, plan, check=check):
        yield Change(f"{plan.pki.secrets_mount}/{path}", "", "a new key of routing\n")


def differences(vault: Vault, plan: Plan, *, check: bool = True) -> tuple[Change, ...]:
    """Return what differs from the plan, and, unless `check`, change it; see `ensure`.

    Raises:
        VaultError: the server cannot be reached, or does not allow it.
    """
    return (
        *_mounts(vault, desired.mounts(plan.pki), check=check),
        *_settings(vault, desired.engine_settings(plan.pki), check=check),
        *_authorities(vault, plan, check=check),
        *_settings(vault, desired.role_settings(plan), check=check),
        *_policies(vault, desired.policies(plan), check=check),
        *_settings(vault, desired.access_settings(), check=check),
        *_settings(vault, desired.quota_settings(), check=check),
    )


def _check_audit(vault: Vault) -> None:
    """Refuse a server that writes no audit log: who did what could never be told (NISTIR 7628 AU-2)."""
    if not vault.read("sys/audit"):
        raise vault.error(
            VaultFault.REJECTED,
            "keeps no audit log: who did what could never be told",
            'declare one in its configuration (OpenBao: audit "file" "file" { ... }), or by '
            "`vault audit enable file file_path=...` (HashiCorp Vault)",
        )


def _mounts(vault: Vault, wanted: Iterable[Mount], *, check: bool) -> Iterator[Change]:
    tables: dict[str, dict[str, Any]] = {}
    for mount in wanted:
        if mount.table not in tables:
            tables[mount.table] = vault.read(mount.table) or {}
        stands = tables[mount.table].get(f"{mount.path}/")
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


def _settings(vault: Vault, wanted: Iterable[Setting], *, check: bool) -> Iterator[Change]:
    settings = tuple(wanted)
    for setting, stands in zip(settings, vault.each(lambda one: vault.read(one.path), settings), strict=True):
        before = {key: (stands or {}).get(key) for key in setting.values}
        if before == dict(setting.values):
            continue
        if not check:
            vault.write(setting.path, _sent(setting.values))
        yield Change(setting.path, "" if stands is None else _text(before), _text(setting.values))


def _sent(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write lists as the server also takes them, in one text: it refuses JSON of more than 1,000 texts."""
    return {key: ",".join(value) if isinstance(value, list) else value for key, value in values.items()}


def _policies(vault: Vault, planned: Mapping[str, str], *, check: bool) -> list[Change]:
    """Write the policies that differ, and remove those of devices that the plan no longer has.

    The mark of a revoked device stays, whatever the plan says: only `heiiki.pki.marks.lift` takes it away.
    """
    there = vault.names("sys/policies/acl")
    ours = [name for name in there if name in planned or name.startswith(device_policy_name(""))]
    texts = dict(zip(ours, vault.each(lambda name: _policy(vault, name), ours), strict=True))
    marks = {name: text for name, text in texts.items() if text == revoked_policy()}
    wanted = {**planned, **marks}
    changes = [
        Change(f"sys/policies/acl/{name}", texts.get(name, ""), wanted.get(name, ""))
        for name in sorted({*wanted, *ours})
        if texts.get(name, "") != wanted.get(name, "")
    ]
    if not check:
        vault.each(lambda change: _write_policy(vault, change), changes)
    return changes


def _policy(vault: Vault, name: str) -> str:
    return str((vault.read(f"sys/policies/acl/{name}") or {}).get("policy", ""))


def _write_policy(vault: Vault, change: Change) -> None:
    if change.after:
        vault.write(change.path, {"policy": change.after})
    else:
        vault.delete(change.path)


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
