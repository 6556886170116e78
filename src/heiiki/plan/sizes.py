"""How large IP packets are inside and outside of each encapsulation, octets.

ESP is AES-GCM with an 8-octet IV and a 16-octet tag (RFC 4303, RFC 4106); GRE has no options (RFC 2784).
"""

import math

IP, TCP, GRE = 20, 20, 4
ESP_HEAD, ESP_IV, ESP_ICV, ESP_TRAILER, ESP_ALIGN = 8, 8, 16, 2, 4


def in_esp(packet: int) -> int:
    """Return the size of an IP packet inside of GRE and transport-mode ESP."""
    return _protected(GRE + packet)


def tunnel_mtu(path: int) -> int:
    """Return the largest IP packet that `in_esp` makes no larger than `path`."""
    return _room(path) - GRE


def in_vpn(packet: int) -> int:
    """Return the size of an IP packet inside of tunnel-mode ESP, as on the hub's lines."""
    return _protected(packet)


def vpn_mtu(line: int) -> int:
    """Return the largest IP packet that tunnel-mode ESP makes no larger than `line`."""
    return _room(line)


def _protected(content: int) -> int:
    inside = math.ceil((content + ESP_TRAILER) / ESP_ALIGN) * ESP_ALIGN
    return IP + ESP_HEAD + ESP_IV + inside + ESP_ICV


def _room(size: int) -> int:
    """Return how much ESP can protect in an IP packet of `size`."""
    inside = size - IP - ESP_HEAD - ESP_IV - ESP_ICV
    return inside - inside % ESP_ALIGN - ESP_TRAILER
