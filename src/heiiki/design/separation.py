"""R-ISO-SITE on paper: hub-and-spoke route targets, filters of announcements, and forwarding rules (D2)."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from heiiki.plan.model import BgpInstance, BgpNeighbor, Device, Function, Plan, Role
from heiiki.requirements import Result, Stage, Verdict

_ROUTERS = (Role.PE_ROUTER, Role.CE_ROUTER, Role.LTE_GATEWAY)
_PAIR = 2
_LOOKED_AT = (
    "looked at: route targets, announcements, forwarding pairs, lines kept apart; not at: IPv6, layer 2, "
    "what a device runs beside its plan"
)
_SHOWN = 3
"""Names that a reason shows before it counts the rest."""


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield one verdict for each device that could join two sites."""
    addresses = _SiteAddresses.of(plan)
    exported = _exported_by_sites(plan)
    for device in joining(plan):
        if device.revoked:
            reason = "it is revoked, and sent nothing: what it could join is refused at the others"
            yield Verdict("R-ISO-SITE", device.name, Stage.DESIGN, Result.NOT_APPLICABLE, reason)
            continue
        faults = (
            *_missing(device),
            *_targets(plan, device, exported),
            *_announcements(plan, device, addresses),
            *_pairs(device, addresses),
            *_separated(plan, device),
        )
        yield _verdict(device, faults, len(plan.sites))


def _verdict(device: Device, faults: tuple[str, ...], sites: int) -> Verdict:
    if faults:
        result, reason = Result.FAIL, "; ".join(faults)
    elif sites < _PAIR:
        result, reason = Result.NOT_APPLICABLE, "the service has one site, and no other to reach"
    else:
        beside = f"; its file: platform of {device.name}" if device.by_hand else ""
        result, reason = Result.PASS, f"{sites} sites; {_LOOKED_AT}{beside}"
    return Verdict("R-ISO-SITE", device.name, Stage.DESIGN, result, reason)


def joining(plan: Plan) -> Iterator[Device]:
    """Yield every device that forwards for more than one site, or stands at one: it could join two."""
    return (device for device in plan.devices if device.role in _ROUTERS or device.function is Function.PGW)


@dataclass(frozen=True, slots=True)
class _SiteAddresses:
    """What sites own, as ranges in order: LANs, and the SIMs' addresses.

    Attributes:
        firsts: first address of each range.
        lasts: last address of each range, in the same order.
        names: the site of each range.
    """

    firsts: tuple[int, ...]
    lasts: tuple[int, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, plan: Plan) -> "_SiteAddresses":
        """Collect the ranges; no two overlap, for the pools do not."""
        ranges = sorted(
            (int(first), int(last), site.name)
            for site in plan.sites
            for first, last in ((site.lan[0], site.lan[-1]), (site.sim_address, site.sim_address))
        )
        firsts, lasts, names = zip(*ranges, strict=True) if ranges else ((), (), ())
        return cls(firsts, lasts, names)

    def owners(self, prefixes: Iterable[IPv4Network]) -> dict[str, None]:
        """Return the sites of which `prefixes` hold an address, in order of address."""
        found: dict[str, None] = {}
        for prefix in prefixes:
            start = bisect_left(self.lasts, int(prefix.network_address))
            end = bisect_right(self.firsts, int(prefix.broadcast_address))
            found |= dict.fromkeys(self.names[start:end])
        return found


def _missing(device: Device) -> Iterator[str]:
    if device.firewall is None:
        yield "no packet filter"
    if device.router is None and device.role in _ROUTERS:
        yield "no routing"


def _vrfs(device: Device) -> tuple[BgpInstance, ...]:
    return tuple(item for item in device.router.bgp if item.vrf) if device.router else ()


def _spokes(plan: Plan, device: Device) -> Iterator[BgpInstance]:
    """Yield the VRFs that lead to a site."""
    for item in _vrfs(device):
        if any(plan.device(neighbor.device).site for neighbor in item.neighbors):
            yield item


def _exported_by_sites(plan: Plan) -> frozenset[str]:
    """Every route target that a site's VRF exports, on whatever PE."""
    spokes = (item for device in plan.devices for item in _spokes(plan, device))
    return frozenset(target for item in spokes if item.vpn for target in item.vpn.exports)


def _targets(plan: Plan, device: Device, exported: frozenset[str]) -> Iterator[str]:
    """No VRF of a site may import what a VRF of a site exports."""
    for item in _spokes(plan, device):
        leaks = exported & set(item.vpn.imports) if item.vpn else frozenset()
        if leaks:
            yield f"VRF {item.vrf} imports {', '.join(sorted(leaks))}, which sites export"


def _announcements(plan: Plan, device: Device, addresses: _SiteAddresses) -> Iterator[str]:
    """No session tells a site of another site's LAN."""
    sets = {item.name: item for item in device.router.prefix_sets} if device.router else {}
    for neighbor in _sessions_to_others(plan, device):
        if neighbor.announce is None or neighbor.announce not in sets:
            yield f"{neighbor.device} is told of every route: no filter holds the announcement back"
            continue
        told = addresses.owners(sets[neighbor.announce].prefixes)
        told.pop(plan.device(neighbor.device).site or "", None)
        if told:
            yield f"{neighbor.device} is told of the LAN of {_some(told)}"


def _sessions_to_others(plan: Plan, device: Device) -> Iterator[BgpNeighbor]:
    """Yield the sessions to a site's gateway that does not stand beside this device."""
    for instance in device.router.bgp if device.router else ():
        for neighbor in instance.neighbors:
            if plan.device(neighbor.device).site not in {None, device.site}:
                yield neighbor


def _pairs(device: Device, addresses: _SiteAddresses) -> Iterator[str]:
    """No pair rule names addresses of sites on both sides."""
    for pair in device.firewall.pairs if device.firewall else ():
        inside, outside = addresses.owners(pair.inside), addresses.owners(pair.outside)
        if inside and outside:
            yield f"pair {pair.name} joins {_some(inside)} with {_some(outside)}"


def _separated(plan: Plan, device: Device) -> Iterator[str]:
    """Where lines of sites end, a rule before all others lets nothing pass between them."""
    lines: dict[str, list[str]] = defaultdict(list)
    for item in device.interfaces:
        if item.peer and item.vrf and (site := plan.device(item.peer).site):
            lines[site] += [item.name, item.vrf]
    dropped = set(device.firewall.separated) if device.firewall else set()
    open_ = [name for names in lines.values() for name in names if name not in dropped]
    if open_:
        yield f"no rule keeps {_some(open_)} from the other sites' lines"


def _some(names: Iterable[str]) -> str:
    every = list(names)
    rest = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return f"{', '.join(every[:_SHOWN])}{rest}"
