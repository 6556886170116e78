"""The servers of a cluster, each by itself: which of them serve, and how one becomes a member.

A server that is new, or has lost its storage, asks one that serves to be let in, and is when it is unsealed:
the keys are the proof that it belongs there. It votes some seconds later, when it has everything.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.server.connection import Health, Vault
from heiiki.pki.server.login import Access, logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.reading import Reading
from heiiki.plan.model import Pki

CONFIGURATION = "sys/storage/raft/configuration"
HEALTH = "sys/storage/raft/autopilot/state"
REMOVE = "sys/storage/raft/remove-peer"
_JOIN = "sys/storage/raft/join"
_VOTES_S = 60.0
"""Within which a new member votes: it must be stable for ten seconds, which is looked at every ten."""
_POLL_S = 0.5
_SEEN_S = (2.0, 5.0)
_ASKED = "sys/health?standbycode=200&sealedcode=200&uninitcode=200"
"""What a server says of itself, whatever it is."""


@dataclass(frozen=True, slots=True)
class Found:
    """A server of the cluster, by itself.

    Attributes:
        health: what it says of itself; None where it does not answer.
        problem: why it does not.
    """

    access: Access
    health: Health | None
    problem: str = ""

    @property
    def host(self) -> str:
        """Its host name."""
        return self.access.vault.server.host

    @property
    def is_new(self) -> bool:
        """Tell whether it answers, and belongs to no cluster."""
        return self.health is not None and not self.health.initialised

    @property
    def is_sealed(self) -> bool:
        """Tell whether it belongs to the cluster, and is sealed."""
        return self.health is not None and self.health.initialised and self.health.sealed


@dataclass(frozen=True, slots=True)
class Seen:
    """What a server says of itself to anyone who asks.

    Attributes:
        device: its name in the plan.
        leads: it says that it leads.
        version: of its program; empty where it does not answer.
        cluster: which cluster it belongs to; empty where it is sealed or in none.
        problem: why it does not serve; empty where it does.
    """

    device: str
    leads: bool = False
    version: str = ""
    cluster: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the cluster, as the one that leads has it.

    Attributes:
        address: where the others reach it, ``address:port``.
        healthy: it was heard in the last seconds, and has what the others have.
    """

    name: str
    address: str
    votes: bool
    healthy: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """The cluster as each server and the one that leads see it.

    Attributes:
        members: none where `problem` says why they are not known.
    """

    seen: tuple[Seen, ...]
    members: tuple[Member, ...]
    problem: str = ""


def membership(access: Access, trust: Pki) -> Membership:
    """Return who the servers of the cluster are, and what each says of itself."""
    every = zip(trust.servers, access.each_server(), strict=False)
    seen = tuple(access.vault.each(lambda one: _seen(one[0].device, one[1].vault), every))
    try:
        with logged_in(access, AppRole.AUDITOR) as auditor:
            return Membership(seen, tuple(_members(Reading(auditor))))
    except VaultError as error:
        return Membership(seen, (), str(error))


def _seen(device: str, vault: Vault) -> Seen:
    try:
        said = vault.within(*_SEEN_S).fields(_ASKED)
    except VaultError as error:
        return Seen(device, problem=str(error))
    seen = Seen(device, version=str(said["version"]), cluster=str(said.get("cluster_id", "")))
    if not said["initialized"]:
        return replace(seen, problem=f"{device} is no member of a cluster")
    if said["sealed"]:
        return replace(seen, problem=f"{device} is sealed")
    return replace(seen, leads=not said["standby"])


def _members(said: Reading) -> Iterator[Member]:
    health = (said.read(HEALTH) or {}).get("servers") or {}
    for one in _servers(said):
        healthy = bool(health.get(one["node_id"], {}).get("healthy"))
        yield Member(str(one["node_id"]), str(one["address"]), bool(one["voter"]), healthy)


def look(access: Access) -> tuple[Found, ...]:
    """Return every server, as it is now.

    Raises:
        VaultError: there is one server, and it does not answer.
    """
    every = access.each_server()
    if len(every) == 1:
        return (Found(access, access.vault.health()),)
    return tuple(access.vault.each(_found, every))


def _found(one: Access) -> Found:
    try:
        return Found(one, one.vault.health())
    except VaultError as error:
        return Found(one, None, str(error))


def refuse_to_begin(access: Access, found: tuple[Found, ...]) -> None:
    """Stop before a second cluster is begun, where a server does not say that it belongs to none.

    Raises:
        VaultError: one does not answer.
    """
    for one in found:
        if one.health is None:
            raise access.vault.error(
                VaultFault.UNREACHABLE,
                f"cannot begin a cluster while {one.host} does not answer: it may belong to one already "
                f"({one.problem})",
                "start it, or take it out of `vault_hosts`, and run this again",
            )


def join(access: Access, new: Found) -> None:
    """Have a new server ask the one that leads to be let in; it is, when it is unsealed.

    Raises:
        VaultError: no server leads, or the new one does not find the one that leads.
    """
    access.vault.await_active()
    said = access.vault.fields("sys/leader")
    leader = str(said["leader_address"])
    pems = "".join(dict.fromkeys(one.ca_pem for one in access.vault.server.every))
    answer = new.access.vault.write(_JOIN, {"leader_api_addr": leader, "leader_ca_cert": pems})
    if not answer.get("joined"):
        raise new.access.vault.error(
            VaultFault.REJECTED,
            f"was not let into the cluster that {leader} leads",
            "see the logs of both servers, then run this again",
        )


def await_votes(auditor: Vault) -> None:
    """Wait until every member votes: some seconds after it was let in.

    Args:
        auditor: a session of AppRole auditor.

    Raises:
        VaultError: one does not within a minute.
    """
    end = time.monotonic() + _VOTES_S
    while silent := [name for name, votes in members(Reading(auditor)).items() if not votes]:
        if time.monotonic() > end:
            raise auditor.error(
                VaultFault.STANDBY,
                f"has members that do not vote after {_VOTES_S:g} s: {', '.join(silent)}",
                "see their logs, and whether they reach each other's cluster port; then run this again",
            )
        time.sleep(_POLL_S)


def members(said: Reading) -> dict[str, bool]:
    """Return the members of the cluster by name, and whether each votes."""
    return {str(one["node_id"]): bool(one["voter"]) for one in _servers(said)}


def _servers(said: Reading) -> list[dict[str, Any]]:
    found = said.read(CONFIGURATION) or {}
    return list(found["config"]["servers"])


def foreign(said: Reading, trust: Pki) -> tuple[str, ...]:
    """Return the members that the plan does not have; none where it has one server, which is no cluster."""
    if len(trust.servers) == 1:
        return ()
    return tuple(name for name in members(said) if name not in trust.vaults)


def problems(access: Access) -> Iterator[str]:
    """Yield what keeps a server of the cluster from taking over; nothing where there is one server."""
    found = look(access) if access.vault.server.others else ()
    for one in found:
        if one.health is None:
            yield one.problem
        elif one.is_new:
            yield f"{one.host} is no member of the cluster: run role pki"
        elif one.health.sealed:
            yield f"{one.host} is sealed: unseal it (`bao operator unseal`, or role pki with pki_unseal)"
