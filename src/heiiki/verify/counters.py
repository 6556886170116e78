"""What the kernel of a device counted on its interfaces, and what crossed one of them between two readings.

Beside it, FRRouting's count of the packets of BFD.

Carriers count octets of IP packets. The kernel counts what it hands to an interface, which on Ethernet has a
header besides; what a modem, a session of PPP or a tunnel of GRE is handed is the IP packet alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heiiki.verify.fleet import Answer, UnreadableError, printed, reading

_BOOT = "/proc/sys/kernel/random/boot_id"
_TIME = ["cat", "/proc/uptime"]
QUESTION: Mapping[str, Any] = {
    "commands": {
        "before": _TIME,
        "links": ["ip", "-json", "-statistics", "link", "show"],
        "after": _TIME,
        "bfd": ["vtysh", "-c", "show bfd peers counters json"],
    },
    "files": [_BOOT],
}
"""Parameters of probe ``read``: all counters at one moment, and the time before and after it."""

_HEADERS: Mapping[str, int] = {"ether": 14, "none": 0, "rawip": 0, "ppp": 0, "gre": 0}
"""Octets that are counted with each IP packet, by the kind of the link (`ip link`)."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Octets and packets of one direction, as an interface has counted them."""

    octets: int
    packets: int

    def since(self, before: "Counter", header: int) -> "Counter":
        """Return what was counted since `before`, less the header of each packet."""
        packets = self.packets - before.packets
        return Counter(self.octets - before.octets - header * packets, packets)


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as it was read.

    Attributes:
        index: the kernel's number of it: one that was recreated has another.
        kind: what it hands over, such as ``ether``.
    """

    index: int
    kind: str
    received: Counter
    sent: Counter


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters of a device at one moment.

    Attributes:
        device: whose they are.
        earliest_s, latest_s: between which that moment was, by the device's own clock since its start.
        boot: which start of the device it is.
        bfd: packets of BFD with each peer, by its address, both ways; empty where that is not told.
    """

    device: str
    earliest_s: float
    latest_s: float
    boot: str
    links: Mapping[str, Link]
    bfd: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Crossed:
    """Octets and packets of IP that came in and went out on an interface between two readings."""

    received: Counter
    sent: Counter

    @property
    def octets(self) -> int:
        """Both directions."""
        return self.received.octets + self.sent.octets

    @property
    def packets(self) -> int:
        """Both directions."""
        return self.received.packets + self.sent.packets


def read(answer: Answer) -> Reading:
    """Return what a device answered to `QUESTION`.

    Raises:
        UnreadableError: it did not, or what it answered has no meaning.
    """
    before, links, after = (printed(answer, name) for name in ("before", "links", "after"))
    with reading(answer.device):
        return Reading(
            answer.device,
            float(before.split()[0]),
            float(after.split()[0]),
            answer.data["files"][_BOOT].strip(),
            {one["ifname"]: _link(one) for one in json.loads(links)},
            _bfd(answer),
        )


def _bfd(answer: Answer) -> Mapping[str, int]:
    """It is told beside what is judged: a router that does not tell it is judged all the same."""
    try:
        with reading(answer.device):
            said = json.loads(printed(answer, "bfd"))
            return {one["peer"]: one["control-packet-input"] + one["control-packet-output"] for one in said}
    except UnreadableError:
        return {}


def _link(said: Mapping[str, Any]) -> Link:
    sides = (
        Counter(said["stats64"][side]["bytes"], said["stats64"][side]["packets"]) for side in ("rx", "tx")
    )
    return Link(said["ifindex"], said["link_type"], *sides)


def crossed(interface: str, before: Reading, after: Reading) -> Crossed | str:
    """Return what crossed `interface` of a device between two readings, or why that is not known."""
    device = after.device
    if before.boot != after.boot:
        return f"{device} was restarted between two readings of its counters"
    first, last = before.links.get(interface), after.links.get(interface)
    if first is None or last is None:
        return f"{device} has no {interface}: the line is down"
    if last.kind not in _HEADERS:
        return (
            f"{interface} of {device} is a link of kind {last.kind}: what it counts of a packet is not known"
        )
    header = _HEADERS[last.kind]
    found = Crossed(last.received.since(first.received, header), last.sent.since(first.sent, header))
    least = min(
        *(side.octets for side in (found.received, found.sent)), found.received.packets, found.sent.packets
    )
    if first.index != last.index or least < 0:
        return f"the counters of {interface} of {device} were reset between two readings"
    return found
