"""What crosses the line of a site's primary path, message by message, as its gateway sees it (probe ``tap``).

Packets of a connection that follow each other in one direction are a message; what its receiver acknowledges
it by, without saying anything of its own, belongs to it. Who has a message to send again sends packets that
were there before: those count for none, as on paper.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from heiiki.plan.model import ETHERNET_MTU, Plan, SitePlan
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet, UnreadableError, reading
from heiiki.verify.network import gateway, underlay, uplink
from heiiki.verify.verdicts import Keep
from heiiki_agent.mms.places import PORT as MMS
from heiiki_agent.openadr.places import PORT as OPENADR

BEGIN_S = 2.0
"""After so long every gateway looks, whatever else it has to do."""
_TIMEOUT_S = 60.0
_NUMBERS = 1 << 32
"""TCP's numbers begin again after so many octets (RFC 9293 3.4)."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of a connection, in the tunnel.

    Attributes:
        at: when, seconds since 1970, by the gateway's clock.
        up: from the site.
        on_line: octets that it was on the line; None where it was not seen there.
        data: octets of TLS in it.
        until: TCP's number of the octet after it.
        acknowledges: TCP's number of the octet that its sender waits for.
        records: sizes of the records that begin in it.
    """

    at: float
    up: bool
    on_line: int | None
    data: int
    until: int
    acknowledges: int
    records: tuple[int, ...]


@dataclass(slots=True)
class Crossed:
    """A message that crossed the line, in one direction of a connection.

    Attributes:
        began, ended: times of its first and last packet.
        records: of TLS.
        data: octets of TLS.
        until: TCP's number of the octet after it.
        octets: on the line, with what acknowledged it; None where not all of that was seen.
    """

    up: bool
    began: float
    ended: float
    records: list[int] = field(default_factory=list)
    data: int = 0
    until: int = 0
    octets: int | None = 0

    def add(self, packet: Packet) -> None:
        """Add a packet of it, or one that acknowledges it."""
        known = self.octets is not None and packet.on_line is not None
        self.octets = (self.octets or 0) + (packet.on_line or 0) if known else None
        if packet.data:
            self.ended, self.until = packet.at, packet.until
            self.records += packet.records
            self.data += packet.data

    @property
    def whole(self) -> bool:
        """All of its records were seen, from the first to the last."""
        return bool(self.records) and sum(self.records) == self.data


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that was seen.

    Attributes:
        packets: in order, without those that were there before.
        opened, closed: its first packet was seen, and one of its last.
    """

    packets: tuple[Packet, ...]
    opened: bool
    closed: bool

    @property
    def octets(self) -> int | None:
        """All of it on the line."""
        found = [one.on_line for one in self.packets]
        return None if None in found else sum(one for one in found if one is not None)

    def messages(self, *, by_record: bool = False) -> tuple[Crossed, ...]:
        """Return its messages.

        Args:
            by_record: each record of TLS is one, whatever follows it: a site reports without being asked.
        """
        found: list[Crossed] = []
        for packet in self.packets:
            if not packet.data:
                _acknowledge(found, packet)
            elif found and found[-1].up is packet.up and not (by_record and found[-1].whole):
                found[-1].add(packet)
            else:
                found.append(Crossed(packet.up, packet.at, packet.at))
                found[-1].add(packet)
        return tuple(found)


def _acknowledge(found: Sequence[Crossed], packet: Packet) -> None:
    """Add a packet without data to the last message that it acknowledges."""
    for one in reversed(found):
        if one.up is not packet.up and (packet.acknowledges - one.until) % _NUMBERS < _NUMBERS // 2:
            one.add(packet)
            return


@dataclass(frozen=True, slots=True)
class View:
    """What a site's gateway saw.

    Attributes:
        began, ended: between which times, by its clock.
        connections: by service, ``openadr`` or ``mms``.
        evidence: the raw answer.
    """

    began: float
    ended: float
    openadr: tuple[Connection, ...]
    mms: tuple[Connection, ...]
    evidence: tuple[Evidence, ...]


