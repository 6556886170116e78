"""One probe run: all devices send, at once, the packets that must arrive and those that must not."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Any

from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.network import Exit

START_S, AFTER_S, PACE_S = 1.5, 1.5, 0.001
_BUDGET_S = 0.008
"""Time that one packet may take on a busy device; a slower device counts as not listening."""
PROTOCOLS: tuple[tuple[str, int], ...] = (("icmp", 0), ("udp", 862), ("tcp", 179), ("tcp", 22))
_TTL = 64
_PER_DEVICE = 1 << 16
MOST = _PER_DEVICE - 1
"""Packets of one device in a run: an ICMP error quotes no more of them than 16 bits of identification."""
_DEVICES = 1 << 16
_TOO_MANY = f"its device has {MOST:,} packets before it, the most that one run can tell apart"


@dataclass(frozen=True, slots=True)
class ProbePacket:
    """One packet that is sent to see whether it arrives.

    Attributes:
        topic: the requirement's question that it answers.
        target: the device that owns `destination`.
        protocol: ``icmp``, ``udp`` or ``tcp``.
        port: destination port; 0 for icmp.
        size: octets of an echo request that is not to be fragmented; 0 for the smallest, which may be.
    """

    topic: str
    out: Exit
    source: IPv4Address
    destination: IPv4Address
    target: str
    protocol: str = "icmp"
    port: int = 0
    ttl: int = _TTL
    repeat: int = 0
    size: int = 0

    def __str__(self) -> str:
        """Source device, addresses, protocol and exit, as human-readable text."""
        port = f"/{self.port}" if self.port else ""
        via = f" by {self.out.via}" if self.out.via else ""
        way = f"{self.out.device} out of {self.out.interface}{via}"
        hops = "" if self.ttl == _TTL else f" TTL {self.ttl}"
        return f"{way}: {self.source} to {self.destination} ({self.target}) {self.protocol}{port}{hops}"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to a packet: how, from whom, after how many seconds."""

    how: str
    origin: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of sending one packet.

    Attributes:
        unsent: why it was not sent, or the empty string.
        heard: device and interfaces where it arrived.
        replies: the answers that its source received.
    """

    packet: ProbePacket
    unsent: str = ""
    heard: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replies: tuple[Reply, ...] = ()

    @property
    def answered(self) -> bool:
        """The destination itself answered: echo, SYN-ACK, reset, reflection, or port unreachable."""
        return any(
            reply.origin == str(self.packet.destination)
            and (not reply.how.startswith("unreachable") or reply.how in ("unreachable/2", "unreachable/3"))
            and reply.how != "expired"
            for reply in self.replies
        )


@dataclass(frozen=True, slots=True)
class ProbeRun:
    """All outcomes, and why a device could not take part.

    Attributes:
        failures: device and reason; a device that did not listen proves nothing.
        watched: packets heard at each device, by watched source address.
        raw: what each device answered, for evidence.
    """

    outcomes: tuple[Outcome, ...]
    failures: Mapping[str, str]
    watched: Mapping[str, Mapping[str, int]]
    raw: Mapping[str, bytes]

    def of(self, *topics: str) -> tuple[Outcome, ...]:
        """Return the outcomes of these topics."""
        return tuple(outcome for outcome in self.outcomes if outcome.packet.topic in topics)


def send_probes(
    fleet: Fleet,
    packets: Iterable[ProbePacket],
    listeners: Iterable[str],
    watch: Iterable[IPv4Address] = (),
    *,
    patience: int = 1,
    pace_s: float = PACE_S,
) -> ProbeRun:
    """Send `packets` while every source and each of `listeners` listens, and return the outcome of each.

    Args:
        fleet: the devices.
        packets: what is sent.
        listeners: devices that listen though they send nothing.
        watch: source addresses whose packets are counted wherever they arrive.
        patience: factor by which every time is multiplied on a busy machine.
        pace_s: pause of a device between two packets.
    """
    numbered, left = number(packets)
    run = secrets.randbits(31)
    lines: dict[str, list[list[Any]]] = {device: [] for device in listeners}
    for key, packet in numbered.items():
        lines.setdefault(packet.out.device, []).append(_line(key, packet))
    longest = max((len(own) for own in lines.values()), default=0)
    listen = patience * (START_S + AFTER_S + longest * (pace_s + _BUDGET_S))
    parameters = {
        device: {
            "run": run,
            "start_s": patience * START_S,
            "listen_s": listen,
            "pace_s": patience * pace_s,
            "packets": own,
            "watch": [str(address) for address in watch],
        }
        for device, own in lines.items()
    }
    found = collect(numbered, fleet.ask("packets", parameters, timeout=listen + 60))
    return replace(found, outcomes=(*found.outcomes, *(Outcome(packet, _TOO_MANY) for packet in left)))


def number(packets: Iterable[ProbePacket]) -> tuple[dict[int, ProbePacket], list[ProbePacket]]:
    """Give each packet a number of 32 bits: the device's in the upper half, its own in the lower.

    Returns:
        The packets by their numbers, and those for which there is no number: they are not sent.
    """
    devices: dict[str, int] = {}
    counts: dict[str, int] = defaultdict(int)
    numbered: dict[int, ProbePacket] = {}
    left: list[ProbePacket] = []
    for packet in packets:
        device = devices.setdefault(packet.out.device, len(devices))
        counts[packet.out.device] += 1
        if counts[packet.out.device] > MOST or device >= _DEVICES:
            left.append(packet)
        else:
            numbered[device * _PER_DEVICE + counts[packet.out.device]] = packet
    return numbered, left


def _line(key: int, packet: ProbePacket) -> list[Any]:
    addresses = str(packet.source), str(packet.destination)
    hop = packet.out.neighbour
    return [key, packet.out.interface, hop, *addresses, packet.protocol, packet.port, packet.ttl, packet.size]


def collect(numbered: Mapping[int, ProbePacket], answers: Mapping[str, Answer]) -> ProbeRun:
    """Join what every device sent and heard."""
    failures = {device: answer.error for device, answer in answers.items() if answer.error}
    failures.update(_late(answers))
    heard: dict[int, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for device, answer in answers.items():
        for key, interfaces in answer.data.get("heard", {}).items():
            heard[int(key)][device] = tuple(interfaces)
    outcomes = tuple(_outcome(key, packet, answers, heard[key]) for key, packet in numbered.items())
    watched = {device: dict(answer.data.get("watched", {})) for device, answer in answers.items()}
    return ProbeRun(outcomes, failures, watched, {device: answer.raw for device, answer in answers.items()})


def _late(answers: Mapping[str, Answer]) -> Iterator[tuple[str, str]]:
    """Yield the devices that may have missed a packet: they did not listen from first to last."""
    senders = [answer.data for answer in answers.values() if answer.data.get("sent")]
    began = min((one["began"] for one in senders), default=0.0)
    ended = max((one["ended"] for one in senders), default=0.0)
    for device, answer in answers.items():
        if senders and answer.data and answer.data["listening"] > began:
            late = answer.data["listening"] - began
            yield device, f"{device} began to listen {late:.1f} s after the first packet"
        elif answer.data and answer.data["closed"] < ended:
            early = ended - answer.data["closed"]
            yield device, f"{device} stopped listening {early:.1f} s before the last packet"
        elif answer.data.get("dropped"):
            yield device, f"{device} was too busy to hear {answer.data['dropped']} packets"


def _outcome(
    key: int, packet: ProbePacket, answers: Mapping[str, Answer], heard: Mapping[str, tuple[str, ...]]
) -> Outcome:
    answer = answers[packet.out.device]
    unsent = answer.error or answer.data["unsent"].get(str(key), "")
    replies = answer.data.get("answers", {}).get(str(key), [])
    return Outcome(packet, unsent, dict(heard), tuple(Reply(*reply) for reply in replies))
