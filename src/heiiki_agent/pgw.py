"""Packet gateway of an APN with one fixed address for each SIM (3GPP TS 23.401), standard library only.

Control plane: GTPv2-C (TS 29.274) here. User plane: the kernel's ``gtp`` device (TS 29.281), which also
answers GTP-U Echo; sessions are kept in a file and put back after a restart. A SIM and APN that the
configuration does not know are refused with a cause. A user packet whose tunnel and source address do not
belong together is counted and dropped by the nftables table ``ip heiiki_pgw`` before the kernel, which
would drop it unseen, gets it.

Run as root: ``heiiki-agent pgw /etc/heiiki/pgw.json``. The file is looked at every
second and read again when it has changed; no signal is needed:

    {"address": "192.0.2.1", "interface": "gtp0", "mtu": 1400,
     "apns": [{"name": "der-a", "pool": "10.64.0.0/24"}],
     "subscribers": [{"imsi": "440100000000001", "apn": "der-a", "address": "10.64.0.11"}]}
"""

import argparse
import contextlib
import json
import logging
import os
import re
import secrets
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

STATE = Path("/var/lib/heiiki/pgw-sessions.json")
STATUS = Path("/run/heiiki/pgw.json")
TABLE = "heiiki_pgw"

_LOG = logging.getLogger("pgw")

_GTPC_PORT = 2123
_POLL_SECONDS = 1.0
_COUNT_SECONDS = 5.0
_REPEAT_SECONDS = 10.0  # T3-RESPONSE times N3-REQUESTS of the peer: as long a request may be repeated (7.6)

# Message types (TS 29.274 6.1).
_ECHO_REQUEST, _ECHO_RESPONSE = 1, 2
_VERSION_NOT_SUPPORTED = 3
_CREATE_SESSION, _MODIFY_BEARER, _DELETE_SESSION = 32, 34, 36

# Information elements (8.1).
_IMSI, _CAUSE, _RECOVERY, _APN, _EBI = 1, 2, 3, 71, 73
_PAA, _F_TEID, _BEARER_CONTEXT, _CHARGING_ID, _APN_RESTRICTION = 79, 87, 93, 94, 127

# Cause values (8.4).
ACCEPTED, CONTEXT_NOT_FOUND, MANDATORY_IE_MISSING, APN_ACCESS_DENIED = 16, 64, 70, 93

# Interface types of an F-TEID (8.22).
_S5_PGW_USER, _S5_PGW_CONTROL = 5, 7


class PgwError(Exception):
    """Something that the operator must put right; the text says where, what and how."""


class MalformedError(ValueError):
    """A peer sent what is not GTPv2-C."""


# --- configuration
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Config:
    """The configuration file, read.

    Attributes:
        address: S5 address, for control and user plane.
        pools: address range by APN.
        subscribers: fixed address by IMSI and APN.
    """

    address: IPv4Address
    interface: str
    mtu: int
    pools: dict[str, IPv4Network]
    subscribers: dict[tuple[str, str], IPv4Address]


def parse_config(text: str, source: str) -> Config:
    """Read the configuration's text; `source` names it in the error.

    Raises:
        PgwError: it is not valid JSON, a key is missing, a value is wrong, or an address is given twice.
    """
    try:
        data = json.loads(text)
        config = Config(
            address=IPv4Address(data["address"]),
            interface=str(data.get("interface", "gtp0")),
            mtu=int(data.get("mtu", 1400)),
            pools={apn["name"]: IPv4Network(apn["pool"]) for apn in data["apns"]},
            subscribers={(s["imsi"], s["apn"]): IPv4Address(s["address"]) for s in data["subscribers"]},
        )
    except (ValueError, TypeError) as error:
        raise PgwError(f"{source}: {error}; write it as `pgw.py` describes") from error
    except KeyError as error:
        raise PgwError(f"{source}: key {error} is missing; write it as `pgw.py` describes") from error
    _check_addresses(config, source)
    return config


