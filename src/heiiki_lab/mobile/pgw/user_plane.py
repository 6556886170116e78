"""The user plane: tunnels of the kernel's ``gtp`` device, and the filter of spoofed source addresses."""

import contextlib
import json
import os
import socket
import struct
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from heiiki_lab.mobile.pgw.config import PgwError

TABLE = "heiiki_pgw"


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
            run("ip", "link", "add", self._interface, "type", "gtp", "role", "ggsn")
        run("ip", "link", "set", self._interface, "mtu", str(mtu), "up")

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
            run("nft", "-f", "-", text=script)
        except PgwError:
            # Somebody flushed the whole ruleset: start over, with counters at zero.
            run("nft", "-f", "-", text=self.text() + script)

    def count(self) -> int | None:
        """Packets dropped since the table was made; None when it is not there."""
        done = subprocess.run(
            ["nft", "-j", "list", "counter", "ip", TABLE, "spoofed"], capture_output=True, check=False
        )
        if done.returncode:
            return None
        entries = json.loads(done.stdout)["nftables"]
        return next((int(entry["counter"]["packets"]) for entry in entries if "counter" in entry), None)


def run(*argv: str, text: str | None = None) -> None:
    """Run a program; PgwError when it fails."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PgwError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
