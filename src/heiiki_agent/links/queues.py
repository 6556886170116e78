"""What waits at an interface, and in which order it leaves: queueing disciplines, as wanted and as they are.

A line that is full must not delay what supervises it, so a tunnel sends no more than its line carries
(`tbf`), and of what waits before it network control leaves first (`prio`): packets to which the packet filter
gave the kernel's priority of control, 7 (TC_PRIO_CONTROL). The rest shares fairly (`fq_codel`, RFC 8290). All
of that stands before the encryption: behind it packets that overtake others look like replays (RFC 4303
3.4.3).

Read over netlink: not every ``tc`` prints the octets that a `tbf` counts for encapsulation.
"""

import socket
import struct
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from heiiki_agent import netlink
from heiiki_agent.errors import AgentError

OVERHEAD = 61
"""Octets that GRE and ESP add to a packet at the most: 58, and up to 3 of padding."""
CONTROL = 7
"""The kernel's priority of network control (linux/pkt_sched.h)."""

_GET_QDISC = 38
_TCMSG = struct.Struct("=4BiIII")
"""struct tcmsg: family and padding, interface, handle, parent, info."""
_KIND, _OPTIONS, _TBF_PARMS, _FQ_CODEL_LIMIT = 1, 2, 1, 2
_RATE = struct.Struct("=BBHhHI")
"""struct tc_ratespec: cell_log, linklayer, overhead, cell_align, mpu, rate."""
_PRIO = struct.Struct("=i16B")
_ROOT, _INGRESS = 0xFFFFFFFF, 0xFFFFFFF1
_TBF, _BANDS, _FIRST, _REST = 0x10000, 0x20000, 0x30000, 0x40000
_BAND_OF = tuple(int(priority != CONTROL) for priority in range(16))
_FIRST_PACKETS, _REST_PACKETS = 100, 1000
_OCTETS_OF_KBIT = 125
_BURST_OF_A_SECOND = 50
_ETHERNET = 1500


@dataclass(frozen=True, slots=True, order=True)
class Discipline:
    """A queueing discipline; `setting` is what this program sets of its kind, empty of other kinds."""

    kind: str
    handle: int
    parent: int
    setting: tuple[int, ...] = ()


def shaped(kbps: int) -> frozenset[Discipline]:
    """Return the disciplines of an interface that sends `kbps` of encrypted packets, control first."""
    return frozenset(
        {
            Discipline("tbf", _TBF, _ROOT, (kbps * _OCTETS_OF_KBIT, OVERHEAD)),
            Discipline("prio", _BANDS, _TBF + 1, (2, *_BAND_OF)),
            Discipline("pfifo", _FIRST, _BANDS + 1, (_FIRST_PACKETS,)),
            Discipline("fq_codel", _REST, _BANDS + 2, (_REST_PACKETS,)),
        }
    )


def changes(name: str, kbps: int | None, mtu: int | None, there: frozenset[Discipline]) -> Iterator[str]:
    """Yield the lines of ``tc -batch`` that give an interface its rate; without one, ours is taken away."""
    if kbps is None:
        if any((one.kind, one.handle, one.parent) == ("tbf", _TBF, _ROOT) for one in there):
            yield f"qdisc delete dev {name} root"
        return
    if there == shaped(kbps):
        return
    if any(one.parent == _ROOT for one in there):
        yield f"qdisc delete dev {name} root"
    burst = max(2 * ((mtu or _ETHERNET) + OVERHEAD), kbps * _OCTETS_OF_KBIT // _BURST_OF_A_SECOND)
    yield (
        f"qdisc add dev {name} root handle 1: tbf rate {kbps}kbit burst {burst} limit {burst} "
        f"overhead {OVERHEAD}"
    )
    bands = " ".join(map(str, _BAND_OF))
    yield f"qdisc add dev {name} parent 1:1 handle 2: prio bands 2 priomap {bands}"
    yield f"qdisc add dev {name} parent 2:1 handle 3: pfifo limit {_FIRST_PACKETS}"
    yield f"qdisc add dev {name} parent 2:2 handle 4: fq_codel limit {_REST_PACKETS}"


def read() -> dict[str, frozenset[Discipline]]:
    """Return the disciplines of every interface that has some which the kernel did not give it by itself.

    Raises:
        AgentError: the kernel does not say.
    """
    requests = netlink.Requests()
    try:
        answers = requests.dump(_GET_QDISC, bytes(_TCMSG.size))
    except OSError as error:
        raise AgentError(f"queueing disciplines cannot be read: {error.strerror or error}") from error
    finally:
        requests.close()
    return parsed(answers, dict(socket.if_nameindex()))


def parsed(answers: Iterable[bytes], names: dict[int, str]) -> dict[str, frozenset[Discipline]]:
    """Read the bodies of RTM_NEWQDISC messages; `names` of interfaces by their numbers."""
    found: dict[str, set[Discipline]] = {}
    for body in answers:
        *_, index, handle, parent, _info = _TCMSG.unpack_from(body)
        # What the kernel gives by itself has no handle; what looks at packets that come in delays none.
        if handle and parent != _INGRESS and index in names:
            values = dict(netlink.parsed(body[_TCMSG.size :]))
            kind = values[_KIND].rstrip(b"\0").decode()
            one = Discipline(kind, handle, parent, _setting(kind, values.get(_OPTIONS, b"")))
            found.setdefault(names[index], set()).add(one)
    return {name: frozenset(disciplines) for name, disciplines in found.items()}


def _setting(kind: str, options: bytes) -> tuple[int, ...]:
    if kind == "tbf":
        _, _, overhead, _, _, rate = _RATE.unpack_from(dict(netlink.parsed(options))[_TBF_PARMS])
        return rate, overhead
    if kind == "prio":
        return _PRIO.unpack_from(options)
    if kind == "pfifo":
        return struct.unpack_from("=I", options)
    if kind == "fq_codel":
        return struct.unpack_from("=I", dict(netlink.parsed(options))[_FQ_CODEL_LIMIT])
    return ()


def apply(lines: tuple[str, ...]) -> None:
    """Carry out lines of ``tc -batch``.

    Raises:
        AgentError: naming what ``tc`` refused.
    """
    text = "".join(f"{line}\n" for line in lines)
    try:
        done = subprocess.run(
            ("tc", "-batch", "-"), input=text, capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError(f"tc -batch: {error}") from error
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise AgentError(f"tc: {reason or 'failed'}; does the kernel have tbf, prio and fq_codel?")