class Watch:
    """Gateways that look at their lines."""

    def __init__(self, plan: Plan, names: Mapping[str, str], answers: "Future[dict[str, Answer]]") -> None:
        """Look at the sites of `names`, each with its gateway."""
        self._plan, self._names, self._answers = plan, names, answers

    def views(self, keep: Keep, part: str) -> dict[str, View | str]:
        """Wait until all have looked; return what each saw, by site, or why that is not known."""
        answers = self._answers.result()
        return {site: self._view(site, answers[name], keep, part) for site, name in self._names.items()}

    def _view(self, site: str, answer: Answer, keep: Keep, part: str) -> View | str:
        evidence = (keep(f"octets/{part}-{answer.device}.json", answer.raw),)
        if answer.error:
            return answer.error
        try:
            with reading(answer.device):
                return view(answer.data, str(self._plan.site(site).controller_address), evidence)
        except UnreadableError as error:
            return str(error)


def view(said: Mapping[str, Any], site: str, evidence: tuple[Evidence, ...] = ()) -> View | str:
    """Return what a gateway saw of the controller with the address `site`; a text where it missed packets."""
    if said["dropped"]:
        return f"{said['dropped']} packets went by unseen"
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in said["packets"]:
        ends = (one["from"], one["to"]) if _address(one["from"]) == site else (one["to"], one["from"])
        if _address(ends[0]) == site:
            found.setdefault(ends, []).append(one)
    every = {ends: _connection(those, site) for ends, those in found.items()}
    return View(
        said["began"],
        said["ended"],
        tuple(one for (_, hub), one in every.items() if _port(hub) == OPENADR),
        tuple(one for (own, _), one in every.items() if _port(own) == MMS),
        evidence,
    )


def _connection(those: Iterable[Mapping[str, Any]], site: str) -> Connection:
    once = [one for one in those if not one["again"]]
    return Connection(
        tuple(
            Packet(
                one["at"],
                _address(one["from"]) == site,
                one["on_line"],
                one["data"],
                one["until"],
                one["acknowledges"],
                (*one["records"],),
            )
            for one in once
        ),
        opened=bool(once) and once[0]["begins"],
        closed=any(one["ends"] for one in once),
    )


def _address(end: str) -> str:
    return end.rpartition(":")[0]


def _port(end: str) -> int:
    return int(end.rpartition(":")[2])


@contextmanager
def watching(plan: Plan, fleet: Fleet, sites: Iterable[SitePlan], seconds: float) -> Iterator[Watch]:
    """Have the gateways of the primary paths of `sites` look for `seconds`; the block begins when they do."""
    names = {site.name: gateway(plan, site, site.primary).name for site in sites}
    names = {site: name for site, name in names.items() if name not in plan.revoked}
    asked = {name: _asked(plan, plan.site(site), seconds) for site, name in names.items()}
    with ThreadPoolExecutor(1, thread_name_prefix="tap") as side:
        answers = side.submit(fleet.ask, "tap", asked, seconds + _TIMEOUT_S)
        if asked:
            time.sleep(BEGIN_S)
        yield Watch(plan, names, answers)


def _asked(plan: Plan, site: SitePlan, seconds: float) -> Mapping[str, Any]:
    here = gateway(plan, site, site.primary)
    tunnel = uplink(plan, here, site.primary).interface
    return {
        "seconds": seconds,
        "tunnel": tunnel,
        "outer": underlay(plan, here, site.primary).interface,
        "ports": [OPENADR, MMS],
        "mtu": mtu(plan, site),
    }


def mtu(plan: Plan, site: SitePlan) -> int:
    """Return the largest IP packet in the tunnel of a site's primary path."""
    here = gateway(plan, site, site.primary)
    return here.interface(uplink(plan, here, site.primary).interface).mtu or ETHERNET_MTU
