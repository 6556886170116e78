"""What a gateway does for a LAN that it shares with another: virtual gateway, watch, and their session."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan import addresses as addr
from heiiki.plan import names
from heiiki.plan.context import Context
from heiiki.plan.firewall import On
from heiiki.plan.model import (
    BgpNeighbor,
    InputService,
    Interface,
    InterfaceKind,
    LanWatch,
    Network,
    PrefixSet,
    StaticRoute,
    Vrrp,
)
from heiiki_agent.lan_watch.settings import FAULT

_MASTER, _BACKUP = 200, 100
_VIRTUAL = "00:00:5e:00:01:"
"""Beginning of a virtual router's link address; its identifier is the last octet (RFC 9568 7.3)."""
_LAST_RESORT = 250
"""Distance behind every route that BGP learns (iBGP: 200)."""

_INDEX = {Network.A: addr.LAN_FIRST, Network.B: addr.LAN_SECOND}


@dataclass(frozen=True, slots=True)
class Lan:
    """A LAN with a gateway on each closed network.

    Attributes:
        as_number: AS of both gateways.
        router_id: virtual router ID (RFC 9568).
        exchanged: what the gateways announce to each other.
        hosts: the hosts that the watch expects to answer ARP.
        beyond: the network that its hosts talk to.
    """

    prefix: IPv4Network
    as_number: int
    router_id: int
    exchanged: PrefixSet
    hosts: tuple[IPv4Address, ...]
    beyond: IPv4Network

    def address(self, network: Network) -> IPv4Address:
        """Return the address of the gateway on `network`."""
        return gateway_address(self.prefix, network)


@dataclass(frozen=True, slots=True)
class Leg:
    """The leg of one gateway to its LAN, and the gateway at the other one."""

    lan: Lan
    here: IPv4Address
    peer: IPv4Address
    other: str

    def interface(self) -> Interface:
        """Return the interface; the length is /32, for the LAN's route depends on the watch (D4)."""
        return Interface(names.LAN_IF, InterfaceKind.ETHERNET, (addr.single(self.here),))


def gateway_address(prefix: IPv4Network, network: Network) -> IPv4Address:
    """Return the address that the gateway on `network` has on a LAN."""
    return addr.host(prefix, _INDEX[network])


def leg(lan: Lan, network: Network, other: str) -> Leg:
    """Return the leg of the gateway on `network`; the gateway on the other network is called `other`."""
    beyond = Network.B if network is Network.A else Network.A
    return Leg(lan, lan.address(network), lan.address(beyond), other)


def session(context: Context, leg: Leg) -> BgpNeighbor:
    """Return the session to the other gateway; without a source BFD and BGP deadlock when one restarts."""
    return BgpNeighbor(
        address=leg.peer,
        remote_as=leg.lan.as_number,
        device=leg.other,
        update_source=str(leg.here),
        bfd=context.timers.active.name,
        accept=leg.lan.exchanged.name,
        announce=leg.lan.exchanged.name,
        next_hop_self=True,
    )


def services(leg: Leg) -> tuple[InputService, ...]:
    """Return what this gateway opens on its LAN: to the other gateway, and echo to the hosts."""
    here = On(names.LAN_IFS)
    return *here.routing(leg.peer), here.vrrp(leg.peer), here.echo(leg.lan.prefix)


def vrrp(context: Context, leg: Leg, *, master: bool) -> Vrrp:
    """Return the virtual gateway as this gateway runs it."""
    return Vrrp(
        interface=names.LAN_IF,
        virtual_interface=names.LAN_VIRTUAL_IF,
        router_id=leg.lan.router_id,
        priority=_MASTER if master else _BACKUP,
        address=addr.host(leg.lan.prefix, addr.LAN_GATEWAY),
        link_address=f"{_VIRTUAL}{leg.lan.router_id:02x}",
        peer=leg.peer,
        peer_priority=_BACKUP if master else _MASTER,
        advert_ms=context.timers.vrrp_advert_ms,
        preempt_delay_s=context.timers.vrrp_preempt_delay_s,
        tracked_file=str(FAULT),
    )


def last_resort(leg: Leg, beyond: IPv4Network) -> StaticRoute:
    """Return the route of who gives the virtual gateway, for when its routing is lost: by the other gateway.

    Its peers end their sessions with a router whose bfdd hangs, or whose zebra starts again; it still is
    the virtual gateway, and would drop what hosts send until BGP is back. The other gateway has no such
    route, so that no packet goes in circles.
    """
    return StaticRoute(beyond, via=leg.peer, interface=names.LAN_IF, distance=_LAST_RESORT)


def to_other(leg: Leg) -> StaticRoute:
    """Return the route to the other gateway, which stays when the LAN watch takes that of the LAN away.

    A leg that receives nothing can still send: without a route the end of the session with the other
    gateway could not be told, and that one would forward into this leg until its own BFD expires.
    """
    return StaticRoute(addr.only(leg.peer), interface=names.LAN_IF)


def watch(context: Context, leg: Leg) -> LanWatch:
    """Return the watch over the LAN: the other gateway and the hosts answer ARP."""
    return LanWatch(
        interface=names.LAN_IF,
        prefix=leg.lan.prefix,
        source=leg.here,
        targets=(leg.peer, *leg.lan.hosts),
        beyond=leg.lan.beyond,
        probe_ms=context.timers.lan_probe_ms,
        lost=context.timers.lan_probe_lost,
    )
