"""R-FIT/size on paper: the largest packet of a tunnel fits, encapsulated, on every line of its path."""

import json
from collections.abc import Iterator, Mapping

from heiiki.design import vendors
from heiiki.design.associations import is_hub_line
from heiiki.design.revoked import unused
from heiiki.design.sent import Sent
from heiiki.design.vendor_sent import VendorSent
from heiiki.plan import names
from heiiki.plan.model import Link, LinkKind, Network, Plan, SitePlan
from heiiki.plan.sizes import GRE, in_esp, in_vpn, vpn_mtu
from heiiki.requirements import Result, Stage, Verdict

REQUIREMENT = "R-FIT/size"
_LINKS = "/etc/heiiki/links.json"
_WITH_A_SIZE = (LinkKind.ACCESS, LinkKind.RADIO)


def subject(site: SitePlan, network: Network) -> str:
    """Subject of the verdicts on the sizes of one path."""
    return f"{site.name} over {network.upper()}"


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield one verdict for each path, from the MTU that its tunnel's two ends are sent."""
    lines = {link.name: link for link in plan.links if link.kind in _WITH_A_SIZE}
    tunnels = dict(_tunnels(plan, sent))
    sites = {site.name: site for site in plan.sites}
    for path in (path for path in plan.paths if path.site in sites):
        name = f"{path.site} over {path.network.upper()}"
        if reason := unused(plan, path.elements):
            yield Verdict(REQUIREMENT, name, Stage.DESIGN, Result.NOT_APPLICABLE, reason)
            continue
        stands, why = vendors.path(plan, path.elements, sent)
        if stands is not Result.PASS:
            reason = f"its tunnel is not the plan's, whose sizes are known: {why}"
            yield Verdict(REQUIREMENT, name, Stage.DESIGN, Result.UNKNOWN, reason)
            continue
        hub, gateway = names.ON[path.network].hub_ce, sites[path.site].gateway(path.network)
        ends = [tunnels.get((hub, gateway)), tunnels.get((gateway, hub))]
        yield _verdict(name, ends, [lines[element] for element in path.elements if element in lines])


def _verdict(name: str, ends: list[int | None], path: list[Link]) -> Verdict:
    known = sorted({mtu for mtu in ends if mtu is not None})
    if None in ends or not path:
        return Verdict(REQUIREMENT, name, Stage.DESIGN, Result.UNKNOWN, "an end of the tunnel is sent no MTU")
    outside, bound = in_esp(known[-1]), min(map(_room, path))
    said = (
        f"tunnel of {' and '.join(map(str, known))} octets, {outside} with GRE ({GRE}) and ESP "
        f"({outside - known[-1] - GRE}); {', '.join(map(_said, path))}"
    )
    return Verdict(
        REQUIREMENT,
        name,
        Stage.DESIGN,
        Result.PASS if outside <= bound and len(known) == 1 else Result.FAIL,
        reason=said if len(known) == 1 else f"the ends of the tunnel differ: {said}",
        measured=float(outside),
        bound=float(bound),
        unit="octets",
    )


def _room(line: Link) -> int:
    """Return the largest IP packet of a site's tunnel on a line; the hub's has a VPN of its own around it."""
    return vpn_mtu(line.mtu) if is_hub_line(line) else line.mtu


def _said(line: Link) -> str:
    inside = (
        f", {_room(line)} in its VPN, whose ESP takes {in_vpn(_room(line)) - _room(line)} at least"
        if is_hub_line(line)
        else ""
    )
    return f"{line.name} takes {line.mtu}{inside}"


def _tunnels(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[tuple[tuple[str, str], int | None]]:
    """Yield the MTU of each end of a tunnel as it is sent, by its device and the one at the far end."""
    for device in plan.devices:
        ends = {item.name: item.peer for item in device.interfaces if item.gre is not None}
        if not ends:
            continue
        there = sent[device.name]
        if isinstance(there, VendorSent):
            yield from (((device.name, peer), there.tunnel_mtu) for peer in ends.values())
            continue
        for entry in json.loads(there.files.get(_LINKS, "{}")).get("interfaces", ()):
            if entry["name"] in ends:
                yield (device.name, ends[entry["name"]]), entry.get("mtu")
