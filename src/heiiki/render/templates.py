"""The templates: one environment for the whole fleet, each template compiled once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import jinja2

from heiiki.errors import RenderError
from heiiki.plan import keys
from heiiki.plan.model import (
    BgpNeighbor,
    Clock,
    Device,
    InputService,
    InterfaceKind,
    Limit,
    Neighbour,
    Plan,
    Router,
    TimeKey,
    TrafficSelector,
)
from heiiki.plan.names import LAN_IF
from heiiki.plan.neighbours import claims

_FEWEST_BITS = 3
_MOST_SOURCES = 65536
_HALF_OPEN = 16
_ON_LINK = IPv4Network("224.0.0.0/24")
_PROTOCOLS = {"gre": "47", "vrrp": "112", "ospf": "89"}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_folder()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - router configuration, not HTML
        auto_reload=False,
    )
    # Filters, not globals or macros: a call by way of the context costs ten times as much.
    filters = (
        accept_name,
        accepted,
        adjacent,
        announced,
        answered,
        beyond,
        beyond_octets,
        braces,
        claims,
        dispatched,
        dotted_mac,
        half_open,
        identifier,
        ike_table,
        label_neighbors,
        lan_side,
        limited,
        local_selector,
        management_side,
        meters,
        most_prefixes,
        multicast_copy,
        nested,
        opened,
        opening,
        own_addresses,
        pairs,
        quoted,
        remote_selector,
        secret,
        time_keys,
        untracked_side,
    )
    environment.filters.update({function.__name__: function for function in filters})
    return environment


@cache
def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


def render(name: str, plan: Plan | None = None, device: Device | None = None, **values: object) -> str:
    """Render template `name` for one device of a plan, or with `values`, or as it stands for every device.

    Raises:
        RenderError: the template asks for what the plan does not have.
    """
    try:
        return _template(name).render(plan=plan, device=device, **values)
    except jinja2.TemplateError as error:
        subject = f" for {device.name}" if device is not None else ""
        message = f"templates/{name}{subject}: {error}; the template and the plan's model do not agree"
        raise RenderError(message) from error


def _folder() -> Path:
    """Templates stand beside the package when it is installed, and at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parents[1] / "templates"


def accept_name(neighbor: BgpNeighbor) -> str:
    """Name of the route map for what a session accepts: one for each set and preference."""
    suffix = f"-{neighbor.local_preference}" if neighbor.local_preference else ""
    return f"ACCEPT-{neighbor.accept}{suffix}"


def accepted(router: Router) -> Iterator[BgpNeighbor]:
    """Yield one neighbour for each route map that sessions need for what they accept."""
    seen: dict[str, BgpNeighbor] = {}
    for instance in router.bgp:
        for neighbor in instance.neighbors:
            if not neighbor.vpn:
                seen.setdefault(accept_name(neighbor), neighbor)
    return iter(seen.values())


def most_prefixes(neighbor: BgpNeighbor, plan: Plan, router: Router) -> int:
    """Return how many prefixes a session may bring: those of the set that it accepts, a power of two.

    A set that is matched up to a length holds one for each site: so few sites more change no session.
    """
    accepted = next(item for item in router.prefix_sets if item.name == neighbor.accept)
    count = len(plan.sites) if accepted.le else len(accepted.prefixes)
    return 1 << max(_FEWEST_BITS, count.bit_length())


def ike_table(device: Device) -> int:
    """Return how many rows the IKE daemon's table of SAs needs: a power of two, two SAs a row at most.

    While a peer authenticates once more it has two.
    """
    return 1 << (len(device.ipsec) - 1).bit_length()


def half_open(device: Device) -> int:
    """Return how many peers may be in the middle of IKE_SA_INIT: all that there are come back at once."""
    return _HALF_OPEN + 2 * len(device.ipsec)


def secret(path: str) -> str:
    """Return what stands for a key of routing or time: its value is filled in on the way to the device."""
    return f"{{{{secret:{path}:{keys.FIELD}}}}}"


def time_keys(clock: Clock) -> tuple[TimeKey, ...]:
    """Return the keys that a device's clock has: its own, and those of all whom it answers."""
    own = () if clock.key is None else (clock.key,)
    return tuple(sorted((*own, *clock.clients), key=lambda key: key.number))


def label_neighbors(router: Router) -> tuple[tuple[IPv4Address, str], ...]:
    """Return identifier and key of each LDP neighbour: one session, over however many links (RFC 5036)."""
    return tuple(dict.fromkeys((one.router_id, one.ldp_key) for one in router.core))