def _check_addresses(config: Config, source: str) -> None:
    owner: dict[IPv4Address, str] = {}
    for (imsi, apn), address in config.subscribers.items():
        pool = config.pools.get(apn)
        if pool is None or address not in pool:
            raise PgwError(
                f"{source}: {address} of {imsi} is outside the pool of {apn}; give it one of {pool}"
            )
        if address in owner:
            raise PgwError(
                f"{source}: {address} is given to {owner[address]} and to {imsi}; change one of them"
            )
        owner[address] = imsi


# --- GTPv2-C (TS 29.274)
# -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """One GTPv2-C message; `teid` is None where the header has none."""

    type: int
    teid: int | None
    sequence: int
    ies: bytes


def decode(data: bytes) -> Message:
    """Read one message (5.1).

    Raises:
        MalformedError: it is cut off, or of another version.
    """
    if len(data) < 8 or data[0] >> 5 != 2:  # noqa: PLR2004
        raise MalformedError("not GTPv2-C")
    flags, kind, length = struct.unpack_from("!BBH", data)
    body = data[4 : 4 + length]
    if len(body) != length or length < (8 if flags & 0x08 else 4):
        raise MalformedError(f"length {length}, {len(data) - 4} bytes came")
    teid = int.from_bytes(body[:4], "big") if flags & 0x08 else None
    rest = body[4:] if teid is not None else body
    return Message(kind, teid, int.from_bytes(rest[:3], "big"), rest[4:])


def encode(message: Message) -> bytes:
    """Return the octets of a message."""
    header = b"" if message.teid is None else message.teid.to_bytes(4, "big")
    body = header + message.sequence.to_bytes(3, "big") + b"\0" + message.ies
    flags = 0x40 if message.teid is None else 0x48
    return struct.pack("!BBH", flags, message.type, len(body)) + body


