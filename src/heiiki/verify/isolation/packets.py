"""The volley: every packet that must arrive and every packet that must not, from all devices in one go."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.network import Exit

START_S, AFTER_S, PACE_S = 1.5, 1.5, 0.001
_BUDGET_S = 0.008
"""Time that one packet may take on a busy device; who is slower has not been listened to."""
PROTOCOLS: tuple[tuple[str, int], ...] = (("icmp", 0), ("udp", 862), ("tcp", 179), ("tcp", 22))
_TTL = 64
_PER_DEVICE = 1 << 16


@dataclass(frozen=True, slots=True)
class Shot:
    """One packet.

    Attributes:
        topic: which question it belongs to.
        target: the device that owns `destination`.
        protocol: ``icmp``, ``udp`` or ``tcp``.
        port: destination port; 0 for icmp.
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

    def __str__(self) -> str:
        """Source device, addresses, protocol and the way out, for a reader."""
        port = f"/{self.port}" if self.port else ""
        via = f" by {self.out.via}" if self.out.via else ""
        way = f"{self.out.device} out of {self.out.interface}{via}"
        return f"{way}: {self.source} to {self.destination} ({self.target}) {self.protocol}{port}"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to a shot: how, from whom, after how many seconds."""

    how: str
    origin: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one shot.

    Attributes:
        unsent: why it never left, or the empty string.
        heard: device and interfaces where it arrived.
        replies: what came back to its source.
    """

    shot: Shot
    unsent: str = ""
    heard: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replies: tuple[Reply, ...] = ()

    @property
    def answered(self) -> bool:
        """The destination itself answered: echo, SYN-ACK, reset, reflection, or port unreachable."""
        return any(
            reply.origin == str(self.shot.destination)
            and (not reply.how.startswith("unreachable") or reply.how in ("unreachable/2", "unreachable/3"))
            and reply.how != "expired"
            for reply in self.replies
        )


@dataclass(frozen=True, slots=True)
class Volley:
    """All outcomes, and what kept a device from taking part.

    Attributes:
        failures: device and reason; who does not listen has heard nothing.
        watched: packets heard at each device, by watched source address.
        raw: what each device answered, for evidence.
    """

    outcomes: tuple[Outcome, ...]
    failures: Mapping[str, str]
    watched: Mapping[str, Mapping[str, int]]
    raw: Mapping[str, bytes]

    def of(self, *topics: str) -> tuple[Outcome, ...]:
        """Return the outcomes of these topics."""
        return tuple(outcome for outcome in self.outcomes if outcome.shot.topic in topics)


def fire(
    fleet: Fleet,
    shots: Iterable[Shot],
    listeners: Iterable[str],
    watch: Iterable[IPv4Address] = (),
    *,
    patience: int = 1,
) -> Volley:
    """Send `shots` while every source and each of `listeners` listens, and return what became of them.

    Args:
        fleet: the devices.
        shots: what is sent.
        listeners: devices that listen though they send nothing.
        watch: source addresses whose packets are counted wherever they arrive.
        patience: by how much slower than usual the devices may be; all that is timed takes as much longer.
    """
    numbered = number(shots)
    run = secrets.randbits(31)
    lines: dict[str, list[list[Any]]] = {device: [] for device in listeners}
    for key, shot in numbered.items():
        lines.setdefault(shot.out.device, []).append(_line(key, shot))
    longest = max((len(own) for own in lines.values()), default=0)
    listen = patience * (START_S + AFTER_S + longest * _BUDGET_S)
    parameters = {
        device: {
            "run": run,
            "start_s": patience * START_S,
            "listen_s": listen,
            "pace_s": patience * PACE_S,
            "shots": own,
            "watch": [str(address) for address in watch],
        }
        for device, own in lines.items()
    }
    return collect(numbered, fleet.ask("packets", parameters, timeout=listen + 60))


def number(shots: Iterable[Shot]) -> dict[int, Shot]:
    """Give each shot a number: the device's in the upper half, its own in the lower."""
    devices: dict[str, int] = {}
    counts: dict[str, int] = defaultdict(int)
    numbered: dict[int, Shot] = {}
    for shot in shots:
        device = devices.setdefault(shot.out.device, len(devices))
        counts[shot.out.device] += 1
        numbered[device * _PER_DEVICE + counts[shot.out.device]] = shot
    return numbered


def _line(key: int, shot: Shot) -> list[Any]:
    via = None if shot.out.via is None else str(shot.out.via)
    addresses = str(shot.source), str(shot.destination)
    return [key, shot.out.interface, via, *addresses, shot.protocol, shot.port, shot.ttl]


def collect(numbered: Mapping[int, Shot], answers: Mapping[str, Answer]) -> Volley:
    """Join what every device sent and heard."""
    failures = {device: answer.error for device, answer in answers.items() if answer.error}
    failures.update(_late(answers))
    heard: dict[int, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for device, answer in answers.items():
        for key, interfaces in answer.data.get("heard", {}).items():
            heard[int(key)][device] = tuple(interfaces)
    outcomes = tuple(_outcome(key, shot, answers, heard[key]) for key, shot in numbered.items())
    watched = {device: dict(answer.data.get("watched", {})) for device, answer in answers.items()}
    return Volley(outcomes, failures, watched, {device: answer.raw for device, answer in answers.items()})


def _late(answers: Mapping[str, Answer]) -> Iterator[tuple[str, str]]:
    """Whoever did not listen from the first packet to the last may have missed one."""
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
    key: int, shot: Shot, answers: Mapping[str, Answer], heard: Mapping[str, tuple[str, ...]]
) -> Outcome:
    answer = answers[shot.out.device]
    unsent = answer.error or answer.data["unsent"].get(str(key), "")
    replies = answer.data.get("answers", {}).get(str(key), [])
    return Outcome(shot, unsent, dict(heard), tuple(Reply(*reply) for reply in replies))