def announced(router: Router) -> Iterator[str]:
    """Yield the names of the prefix sets that sessions announce, once each."""
    names = (neighbor.announce for instance in router.bgp for neighbor in instance.neighbors)
    return iter(dict.fromkeys(name for name in names if name is not None))


def opened(service: InputService) -> str:
    """Return the nftables match for what a service opens."""
    if service.protocol == "icmp":
        return "icmp type echo-request"
    if service.protocol in _PROTOCOLS:
        return f"ip protocol {_PROTOCOLS[service.protocol]}"
    if not service.ports:
        return f"ip protocol {service.protocol}"
    return f"{service.protocol} dport {braces(service.ports)}"


def opening(service: InputService) -> str:
    """Return the nftables match for what counts against the limit of a service."""
    syn = " tcp flags & (syn | ack) == syn" if service.protocol == "tcp" else ""
    return f"{opened(service)}{syn}"


@dataclass(frozen=True, slots=True)
class Limited:
    """A service that is limited, for sources that are counted alike.

    Attributes:
        service: on the interfaces by which a packet comes in first, for those sources.
        key: the words of nftables for whose budget a packet is of.
    """

    service: InputService
    limit: Limit
    key: str = "ip saddr"


def limited(device: Device, plan: Plan) -> Iterator[Limited]:
    """Yield the services that are limited.

    A site has one budget, whichever of its LAN's addresses a packet bears; any other source has its own. What
    comes into a VRF is seen once more on the VRF's own interface, and counted once.
    """
    virtual = {item.name for item in device.interfaces if item.kind is InterfaceKind.VRF}
    for service in device.firewall.services if device.firewall else ():
        interfaces = tuple(name for name in service.interfaces if name not in virtual)
        if service.limit is None or not interfaces:
            continue
        sites = tuple(source for source in service.sources if _holds_sites(source, plan))
        single = tuple(source for source in service.sources if source not in sites)
        here = replace(service, interfaces=interfaces)
        if single:
            yield Limited(replace(here, sources=single), service.limit)
        if sites:
            key = f"ip saddr & {plan.sites[0].lan.netmask}"
            yield Limited(replace(here, sources=sites), service.limit, key)


def _holds_sites(source: IPv4Network, plan: Plan) -> bool:
    """Whether the sources are the LANs of many sites, which are all of one size."""
    return bool(plan.sites) and source != plan.sites[0].lan and plan.sites[0].lan.subnet_of(source)


def meters(device: Device, plan: Plan) -> dict[str, tuple[Limit, int]]:
    """Return limit and number of possible sources of each service that is limited, by its name.

    One that is full would let further sources pass unlimited: it has room for all that may be.
    """
    found: dict[str, tuple[Limit, int]] = {}
    for one in limited(device, plan):
        name = one.service.name
        limit, sources = found.get(name, (one.limit, 0))
        sources += sum(source.num_addresses for source in one.service.sources)
        found[name] = max(limit, one.limit, key=lambda one: one.octets), min(sources, _MOST_SOURCES)
    return found


def beyond(limit: Limit, name: str, key: str = "ip saddr") -> str:
    """Return what nftables does with a packet beyond the limit of its source."""
    budget = f"limit rate over {limit.rate}/second burst {limit.burst} packets"
    return f"update @rate_{name} {{ {key} {budget} }} counter name limited_{name} drop"


def beyond_octets(limit: Limit, name: str, key: str = "ip saddr") -> str:
    """Return what nftables does with a packet beyond the octets of its source; TCP sends it again, later."""
    budget = f"limit rate over {limit.octets} kbytes/second burst {limit.octets_burst} kbytes"
    return f"update @octets_{name} {{ {key} {budget} }} counter name limited_{name} drop"


@dataclass(frozen=True, slots=True)
class Adjacent:
    """One direction of sessions with peers on the same link.

    Attributes:
        match: the words of nftables for their packets, by the port of either end.
    """

    service: InputService
    match: str


def adjacent(device: Device) -> Iterator[Adjacent]:
    """Yield the sessions whose packets pass no router: either end of a TCP connection may have begun it."""
    for service in device.firewall.services if device.firewall else ():
        for end in ("dport", "sport") if service.protocol == "tcp" else ("dport",):
            if service.adjacent:
                yield Adjacent(service, f"{service.protocol} {end} {braces(service.adjacent)}")


def answered(device: Device) -> tuple[object, ...]:
    """Return where packets for a device itself go: its addresses, and the groups of its link (RFC 5771)."""
    return (*own_addresses(device), _ON_LINK)