def elements(ies: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Walk over information elements: type, instance, value (8.2).

    Raises:
        MalformedError: one reaches past the end.
    """
    position = 0
    while position < len(ies):
        if position + 4 > len(ies):
            raise MalformedError("information element is cut off")
        kind, length, instance = struct.unpack_from("!BHB", ies, position)
        value = ies[position + 4 : position + 4 + length]
        if len(value) != length:
            raise MalformedError(f"information element {kind} is cut off")
        yield kind, instance & 0x0F, value
        position += 4 + length


def element(kind: int, value: bytes, instance: int = 0) -> bytes:
    """Return one information element."""
    return struct.pack("!BHB", kind, len(value), instance) + value


def _find(ies: bytes, kind: int, instance: int = 0) -> bytes | None:
    return next((value for k, i, value in elements(ies) if (k, i) == (kind, instance)), None)


def decode_imsi(value: bytes) -> str:
    """Return the digits of an IMSI element (8.3)."""
    return "".join(f"{octet & 0xF:x}{octet >> 4:x}" for octet in value).rstrip("f")


def decode_apn(value: bytes) -> str:
    """Return an APN without the operator's part (8.6, TS 23.003 9.1)."""
    labels, position = [], 0
    while position < len(value):
        labels.append(value[position + 1 : position + 1 + value[position]].decode("ascii", "replace"))
        position += 1 + value[position]
    return re.sub(r"\.mnc\d+\.mcc\d+\.gprs$", "", ".".join(labels))


def decode_f_teid(value: bytes) -> tuple[int, IPv4Address]:
    """Return tunnel and IPv4 address of an F-TEID (8.22).

    Raises:
        MalformedError: it carries no IPv4 address.
    """
    if len(value) < 9 or not value[0] & 0x80:  # noqa: PLR2004
        raise MalformedError("F-TEID without an IPv4 address")
    return int.from_bytes(value[1:5], "big"), IPv4Address(value[5:9])


def _f_teid(interface: int, teid: int, address: IPv4Address, instance: int) -> bytes:
    return element(_F_TEID, struct.pack("!BI4s", 0x80 | interface, teid, address.packed), instance)


def _cause(value: int) -> bytes:
    return element(_CAUSE, bytes([value, 0]))


# --- sessions
# ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """One PDN connection: who, its address, and both ends of both tunnels of S5."""

    imsi: str
    apn: str
    address: str
    bearer: int
    control_teid: int
    user_teid: int
    peer_control_teid: int
    peer_user_teid: int
    peer_user_address: str

    @property
    def key(self) -> tuple[str, str]:
        """A SIM has one connection to an APN."""
        return self.imsi, self.apn


@dataclass(frozen=True)
class Request:
    """What a Create Session Request asks for."""

    imsi: str
    apn: str
    bearer: int
    control: tuple[int, IPv4Address]
    user: tuple[int, IPv4Address]


def parse_create_session(ies: bytes) -> Request | None:
    """Read a Create Session Request (7.2.1); None when a mandatory element is missing.

    Raises:
        MalformedError: an element cannot be read.
    """
    context = _find(ies, _BEARER_CONTEXT) or b""
    values = (_find(ies, _IMSI), _find(ies, _APN), _find(ies, _F_TEID), _find(context, _EBI))
    user = _find(context, _F_TEID, 2)
    imsi, apn, control, bearer = values
    if not imsi or not apn or not control or not bearer or not user:
        return None
    return Request(
        decode_imsi(imsi), decode_apn(apn), bearer[0] & 0x0F, decode_f_teid(control), decode_f_teid(user)
    )


# --- the kernel's user plane
# -------------------------------------------------------------------------------------


class KernelGtp:
    """The ``gtp`` device, driven by generic netlink (linux/gtp.h)."""

    _NEW, _DELETE = 0, 1
    _REQUEST, _ACKNOWLEDGE = 1, 4
    _ERROR = 2
    _CONTROL_FAMILY, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 3, 1, 2
    _LINK, _VERSION, _PEER, _MS, _IN, _OUT = 1, 2, 4, 5, 8, 9
    _NETLINK_GENERIC = 16

    def __init__(self, interface: str, mtu: int) -> None:
        self._interface = interface
        self._ensure(mtu)
        self._index = socket.if_nametoindex(interface)
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, self._NETLINK_GENERIC)
        self._socket.bind((0, 0))
        self._family = self._resolve()

    def _ensure(self, mtu: int) -> None:
        if not Path(f"/sys/class/net/{self._interface}").exists():
            _run("ip", "link", "add", self._interface, "type", "gtp", "role", "ggsn")
        _run("ip", "link", "set", self._interface, "mtu", str(mtu), "up")

    def _resolve(self) -> int:
        reply = self._call(
            self._CONTROL_FAMILY, self._GET_FAMILY, self._attribute(self._FAMILY_NAME, b"gtp\0"), 0
        )
        position = 4
        while position < len(reply):
            length, kind = struct.unpack_from("HH", reply, position)
            if kind == self._FAMILY_ID:
                return int(struct.unpack_from("H", reply, position + 4)[0])
            position += (length + 3) & ~3
        raise PgwError("the kernel has no generic netlink family gtp: build it with CONFIG_GTP")

    @staticmethod
    def _attribute(kind: int, value: bytes) -> bytes:
        return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    def _call(self, family: int, command: int, attributes: bytes, flags: int) -> bytes:
        body = struct.pack("BBH", command, 0, 0) + attributes
        header = struct.pack("IHHII", 16 + len(body), family, self._REQUEST | flags, 1, 0)
        self._socket.send(header + body)
        reply = self._socket.recv(65536)
        if struct.unpack_from("H", reply, 4)[0] == self._ERROR:
            (code,) = struct.unpack_from("i", reply, 16)
            if code:
                raise OSError(-code, os.strerror(-code))
        return reply[16:]

    def _key(self, session: Session) -> bytes:
        return b"".join(
            (
                self._attribute(self._LINK, struct.pack("I", self._index)),
                self._attribute(self._VERSION, struct.pack("I", 1)),
                self._attribute(self._IN, struct.pack("I", session.user_teid)),
            )
        )

    def add(self, session: Session) -> None:
        """Put the tunnel of `session` in place of any other of its address."""
        self.remove(session)
        attributes = self._key(session) + b"".join(
            (
                self._attribute(self._PEER, IPv4Address(session.peer_user_address).packed),
                self._attribute(self._MS, IPv4Address(session.address).packed),
                self._attribute(self._OUT, struct.pack("I", session.peer_user_teid)),
            )
        )
        self._call(self._family, self._NEW, attributes, self._ACKNOWLEDGE)

    def remove(self, session: Session) -> None:
        """Take the tunnel of `session` away, if it is there."""
        base = b"".join(
            (
                self._attribute(self._LINK, struct.pack("I", self._index)),
                self._attribute(self._VERSION, struct.pack("I", 1)),
                self._attribute(self._MS, IPv4Address(session.address).packed),
            )
        )
        with contextlib.suppress(FileNotFoundError):  # ENOENT: no such tunnel
            self._call(self._family, self._DELETE, base, self._ACKNOWLEDGE)


