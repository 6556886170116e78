"""Packet filters of each kind of device: default deny, and what is opened (R-ISO-*)."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan import addresses as addr
from heiiki.plan.model import InputService

SSH, BGP, BFD_SINGLE, BFD_MULTIHOP, STAMP, VAULT = 22, 179, 3784, 4784, 862, 8200
IKE, IKE_NAT = 500, 4500

_Source = IPv4Address | IPv4Network


def _networks(sources: Iterable[_Source]) -> tuple[IPv4Network, ...]:
    return tuple(addr.only(item) if isinstance(item, IPv4Address) else item for item in sources)


def routing_from(*peers: _Source) -> tuple[InputService, ...]:
    """Open BGP, BFD and echo to routing peers."""
    sources = _networks(peers)
    return (
        InputService("bgp", "tcp", (BGP,), sources),
        InputService("bfd", "udp", (BFD_SINGLE, BFD_MULTIHOP), sources),
        InputService("echo", "icmp", (), sources),
    )


def vrrp_from(*peers: _Source) -> InputService:
    """Open VRRP to the other gateway of the LAN."""
    return InputService("vrrp", "vrrp", (), _networks(peers))


def gre_from(*peers: _Source) -> InputService:
    """Open GRE to tunnel peers."""
    return InputService("gre", "gre", (), _networks(peers))


def ipsec_from(*peers: _Source) -> tuple[InputService, ...]:
    """Open IKEv2 (RFC 7296) and ESP (RFC 4303) to IPsec peers."""
    sources = _networks(peers)
    return InputService("ike", "udp", (IKE, IKE_NAT), sources), InputService("esp", "esp", (), sources)


def vault_from(*sources: _Source) -> InputService:
    """Open the Vault API: enrolment, renewal, CRL and OCSP."""
    return InputService("vault", "tcp", (VAULT,), _networks(sources))


def echo_from(*sources: _Source) -> InputService:
    """Open ICMP echo: what a probe needs."""
    return InputService("echo", "icmp", (), _networks(sources))


def stamp_from(*sources: _Source) -> InputService:
    """Open the STAMP port (RFC 8762)."""
    return InputService("stamp", "udp", (STAMP,), _networks(sources))


def ssh_from(*sources: _Source) -> InputService:
    """Open SSH to the management network (RFC 4251)."""
    return InputService("ssh", "tcp", (SSH,), _networks(sources))
