"""Forged frames as they go over a LAN's wire: claims by ARP (RFC 826), VRRP advertisements (RFC 9568)."""

import struct
from ipaddress import IPv4Address

from heiiki.plan.model import Vrrp
from heiiki.verify.probes.packets import checksum

_BROADCAST, _ETHERNET, _ARP, _IPV4 = b"\xff" * 6, 1, 0x0806, 0x0800
_REQUEST, _REPLY = 1, 2
_GROUP, _PROTOCOL, _HOPS, _OWNER = IPv4Address("224.0.0.18"), 112, 255, 255
_VERSION_3_ADVERTISEMENT = 0x31
_CENTISECOND_MS = 10


def claims(sender: str, address: IPv4Address) -> tuple[str, ...]:
    """Return the two forms in which a station tells all of a LAN that `address` is its own."""
    return tuple(_claim(sender, address, kind, _BROADCAST, address) for kind in (_REQUEST, _REPLY))


def reply(sender: str, address: IPv4Address, target: str, to: IPv4Address) -> str:
    """Return the answer by which a station tells one other that it has `address`."""
    return _claim(sender, address, _REPLY, _octets(target), to)


def _octets(link_address: str) -> bytes:
    return bytes.fromhex(link_address.replace(":", ""))


def _claim(sender: str, address: IPv4Address, kind: int, target: bytes, to: IPv4Address) -> str:
    own = _octets(sender)
    head = target + own + struct.pack("!HHHBBH", _ARP, _ETHERNET, _IPV4, 6, 4, kind)
    return (head + own + address.packed + target + to.packed).hex()


def advertisement(sender: str, source: IPv4Address, vrrp: Vrrp) -> str:
    """Return an advertisement of the highest priority, in the name of `source` but from another station."""
    interval = vrrp.advert_ms // _CENTISECOND_MS
    body = struct.pack("!BBBBHH", _VERSION_3_ADVERTISEMENT, vrrp.router_id, _OWNER, 1, interval, 0)
    body += vrrp.address.packed
    pseudo = source.packed + _GROUP.packed + struct.pack("!BBH", 0, _PROTOCOL, len(body))
    body = body[:6] + struct.pack("!H", checksum(pseudo + body)) + body[8:]
    head = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(body), 0, 0, _HOPS, _PROTOCOL, 0)
    head += source.packed + _GROUP.packed
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    group = b"\x01\x00\x5e" + _GROUP.packed[1:]
    return (group + _octets(sender) + struct.pack("!H", _IPV4) + head + body).hex()
