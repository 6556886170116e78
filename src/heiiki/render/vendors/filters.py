"""What may come in on a port: the plan's filter as a list of rules without state, for any platform's words.

A list on a port sees packets before the tunnels are taken off, so GRE, which is allowed inside of ESP alone,
is in none: a platform takes it from an association, never from the line.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from heiiki.plan import addresses as addr
from heiiki.plan import names
from heiiki.plan.firewall import BFD_SINGLE, BGP, NTP
from heiiki.plan.model import Device, Firewall, InputService
from heiiki_agent.crl_mirror import PORT as CRL_MIRROR
from heiiki_agent.est.places import PORT as EST

_ANY = IPv4Network("0.0.0.0/0")
_VRRP_GROUP = IPv4Network("224.0.0.18/32")
_HOPS = 255
_FOR_LOOPBACK = frozenset({"ike", "esp"})
_INSIDE_ESP = frozenset({"gre"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Packets that may come in.

    Attributes:
        name: what they are, for descriptions.
        protocol: ``tcp``, ``udp``, ``icmp``, ``esp``, ``vrrp`` or ``ip``, which is every one.
        source_port, port: of the packet's sender and of its receiver; 0: any.
        icmp: ``echo``, ``echo-reply`` or ``too-big``.
        established: of a TCP connection that is there.
        one_hop: the sender is on the link: its TTL is 255 (RFC 5082).
    """

    name: str
    protocol: str
    source: IPv4Network
    destination: IPv4Network
    source_port: int = 0
    port: int = 0
    icmp: str = ""
    established: bool = False
    one_hop: bool = False

    @property
    def hops(self) -> int:
        """The TTL that is asked for; 0: any."""
        return _HOPS if self.one_hop else 0


def rules(device: Device, interface: str, own: IPv4Interface) -> Iterator[Rule]:
    """Yield what may come in on an interface of the plan, where the device has the address `own`."""
    firewall = device.firewall or Firewall()
    for service in firewall.services:
        if interface in service.interfaces and service.name not in _INSIDE_ESP:
            yield from _service(device, service, interface, own)
    if interface == names.ACCESS_A_IF:
        yield from _answers(device)
    if interface == names.LAN_IF:
        yield from _probes(device, own)
    yield from _forwarded(firewall, interface)


def _service(device: Device, service: InputService, interface: str, own: IPv4Interface) -> Iterator[Rule]:
    for source in service.sources:
        for destination in _destinations(device, service, interface, own):
            one = Rule(service.name, service.protocol, source, destination)
            if service.name == "bgp":
                # Either end may have begun the connection.
                yield replace(one, port=BGP, one_hop=True)
                yield replace(one, source_port=BGP, established=True, one_hop=True)
            elif service.name == "bfd":
                yield replace(one, port=BFD_SINGLE, one_hop=True)
            elif service.name == "echo":
                yield replace(one, icmp="echo")
            elif service.name == "vrrp":
                yield replace(one, one_hop=True)
            elif service.ports:
                yield from (replace(one, port=port) for port in service.ports)
            else:
                yield one


def _destinations(
    device: Device, service: InputService, interface: str, own: IPv4Interface
) -> Iterator[IPv4Network]:
    if service.name in _FOR_LOOPBACK:
        yield from (addr.only(one.local) for one in device.ipsec)
    elif service.name == "vrrp":
        yield _VRRP_GROUP
    else:
        yield addr.only(own.ip)
        if service.name == "echo" and interface == names.LAN_IF and device.vrrp is not None:
            yield addr.only(device.vrrp.address)


def _answers(device: Device) -> Iterator[Rule]:
    """Answers to what the device asks below its tunnel, and that a packet of the tunnel is too large."""
    ends = tuple(addr.only(one.local) for one in device.ipsec)
    for end in ends:
        for server in device.clock.servers if device.clock else ():
            yield Rule("ntp", "udp", addr.only(server), end, source_port=NTP, port=NTP)
        for mirror in device.crl_source.mirrors if device.crl_source else ():
            answer = Rule("lists", "tcp", addr.only(mirror.address), end, source_port=CRL_MIRROR)
            yield replace(answer, established=True)
        if device.enrols_at:
            enrolled = Rule("enrolment", "tcp", addr.only(device.enrols_at), end, source_port=EST)
            yield replace(enrolled, established=True)
        yield Rule("path MTU", "icmp", _ANY, end, icmp="too-big")


def _probes(device: Device, own: IPv4Interface) -> Iterator[Rule]:
    targets: tuple[IPv4Address, ...] = device.lan_watch.targets if device.lan_watch else ()
    for target in targets:
        yield Rule("watch", "icmp", addr.only(target), addr.only(own.ip), icmp="echo-reply")


def _forwarded(firewall: Firewall, interface: str) -> Iterator[Rule]:
    for pair in firewall.pairs:
        if interface in pair.inside_interfaces:
            yield from (Rule(pair.name, "ip", one, other) for one in pair.inside for other in pair.outside)
        if interface in pair.outside_interfaces:
            yield from (Rule(pair.name, "ip", one, other) for one in pair.outside for other in pair.inside)