def multicast_copy(device: Device) -> str:
    """Return the nftables match for packets that come in once more on the virtual gateway's own interface.

    Empty where there is none. Only that interface has joined VRRP's group, so the first of both is not read.
    """
    return f'iifname "{device.vrrp.interface}" ip daddr {_ON_LINK}' if device.vrrp else ""


def lan_side(device: Device) -> str:
    """Return the interfaces by which packets of a device's LAN come in, its virtual gateway's too."""
    return quoted((LAN_IF, *([device.vrrp.virtual_interface] if device.vrrp else [])))


def nested(device: Device) -> tuple[str, ...]:
    """Return the encrypted interfaces that are themselves the inside of a tunnel: ESP comes in ESP there."""
    encrypted = device.firewall.encrypted if device.firewall else ()
    kinds = {item.name: item.kind for item in device.interfaces}
    return tuple(name for name in encrypted if kinds.get(name) is InterfaceKind.XFRM)


def dispatched(device: Device) -> str:
    """Return what becomes of a packet by the interface it comes in on: a verdict map of nftables.

    Sources are examined where the plan knows them; what is in no entry comes from an unknown interface.
    """
    checked = [item.interface for item in device.firewall.sources] if device.firewall else []
    access = device.firewall.management if device.firewall else None
    if access is not None and access.interface:
        checked.append(access.interface)
    verdicts = {name: f"goto from_{identifier(name)}" for name in checked}
    # IP beside the session that a port carries is none of the line's.
    verdicts |= dict.fromkeys(device.below_sessions, "drop")
    entries = {name: verdicts.get(name, "accept") for name in (*_known(device), *checked)}
    return braces(f'"{name}" : {verdict}' for name, verdict in entries.items())


def management_side(device: Device) -> str:
    """Return the nftables match for the interfaces on which a device is managed."""
    access = device.firewall.management if device.firewall else None
    if access is not None and access.interface:
        return f'iifname "{access.interface}"'
    return f"iifname != {quoted(_known(device))}"


def untracked_side(device: Device) -> str:
    """Return the nftables match for where every packet is tracked: on management's interfaces."""
    return f"iifname != {quoted(_known(device)[1:])}"


def own_addresses(device: Device) -> tuple[IPv4Address, ...]:
    """Return every address at which a device answers itself, its virtual gateway's too."""
    return tuple(dict.fromkeys((*device.addresses, *([device.vrrp.address] if device.vrrp else []))))


def _known(device: Device) -> tuple[str, ...]:
    """Every interface of the plan on which IP packets come in; a virtual gateway's and a PGW's are made."""
    made = [device.vrrp.virtual_interface] if device.vrrp else []
    if device.firewall is not None:
        made += [name for pair in device.firewall.pairs for name in pair.inside_interfaces]
        made += [item.interface for item in device.firewall.sources]
    planned = [item.name for item in device.interfaces if item.kind is not InterfaceKind.RADIO]
    return tuple(dict.fromkeys(("lo", *planned, *made)))


def local_selector(selector: TrafficSelector) -> str:
    """Return the local side of a traffic selector in strongSwan's words."""
    return f"{selector.local}{_carried(selector)}"


def remote_selector(selector: TrafficSelector) -> str:
    """Return the remote side of a traffic selector in strongSwan's words."""
    return f"{selector.remote}{_carried(selector)}"


def _carried(selector: TrafficSelector) -> str:
    return f"[{selector.protocol}]" if selector.protocol else ""


def dotted_mac(link_address: str) -> str:
    """Return a link address as Cisco writes it: ``0200.0a10.0112``."""
    digits = link_address.replace(":", "")
    return f"{digits[:4]}.{digits[4:8]}.{digits[8:]}"


def identifier(interface: str) -> str:
    """Return an interface's name as an nftables identifier."""
    return interface.replace("-", "_")


def braces(items: Iterable[object]) -> str:
    """Return an nftables set of addresses, prefixes or numbers."""
    return f"{{ {', '.join(_some(items))} }}"


def pairs(neighbours: Iterable[Neighbour]) -> Iterator[str]:
    """Yield address and link address of each neighbour, as nftables concatenates them."""
    return (f"{one.address} . {one.link_address}" for one in neighbours)


def quoted(items: Iterable[str]) -> str:
    """Return an nftables set of interface names."""
    names = '", "'.join(_some(items))
    return f'{{ "{names}" }}'


def _some(items: Iterable[object]) -> tuple[str, ...]:
    """Refuse what nft refuses, an empty set or name: the plan leaves such a rule out."""
    words = tuple(map(str, items))
    if not all(words) or not words:
        raise jinja2.TemplateRuntimeError(
            "a rule needs a set of addresses or names, and this is an empty set"
        )
    return words