class SpoofFilter:
    """The nftables table that knows which source address belongs to which tunnel."""

    def __init__(self, interface: str) -> None:
        self._interface = interface

    def text(self) -> str:
        """The table, empty. Offsets count from the UDP header: GTP type, TEID, inner IPv4 source."""
        return (
            f"table ip {TABLE}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n"
            "  counter spoofed { }\n"
            "  set bearers { typeof @th,96,32 . @th,224,32; }\n"
            "  chain input {\n    type filter hook input priority -150;\n"
            "    udp dport 2152 @th,72,8 255 @th,96,32 . @th,224,32 != @bearers counter name spoofed drop\n"
            "  }\n}\n"
        )

    def replace(self, sessions: list[Session]) -> None:
        """Make `sessions` the ones that may send."""
        pairs = [f"{s.user_teid:#x} . {int(IPv4Address(s.address)):#x}" for s in sessions]
        script = f"flush set ip {TABLE} bearers\n"
        if pairs:
            script += f"add element ip {TABLE} bearers {{ {', '.join(pairs)} }}\n"
        try:
            _run("nft", "-f", "-", text=script)
        except PgwError:
            # Somebody flushed the whole ruleset: start over, with counters at zero.
            _run("nft", "-f", "-", text=self.text() + script)

    def count(self) -> int | None:
        """Packets dropped since the table was made; None when it is not there."""
        done = subprocess.run(
            ["nft", "-j", "list", "counter", "ip", TABLE, "spoofed"], capture_output=True, check=False
        )
        if done.returncode:
            return None
        entries = json.loads(done.stdout)["nftables"]
        return next((int(entry["counter"]["packets"]) for entry in entries if "counter" in entry), None)


def _run(*argv: str, text: str | None = None) -> None:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PgwError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")


# --- the gateway
# -------------------------------------------------------------------------------------------------


