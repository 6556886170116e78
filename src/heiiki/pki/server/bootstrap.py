"""From a server that was just started to one that serves: initialise, unseal, set up, log in.

What the controller keeps, in files that only its user can read (`heiiki.state.FileSecrets`):

- ``vault/init``: the unseal keys, ``key-1``..., and ``threshold``; during the first set-up also the root
  token;
- what `heiiki.pki.server.login` needs, which a set-up writes.

A root token lives as long as a set-up step takes.
"""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from heiiki.errors import SecretError, VaultError, VaultFault
from heiiki.pki.authorities import retirable, retire, rotate_issuing, rotate_root
from heiiki.pki.server import members, secret_ids
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import Access, can_log_in, logged_in, role_path
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.reconcile import Change, ensure
from heiiki.plan.model import Pki, Plan
from heiiki.state import FileSecrets

INIT = "vault/init"

_ROOT_LIFE = "15m"
_JOINS_S, _POLL_S = 15.0, 0.1
"""Within which a server that has its keys is let into its cluster, seconds."""
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
    """Unseal every server that is sealed with the keys that are kept.

    Raises:
        VaultError: they are not, or not enough, or another server's; or no server is unsealed.
    """
    found = members.look(access)
    for one in found:
        if one.is_sealed:
            _unseal_one(one.access)
    access.vault.require_ready()
    access.vault.await_active()


def _unseal_one(access: Access) -> None:
    vault = access.vault
    for key in _keys(access):
        if vault.health().sealed and not _taken(vault, key):
            break
    else:
        _await_unsealed(vault)
    if vault.health().sealed:
        raise vault.error(
            VaultFault.SEALED,
            f"stays sealed after the keys in {INIT}: they are another server's, or too few",
            "unseal it by hand (`bao operator unseal`)",
        )


def _await_unsealed(vault: Vault) -> None:
    """Wait for a server that joins a cluster: it is unsealed when it was let in with the keys."""
    end = time.monotonic() + _JOINS_S
    while vault.health().sealed and time.monotonic() < end:
        time.sleep(_POLL_S)


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
            _ended(session)
            _drop_root_token(access.store)


def _ended(session: Vault) -> None:
    """Revoke a root token; a restored snapshot, older than the token, has ended it already."""
    try:
        session.write("auth/token/revoke-self", {})
    except VaultError as error:
        if error.fault is not VaultFault.TOKEN:
            raise


def _root_token(access: Access) -> str:
    try:
        return access.store.read(INIT, "root_token")
    except SecretError:
        keys = _keys(access)
    return _ending(access.vault, _generated(access, keys))


def _generated(access: Access, keys: list[str]) -> str:
    try:
        return _generate(access.vault, _OPEN_WAY, keys)
    except VaultError as error:
        if error.fault is not VaultFault.REJECTED:
            raise
    with logged_in(access, AppRole.CONFIGURATOR) as session:
        return _generate(session, _CLOSED_WAY, keys)


def _ending(vault: Vault, token: str) -> str:
    """Return a root token that ends by itself in place of one that does not: a run may be cut off."""
    endless = vault.with_token(token)
    life = {"ttl": _ROOT_LIFE, "explicit_max_ttl": _ROOT_LIFE, "renewable": False}
    made = endless.write("auth/token/create", {"policies": ["root"], "no_parent": True, **life})
    endless.write("auth/token/revoke-self", {})
    return str(made["auth"]["client_token"])


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
    lacking = [approle for approle in AppRole if not can_log_in(access, approle)]
    for approle in () if check else lacking:
        role = f"auth/approle/role/{approle}"
        role_id = (vault.read(f"{role}/role-id") or {})["role_id"]
        secret_id = vault.write(f"{role}/secret-id", {})["data"]["secret_id"]
        access.store.write(role_path(approle), {"role_id": role_id, "secret_id": secret_id})
    return tuple(
        Change(role_path(approle), "", "credentials, kept on the controller\n") for approle in lacking
    )


