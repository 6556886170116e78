"""The port to the LAN: questions and answers by ARP (RFC 826)."""

import fcntl
import logging
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from heiiki_agent.lan_watch.settings import Settings

_ETH_P_ARP = 0x0806
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4, _REQUEST, _REPLY = 1, 0x0800, 1, 2
_BROADCAST = b"\xff" * 6
_FLAGS = 0x8913, struct.Struct("16xH22x")  # SIOCGIFFLAGS
_INDEX = 0x8933, struct.Struct("16xi20x")  # SIOCGIFINDEX
_RUNNING = 0x1 | 0x40  # IFF_UP and IFF_RUNNING

_log = logging.getLogger("lan_watch")


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
    """The port to the LAN. It may be down, missing, or come back as another device: then it opens again."""

    def __init__(self, settings: Settings) -> None:
        """Watch the port that `settings` name; nothing is opened yet."""
        self._settings = settings
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
            _log.warning("%s: %s", self._settings.interface, reason)
        self._reason = reason
        return flags & _RUNNING == _RUNNING

    def _flags(self) -> int:
        if (
            self._socket is not None
            and _ioctl(self._socket, self._settings.interface, *_INDEX) != self._index
        ):
            self.close()
        if self._socket is None:
            self._socket = self._open()
            self._index = _ioctl(self._socket, self._settings.interface, *_INDEX)
        return _ioctl(self._socket, self._settings.interface, *_FLAGS)

    def _open(self) -> socket.socket:
        # Protocol 0 until it is bound: otherwise packets of other ports slip in between the two calls.
        port = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
        try:
            port.bind((self._settings.interface, _ETH_P_ARP))
        except OSError:
            port.close()
            raise
        return port

    def probe(self) -> None:
        """Ask every target; a port that cannot send is closed (`running` tells)."""
        for target in self._settings.targets:
            # Asked once at his own address; only an answer puts it back, so a silent one is asked at large.
            mac = self._macs.pop(target, _BROADCAST)
            self._send(Arp(_REQUEST, self._mac(), self._settings.source, bytes(6), target), mac)

    def _mac(self) -> bytes:
        return bytes(6) if self._socket is None else bytes(self._socket.getsockname()[4])

    def _send(self, packet: Arp, mac: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(packet.pack(), (self._settings.interface, _ETH_P_ARP, 0, 0, mac))
        except (BlockingIOError, InterruptedError):
            return  # a full queue loses a probe as a full wire does
        except OSError as error:
            _log.debug("%s: %s", self._settings.interface, error)
            self.close()

    def answers(self, *, stand_in: bool) -> Iterator[IPv4Address]:
        """Read everything that has come and yield the targets that have answered.

        Args:
            stand_in: answer the targets' questions for our own address, in place of a kernel without a route.
        """
        for packet in self._received():
            if packet.sender not in self._settings.targets or packet.target != self._settings.source:
                continue
            if packet.operation == _REPLY and packet.target_mac == self._mac():
                self._macs[packet.sender] = packet.sender_mac
                yield packet.sender
            elif packet.operation == _REQUEST and stand_in:
                ends = (self._mac(), self._settings.source, packet.sender_mac, packet.sender)
                self._send(Arp(_REPLY, *ends), packet.sender_mac)

    def _received(self) -> Iterator[Arp]:
        while self._socket is not None:
            try:
                packet = Arp.unpack(self._socket.recv(128))
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # the port went down: said once, then the socket waits for it
                _log.debug("%s: %s", self._settings.interface, error)
                return
            if packet is not None:
                yield packet