@dataclass
class Pgw:
    """The gateway: sessions, and what answers each message; `kernel`, `spoof_filter` are the user plane."""

    config: Config
    kernel: KernelGtp
    spoof_filter: SpoofFilter
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    refused: int = 0
    last_refusal: dict[str, object] | None = None
    _answered: dict[tuple[str, bytes], tuple[float, bytes]] = field(default_factory=dict)
    _count_due: float = 0.0
    _spoofed: int | None = None

    def restore(self) -> None:
        """Put the sessions of the last run back into the kernel."""
        if STATE.exists():
            saved = [Session(**entry) for entry in json.loads(STATE.read_text(encoding="ascii"))]
            self.sessions = {session.key: session for session in saved}
        for session in self.sessions.values():
            self.kernel.add(session)
        self.reconfigure(self.config)

    def reconfigure(self, config: Config) -> None:
        """Take up a new configuration; sessions that it does not know end, the others are not touched."""
        self.config = config
        for session in list(self.sessions.values()):
            if str(config.subscribers.get(session.key)) != session.address:
                self._end(session)
        for pool in config.pools.values():
            _run("ip", "route", "replace", str(pool), "dev", config.interface)
        self._changed()

    def _end(self, session: Session) -> None:
        self.kernel.remove(session)
        self.sessions.pop(session.key, None)

    def _changed(self) -> None:
        self._answered.clear()
        self.spoof_filter.replace(list(self.sessions.values()))
        _write(STATE, json.dumps([asdict(session) for session in self.sessions.values()]))

    def handle(self, data: bytes, peer: str) -> bytes | None:
        """Return the answer to one datagram of `peer`, or None when there is none to give.

        Raises:
            MalformedError: it is not GTPv2-C.
        """
        kept = self._answered.get((peer, data))
        if kept and time.monotonic() - kept[0] < _REPEAT_SECONDS:
            return kept[1]
        message = decode(data)
        reply = self._answer(message)
        if reply is None:
            return None
        encoded = encode(reply)
        self._answered[peer, data] = time.monotonic(), encoded
        return encoded

    def _answer(self, message: Message) -> Message | None:
        if message.type == _ECHO_REQUEST:
            return Message(_ECHO_RESPONSE, None, message.sequence, element(_RECOVERY, b"\0"))
        if message.type == _CREATE_SESSION:
            return self._create_session(message)
        if message.type in {_DELETE_SESSION, _MODIFY_BEARER}:
            return self._known_session(message)
        _LOG.info("message type %d is not answered", message.type)
        return None

    def _create_session(self, message: Message) -> Message:
        request = parse_create_session(message.ies)
        if request is None:
            return Message(_CREATE_SESSION + 1, 0, message.sequence, _cause(MANDATORY_IE_MISSING))
        address = self.config.subscribers.get((request.imsi, request.apn))
        if address is None:
            return self._refuse(request, message.sequence)
        session = self._new_session(request, address)
        self.kernel.add(session)
        self.sessions[session.key] = session
        self._changed()
        _LOG.info("%s at %s has %s", session.imsi, session.apn, session.address)
        return Message(
            _CREATE_SESSION + 1, session.peer_control_teid, message.sequence, self._created(session)
        )

    def _refuse(self, request: Request, sequence: int) -> Message:
        self.refused += 1
        self.last_refusal = {"imsi": request.imsi, "apn": request.apn, "cause": APN_ACCESS_DENIED}
        _LOG.warning("refused %s at %s: not in the configuration", request.imsi, request.apn)
        return Message(_CREATE_SESSION + 1, request.control[0], sequence, _cause(APN_ACCESS_DENIED))

    @staticmethod
    def _new_session(request: Request, address: IPv4Address) -> Session:
        return Session(
            imsi=request.imsi,
            apn=request.apn,
            address=str(address),
            bearer=request.bearer,
            # Random and never zero: a tunnel of an earlier run is not met by chance.
            control_teid=secrets.randbelow(0xFFFFFFFE) + 1,
            user_teid=secrets.randbelow(0xFFFFFFFE) + 1,
            peer_control_teid=request.control[0],
            peer_user_teid=request.user[0],
            peer_user_address=str(request.user[1]),
        )

    def _created(self, session: Session) -> bytes:
        own = self.config.address
        context = b"".join(
            (
                element(_EBI, bytes([session.bearer])),
                _cause(ACCEPTED),
                _f_teid(_S5_PGW_USER, session.user_teid, own, 2),
                element(_CHARGING_ID, session.user_teid.to_bytes(4, "big")),
            )
        )
        return b"".join(
            (
                _cause(ACCEPTED),
                _f_teid(_S5_PGW_CONTROL, session.control_teid, own, 1),
                element(_PAA, b"\x01" + IPv4Address(session.address).packed),
                element(_APN_RESTRICTION, b"\0"),
                element(_BEARER_CONTEXT, context),
            )
        )

    def _known_session(self, message: Message) -> Message:
        known = (each for each in self.sessions.values() if each.control_teid == message.teid)
        session = next(known, None)
        if session is None:
            return Message(message.type + 1, 0, message.sequence, _cause(CONTEXT_NOT_FOUND))
        if message.type == _DELETE_SESSION:
            self._end(session)
            self._changed()
            _LOG.info("%s left %s", session.imsi, session.apn)
        return Message(message.type + 1, session.peer_control_teid, message.sequence, _cause(ACCEPTED))

    def report(self) -> None:
        """Write the status file; to be called every second, for `at` shows that the gateway is alive."""
        if time.monotonic() >= self._count_due:
            self._count_due = time.monotonic() + _COUNT_SECONDS
            self._spoofed = self.spoof_filter.count()
        _write(STATUS, json.dumps({"pid": os.getpid(), "at": time.monotonic(), **self.status()}))

    def status(self) -> dict[str, object]:
        """What the status file shows; the count of spoofed packets is up to five seconds old."""
        sessions = [{"imsi": s.imsi, "apn": s.apn, "address": s.address} for s in self.sessions.values()]
        return {
            "sessions": sessions,
            "refused": self.refused,
            "last_refusal": self.last_refusal,
            "spoofed": self._spoofed,
        }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="ascii")
    fresh.replace(path)