def apply(
    access: Access, plan: Plan, *, shares: Shares | None = None, unsealing: bool = False, check: bool = False
) -> tuple[Change, ...]:
    """Bring the server to what the plan asks for; a second run returns nothing.

    Args:
        access: address and credentials of it.
        plan: the service.
        shares: a new server may be initialised, its key split so.
        unsealing: the unseal keys kept here may be used: to unseal it, and for a root token where AppRole
            configurator may not do what is needed.
        check: compare only; what comes after initialising or unsealing cannot be foreseen then.

    Raises:
        VaultError: it is not initialised or sealed, and that may not be changed; or any other fault.
    """
    _refuse_a_part(access, plan)
    changes = [*_initialised(access, shares, check=check)]
    if not (changes and check):
        changes += _unsealed(access, unsealing=unsealing, check=check)
    if changes and check:
        return tuple(changes)
    access.vault.require_ready()
    if unsealing:
        changes += set_up(access, plan, check=check)
    else:
        changes += _ensured(access, plan, check=check)
    changes += _joined(access, unsealing=unsealing, check=check)
    return (*changes, *secret_ids.renew(access, check=check))


def _refuse_a_part(access: Access, plan: Plan) -> None:
    """Stop where some servers of the cluster cannot be reached by themselves: each is to be looked at."""
    known, planned = len(access.vault.server.every), len(plan.pki.servers)
    if known != planned:
        raise access.vault.error(
            VaultFault.UNREACHABLE,
            f"is {known} of the {planned} that the plan has",
            "set VAULT_ADDR to the addresses of all, with commas, in the order of `vault_hosts`",
        )


def _joined(access: Access, *, unsealing: bool, check: bool) -> Iterator[Change]:
    """Have new servers join the cluster, and wait until they vote."""
    new = [one for one in members.look(access) if one.is_new]
    for one in new:
        if not check:
            members.join(access, one)
            if unsealing:
                _unseal_one(one.access)
        yield Change(f"sys/storage/raft/join at {one.host}", "", "a member of the cluster\n")
    # Without a new one too: a run may have been cut off before the last one voted.
    if access.vault.server.others and unsealing and not check:
        with logged_in(access, AppRole.AUDITOR) as auditor:
            members.await_votes(auditor)


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
    found = members.look(access) if shares else ()
    if shares is None or any(one.health and one.health.initialised for one in found):
        return
    members.refuse_to_begin(access, found)
    if not check:
        initialise(found[0].access, shares)
    yield Change("sys/init", "", f"{shares.number} unseal keys, {shares.threshold} of them needed\n")


def _unsealed(access: Access, *, unsealing: bool, check: bool) -> Iterator[Change]:
    sealed = [one for one in members.look(access) if one.is_sealed] if unsealing else []
    if sealed and not check:
        unseal(access)
    for one in sealed:
        where = f" of {one.host}" if access.vault.server.others else ""
        yield Change(f"sys/seal-status{where}", "sealed\n", "unsealed\n")


def set_up(access: Access, plan: Plan, *, check: bool = False) -> tuple[Change, ...]:
    """Make an unsealed server what the plan asks for, with the rights of root where something differs.

    Without a difference no root token is made. Returns what was, or would be, changed.
    """
    if _settled(access, plan):
        return ()
    if check and not _has_root(access):
        return (*_ensured(access, plan, check=True), *ensure_logins(access, access.vault, check=True))
    with root(access) as session:
        return (*ensure(session, plan, check=check), *ensure_logins(access, session, check=check))


def _ensured(access: Access, plan: Plan, *, check: bool) -> tuple[Change, ...]:
    """Do what needs no rights of root: the configurator writes, and the auditor sees what stands there."""
    with (
        logged_in(access, AppRole.CONFIGURATOR) as session,
        logged_in(access, AppRole.AUDITOR) as auditor,
    ):
        return ensure(session, plan, check=check, reader=auditor)


def _settled(access: Access, plan: Plan) -> bool:
    needed = (AppRole.CONFIGURATOR, AppRole.AUDITOR)
    if _has_root(access) or not all(can_log_in(access, approle) for approle in needed):
        return False
    try:
        return not _ensured(access, plan, check=True) and not ensure_logins(access, access.vault, check=True)
    except VaultError as error:
        if error.fault is VaultFault.FORBIDDEN:
            return False  # the policy that stands is an older one
        raise


def _has_root(access: Access) -> bool:
    store = access.store
    return bool(access.environment.get("VAULT_TOKEN")) or (
        store.has(INIT) and "root_token" in store.fields(INIT)
    )
