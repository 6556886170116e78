"""Keep the route to the LAN only while somebody on the LAN answers.

    lan-watch FILE      probe until stopped (SIGHUP reads FILE again, SIGTERM leaves the route as it is)
    lan-watch status    exit status 0 if a watch runs and has reported within 3 s

A gateway whose leg to the LAN fails silently would go on announcing the LAN and draw its traffic into a black
hole. So its LAN address is a /32 and the LAN's route is this program's: ``PREFIX dev INTERFACE scope link src
SOURCE proto 210``. Every `probe_ms` it asks the targets (peer gateway and controller) by ARP (RFC 826).
When nobody has answered `lost` probes in a row, or the port has no carrier, the route is deleted, and routing
withdraws the LAN; two answered probes in a row bring it back.

FILE is JSON: {"interface": "lan0", "prefix": "10.17.0.0/28", "source": "10.17.0.2", "targets": ["10.17.0.3"],
"probe_ms": 100, "lost": 6}.

What counts as an answer is a reply to a question of ours, not any ARP heard: on a leg that is dead in one
direction only, the others can still be heard. A probe goes to the neighbour's own MAC address once that is
known (RFC 1122, 2.3.2.1) and to all while he is silent: a healthy LAN sees no broadcasts of ours.

ARP settings: arp_ignore=1 on the port (an address is answered for only where it is; keepalived sets it for
its virtual MAC). Not 2: the asker must then be in the subnet of the address, a /32 has none. arp_filter=1,
which keepalived sets too, keeps the kernel silent while the route back is deleted: then two gateways without
a controller would never hear each other again. So this program itself answers for its address in that time.
rp_filter must be 0: it drops questions from a LAN that has no route.
"""

import argparse
import fcntl
import json
import logging
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, NoReturn

STATE = Path("/run/heiiki/lan_watch.json")
HEARTBEAT_NS = 1_000_000_000
FRESH_S = 3.0
REVIVE = 2
IFNAMSIZ = 16  # longest interface name with its closing zero, if(7)

_log = logging.getLogger("lan_watch")


class WatchError(Exception):
    """What is wrong with the file, one problem a line."""


@dataclass(frozen=True, slots=True)
class Config:
    """The file, parsed; `probe_ns` in nanoseconds, `lost` in probes."""

    interface: str
    prefix: IPv4Network
    source: IPv4Address
    targets: tuple[IPv4Address, ...]
    probe_ns: int
    lost: int