class Watched:
    """The configuration file, and whether it has changed since it was last read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Whether there is a file, and another than before."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        # The size too: a file that is written in place may be seen half done, and have the same time after.
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        changed, self._seen = stamp != self._seen, stamp
        return changed

    def read(self) -> Config | None:
        """Return the configuration; None, and a line in the log, when it is wrong."""
        try:
            return parse_config(self._path.read_text(encoding="utf-8"), str(self._path))
        except (OSError, PgwError) as error:
            _LOG.error("%s; nothing is changed", error)
            return None


def _wait_for_config(watched: Watched) -> Config:
    while True:
        config = watched.read() if watched.changed() else None
        if config:
            return config
        time.sleep(_POLL_SECONDS)


def _open(address: IPv4Address) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND: the address may come after us
    sock.bind((str(address), _GTPC_PORT))
    sock.settimeout(_POLL_SECONDS)
    return sock


def serve(pgw: Pgw, sock: socket.socket, watched: Watched) -> None:
    """Answer until the configuration moves the gateway to another address or interface."""
    due = 0.0
    while True:
        try:
            data, (peer, _) = sock.recvfrom(4096)
            reply = pgw.handle(data, peer)
            if reply:
                # Not to the port it came from: NextEPC's SGW sends from one that it does not read.
                sock.sendto(reply, (peer, _GTPC_PORT))
        except TimeoutError:
            pass
        except (MalformedError, OSError) as error:
            _LOG.warning("dropped a message: %s", error)
        if time.monotonic() >= due:
            due = time.monotonic() + _POLL_SECONDS
            if not _tick(pgw, watched):
                return


def _tick(pgw: Pgw, watched: Watched) -> bool:
    config = watched.read() if watched.changed() else None
    if config and (config.address, config.interface) != (pgw.config.address, pgw.config.interface):
        return False
    if config:
        pgw.reconfigure(config)
    pgw.report()
    return True


def main(arguments: Sequence[str]) -> int:
    """Run the gateway with the configuration file named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(prog="heiiki-agent pgw")
    parser.add_argument("file", type=Path)
    watched = Watched(parser.parse_args(arguments).file)
    config = _wait_for_config(watched)
    spoof_filter = SpoofFilter(config.interface)
    _run("nft", "-f", "-", text=spoof_filter.text())
    pgw = Pgw(config, KernelGtp(config.interface, config.mtu), spoof_filter)
    pgw.restore()
    with _open(config.address) as sock:
        _LOG.info("serving %d subscribers on %s", len(config.subscribers), config.address)
        serve(pgw, sock, watched)
    _LOG.info("address or interface changed: start again")
    return 1