def parse(text: str, where: str) -> Config:
    """Parse the file's `text`.

    Raises:
        WatchError: with every problem of the file.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise WatchError(f"{where}:{error.lineno}:{error.colno}: is not JSON: {error.msg}") from error
    if not isinstance(document, dict):
        raise WatchError(f"{where}: is not an object; write {{...}}")
    values: dict[str, Any] = {}
    problems = [f"{where}: {key}: is not known here; remove it" for key in document.keys() - _FIELDS.keys()]
    for key, convert in _FIELDS.items():
        try:
            values[key] = convert(document[key])
        except KeyError:
            problems.append(f"{where}: {key}: is missing; add it")
        except (ValueError, TypeError) as error:
            problems.append(f"{where}: {key}: {document[key]!r} is wrong: {error}")
    if problems:
        raise WatchError("\n".join(problems))
    return Config(probe_ns=values.pop("probe_ms") * 1_000_000, **values)


def _interface(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) < IFNAMSIZ or "/" in value:
        raise ValueError("an interface name has 1 to 15 characters and no slash")
    return value


def _targets(values: Any) -> tuple[IPv4Address, ...]:
    if not isinstance(values, list) or not values:
        raise ValueError("give at least one address: without one the LAN would never live")
    return tuple(IPv4Address(value) for value in values)


def _between(low: int, high: int) -> Callable[[int], int]:
    def convert(value: int) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return convert


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "interface": _interface,
    "prefix": IPv4Network,
    "source": IPv4Address,
    "targets": _targets,
    "probe_ms": _between(10, 60_000),
    "lost": _between(2, 1_000),
}


# --------------------------------------------------------------------------------------------- decision


@dataclass(slots=True)
class Watch:
    """Decides from answers and clock whether the LAN lives; knows nothing of sockets. All times nanoseconds.

    Attributes:
        due: when the next probe is to be sent.
        alive: the verdict; None until there is one.
        seen: when each target last answered.
    """

    probe_ns: int
    lost: int
    due: int
    alive: bool | None = None
    seen: dict[IPv4Address, int] = field(default_factory=dict)
    _silent: int = 0
    _answered: int = 0
    _asked: bool = False
    _heard: bool = False

    def answer(self, target: IPv4Address, now: int) -> None:
        """Note an answer of `target`."""
        self.seen[target] = now
        self._heard = True

    def tick(self, now: int, *, running: bool) -> bool:
        """Judge the probe before and plan the next; call when `due`, after all answers are noted.

        Args:
            now: the time.
            running: whether the port is up and has a carrier.

        Returns:
            Whether `alive` changed.
        """
        before = self.alive
        late = now - self.due
        stalled = late > self.probe_ns // 2
        self.due = now + self.probe_ns if stalled else self.due + self.probe_ns
        if not running:
            self._restart()
            self.alive = False
        elif self._asked:
            self._count(stalled=stalled)
        self._asked, self._heard = running, False
        return self.alive is not before

    def _count(self, *, stalled: bool) -> None:
        if self._heard:
            self._silent, self._answered = 0, self._answered + 1
        elif stalled:
            # This process did not run: what it missed says nothing about the LAN (D19).
            self._restart()
        else:
            self._silent, self._answered = self._silent + 1, 0
        if self._silent >= self.lost:
            self.alive = False
        elif self._answered >= REVIVE:
            self.alive = True

    def _restart(self) -> None:
        self._silent = self._answered = 0


# -------------------------------------------------------------------------------------------------- ARP

_ETH_P_ARP = 0x0806
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4, _REQUEST, _REPLY = 1, 0x0800, 1, 2
_BROADCAST = b"\xff" * 6
_FLAGS = 0x8913, struct.Struct("16xH22x")  # SIOCGIFFLAGS
_INDEX = 0x8933, struct.Struct("16xi20x")  # SIOCGIFINDEX
_RUNNING = 0x1 | 0x40  # IFF_UP and IFF_RUNNING


@dataclass(frozen=True, slots=True)
class Arp:
    """An ARP packet (RFC 826) on Ethernet for IPv4."""

    operation: int
    sender_mac: bytes
    sender: IPv4Address
    target_mac: bytes
    target: IPv4Address

    def pack(self) -> bytes:
        """As it goes over the wire, without the Ethernet header."""
        ends = (self.sender_mac, self.sender.packed, self.target_mac, self.target.packed)
        return _ARP.pack(_ETHERNET, _IPV4, 6, 4, self.operation, *ends)

    @classmethod
    def unpack(cls, data: bytes) -> "Arp | None":
        """Read a packet; None when it is not ARP on Ethernet for IPv4."""
        if len(data) < _ARP.size:
            return None
        *head, operation, sender_mac, sender, target_mac, target = _ARP.unpack_from(data)
        if head != [_ETHERNET, _IPV4, 6, 4]:
            return None
        return cls(operation, sender_mac, IPv4Address(sender), target_mac, IPv4Address(target))


def _ioctl(through: socket.socket, interface: str, question: int, layout: struct.Struct) -> int:
    """Ask the kernel about an interface, netdevice(7)."""
    request = struct.pack("16s24x", interface.encode())
    return int(layout.unpack(fcntl.ioctl(through, question, request))[0])


class Port:
    """The port to the LAN. It may be down, missing, or come back as another device: then it opens anew."""

    def __init__(self, config: Config) -> None:
        """Watch the port that `config` names; nothing is opened yet."""
        self._config = config
        self._socket: socket.socket | None = None
        self._index = 0
        self._macs: dict[IPv4Address, bytes] = {}
        self._reason = ""

    def fileno(self) -> int | None:
        """Descriptor to wait on, None while the port is closed."""
        return None if self._socket is None else self._socket.fileno()

    def close(self) -> None:
        """Close; the next probe opens again."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._macs.clear()

    def running(self) -> bool:
        """Tell whether the port is there, up, and has a carrier."""
        try:
            flags, reason = self._flags(), ""
        except OSError as error:
            self.close()
            flags, reason = 0, str(error)
        if reason and reason != self._reason:
            _log.warning("%s: %s", self._config.interface, reason)
        self._reason = reason
        return flags & _RUNNING == _RUNNING

    def _flags(self) -> int:
        if self._socket is not None and _ioctl(self._socket, self._config.interface, *_INDEX) != self._index:
            self.close()
        if self._socket is None:
            self._socket = self._open()
            self._index = _ioctl(self._socket, self._config.interface, *_INDEX)
        return _ioctl(self._socket, self._config.interface, *_FLAGS)

    def _open(self) -> socket.socket:
        # Protocol 0 until it is bound: otherwise packets of other ports slip in between the two calls.
        port = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
        try:
            port.bind((self._config.interface, _ETH_P_ARP))
        except OSError:
            port.close()
            raise
        return port

    def probe(self) -> None:
        """Ask every target; a port that cannot send is closed (`running` tells)."""
        for target in self._config.targets:
            # Asked once at his own address; only an answer puts it back, so a silent one is asked at large.
            mac = self._macs.pop(target, _BROADCAST)
            self._send(Arp(_REQUEST, self._mac(), self._config.source, bytes(6), target), mac)

    def _mac(self) -> bytes:
        return bytes(6) if self._socket is None else bytes(self._socket.getsockname()[4])

    def _send(self, packet: Arp, mac: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(packet.pack(), (self._config.interface, _ETH_P_ARP, 0, 0, mac))
        except (BlockingIOError, InterruptedError):
            return  # a full queue loses a probe as a full wire does
        except OSError as error:
            _log.debug("%s: %s", self._config.interface, error)
            self.close()

    def answers(self, *, stand_in: bool) -> Iterator[IPv4Address]:
        """Read everything that has come and yield the targets that have answered.

        Args:
            stand_in: answer the targets' questions for our own address, in place of a kernel without a route.
        """
        for packet in self._received():
            if packet.sender not in self._config.targets or packet.target != self._config.source:
                continue
            if packet.operation == _REPLY and packet.target_mac == self._mac():
                self._macs[packet.sender] = packet.sender_mac
                yield packet.sender
            elif packet.operation == _REQUEST and stand_in:
                ends = (self._mac(), self._config.source, packet.sender_mac, packet.sender)
                self._send(Arp(_REPLY, *ends), packet.sender_mac)

    def _received(self) -> Iterator[Arp]:
        while self._socket is not None:
            try:
                packet = Arp.unpack(self._socket.recv(128))
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # the port went down: said once, then the socket waits for it
                _log.debug("%s: %s", self._config.interface, error)
                return
            if packet is not None:
                yield packet


# ------------------------------------------------------------------------------------------------ route

_RTM_NEWROUTE, _RTM_DELROUTE, _NLMSG_ERROR = 24, 25, 2
_NLM_REQUEST, _NLM_ACK, _NLM_EXCL, _NLM_CREATE = 0x1, 0x4, 0x200, 0x400
_RTA_DST, _RTA_OIF, _RTA_PREFSRC = 1, 4, 7
_TABLE_MAIN, _SCOPE_LINK, _UNICAST = 254, 253, 1
PROTOCOL = 210
_EEXIST, _ESRCH, _ENODEV = 17, 3, 19


def route_message(kind: int, flags: int, config: Config, index: int) -> bytes:
    """Build the rtnetlink(7) message about the LAN's route; `index` is the port's."""
    length = config.prefix.prefixlen
    body = struct.pack("=8BI", socket.AF_INET, length, 0, 0, _TABLE_MAIN, PROTOCOL, _SCOPE_LINK, _UNICAST, 0)
    for attribute, value in (
        (_RTA_DST, config.prefix.network_address.packed),
        (_RTA_OIF, struct.pack("=I", index)),
        (_RTA_PREFSRC, config.source.packed),
    ):
        body += struct.pack("=HH", 4 + len(value), attribute) + value
    return struct.pack("=IHHII", 16 + len(body), kind, flags | _NLM_REQUEST | _NLM_ACK, 1, 0) + body


class LanRoute:
    """The LAN's route in the main table."""

    def __init__(self, config: Config) -> None:
        """Speak to the kernel about the route of `config`; nothing is changed yet."""
        self._config = config
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.settimeout(1.0)

    def close(self) -> None:
        """Close; the route stays as it is."""
        self._socket.close()

    def put(self) -> None:
        """Add the route unless it stands.

        Raises:
            OSError: when the kernel refuses (the source is not an address of ours, the port is down).
        """
        self._ask(_RTM_NEWROUTE, _NLM_CREATE | _NLM_EXCL, but=(_EEXIST,))

    def remove(self) -> None:
        """Delete the route if it stands; with the port it goes by itself."""
        self._ask(_RTM_DELROUTE, 0, but=(_ESRCH, _ENODEV))

    def _ask(self, kind: int, flags: int, but: tuple[int, ...]) -> None:
        try:
            index = socket.if_nametoindex(self._config.interface)
        except OSError:
            if kind == _RTM_DELROUTE:
                return
            raise
        self._socket.send(route_message(kind, flags, self._config, index))
        code = _error_code(self._socket.recv(4096))
        if code and code not in but:
            raise OSError(code, os.strerror(code), str(self._config.prefix))


def _error_code(answer: bytes) -> int:
    """The error number of an acknowledgement, 0 for success."""
    _, kind = struct.unpack_from("=IH", answer)
    return -int(struct.unpack_from("=i", answer, 16)[0]) if kind == _NLMSG_ERROR else 0


# ------------------------------------------------------------------------------------------------- loop


class Daemon:
    """The loop: probe, listen, judge, put or remove the route, report."""

    def __init__(self, file: Path, config: Config, state: Path = STATE) -> None:
        """Watch as `config`, read from `file`, says; report to `state`."""
        self._file, self._state = file, state
        self._reread = False
        self._complaint = ""
        self._begin(config, alive=None)

    def _begin(self, config: Config, *, alive: bool | None) -> None:
        self._config = config
        self._port, self._route = Port(config), LanRoute(config)
        self._watch = Watch(config.probe_ns, config.lost, time.monotonic_ns(), alive=alive)
        self._since, self._reported = time.time(), 0

    def run(self) -> NoReturn:
        """Run until a signal ends the process."""
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        signal.signal(signal.SIGHUP, self._remember)
        while True:
            self._listen()
            self._step()

    def _remember(self, *_: object) -> None:
        self._reread = True

    def _listen(self) -> None:
        """Gather answers until the next probe is due.

        While the LAN lives nobody waits for them, so they are read when it is due: waking up once for
        each is half of what the watch costs.
        """
        while (wait := self._watch.due - time.monotonic_ns()) > 0:
            descriptor = self._port.fileno()
            if self._watch.alive or descriptor is None:
                time.sleep(wait / 1e9)
            else:
                select.select([descriptor], [], [], wait / 1e9)
                self._note_answers()
        self._note_answers()

    def _note_answers(self) -> None:
        for target in self._port.answers(stand_in=not self._watch.alive):
            self._watch.answer(target, time.monotonic_ns())

    def _step(self) -> None:
        if self._reread:
            self._reread = False
            self._read_again()
        running = self._port.running()
        now = time.monotonic_ns()
        changed = self._watch.tick(now, running=running)
        if changed:
            self._since = time.time()
        if changed or now - self._reported >= HEARTBEAT_NS:
            self._hold_route(changed=changed)
            self._report(now)
        if running:
            self._port.probe()

    def _hold_route(self, *, changed: bool) -> None:
        """Bring the route to the verdict; again at every heartbeat, others may have flushed it."""
        alive = self._watch.alive
        try:
            if alive:
                self._route.put()
            elif alive is False:
                self._route.remove()
        except OSError as error:
            self._complain(f"{self._config.prefix}: {error}")
        else:
            self._complaint = ""
        if changed:
            _log.warning("LAN %s: %s", self._config.prefix, "alive" if alive else "dead: route removed")

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            _log.error("%s", text)
        self._complaint = text

    def _report(self, now: int) -> None:
        self._reported = now
        seen = self._watch.seen
        report = {
            "alive": self._watch.alive is True,
            "decided": self._watch.alive is not None,
            "since": round(self._since, 3),
            "targets": {
                str(target): (now - seen[target]) // 1_000_000 if target in seen else None
                for target in self._config.targets
            },
            "pid": os.getpid(),
            "monotonic": round(now / 1e9, 3),
        }
        try:
            write_atomically(self._state, json.dumps(report))
        except OSError as error:
            self._complain(f"{self._state}: {error}")

    def _read_again(self) -> None:
        """Read the file again; a wrong one changes nothing."""
        try:
            config = read(self._file)
        except WatchError as error:
            _log.error("still as before: %s", error)
            return
        old, verdict = self._config, self._watch.alive
        same = (old.interface, old.prefix, old.source) == (config.interface, config.prefix, config.source)
        if not same:
            with suppress(OSError):  # a route that cannot be removed went with its port
                self._route.remove()
        self._port.close()
        self._route.close()
        self._begin(config, alive=verdict if same else None)


def _leave(*_: object) -> NoReturn:
    # The route stays: a restart of the watch must not interrupt anybody.
    sys.exit(0)


def read(file: Path) -> Config:
    """Read and parse `file`.

    Raises:
        WatchError: when it cannot be read or is wrong.
    """
    try:
        return parse(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise WatchError(f"{file}: cannot be read: {error}") from error


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` by `text`, so that a reader sees the old or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


def health(state: Path, now: float) -> str:
    """Say what is wrong with the watch that reports to `state`, or nothing.

    Args:
        state: the report.
        now: CLOCK_MONOTONIC, seconds.
    """
    try:
        report = json.loads(state.read_text())
        age = now - report["monotonic"]
        os.kill(report["pid"], 0)
    except FileNotFoundError:
        return f"{state}: no watch has reported yet; start heiiki-lan-watch"
    except ProcessLookupError:
        return f"{state}: the watch that wrote it is gone; start heiiki-lan-watch"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{state}: cannot be read: {error!r}"
    return "" if age < FRESH_S else f"{state}: is {age:.1f} s old; the watch hangs, restart heiiki-lan-watch"


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="heiiki-agent lan-watch")
    parser.add_argument("file", help="the configuration, or `status`")
    file = parser.parse_args(arguments).file
    if file == "status":
        problem = health(STATE, time.monotonic())
        print(problem or STATE.read_text())
        return 1 if problem else 0
    try:
        Daemon(Path(file), read(Path(file))).run()
    except WatchError as error:
        print(error, file=sys.stderr)
        return 1
