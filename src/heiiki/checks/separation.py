"""R-ISO-SITE on paper: hub-and-spoke route targets, hub filters, and forwarding rules (D2)."""

from collections.abc import Iterator

from heiiki.plan.model import BgpInstance, Device, Plan, Role
from heiiki.requirements import Result, Stage, Verdict, requirement


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield one verdict for each device that could join two sites."""
    for device in plan.devices:
        if device.role in (Role.PE_ROUTER, Role.CE_ROUTER, Role.LTE_GATEWAY):
            faults = (*_targets(device), *_announcements(plan, device), *_pairs(plan, device))
            yield Verdict(
                "R-ISO-SITE",
                requirement("R-ISO-SITE").clause,
                device.name,
                Stage.DESIGN,
                Result.FAIL if faults else Result.PASS,
                reason="; ".join(faults),
            )


def _targets(device: Device) -> Iterator[str]:
    """No VRF of a site may import what a VRF of a site exports."""
    spokes = (
        [item for item in _vrfs(device) if item.vrf in device.firewall.separated] if device.firewall else []
    )
    exported = {target for item in spokes if item.vpn for target in item.vpn.exports}
    for item in spokes:
        if item.vpn and exported & set(item.vpn.imports):
            yield f"VRF {item.vrf} imports {', '.join(sorted(exported & set(item.vpn.imports)))}, which sites export"


def _vrfs(device: Device) -> tuple[BgpInstance, ...]:
    return tuple(item for item in device.router.bgp if item.vrf) if device.router else ()


def _announcements(plan: Plan, device: Device) -> Iterator[str]:
    """Nobody tells a site of another site's LAN."""
    if device.router is None:
        return
    sets = {item.name: item for item in device.router.prefix_sets}
    lans = {site.name: site.lan for site in plan.sites}
    for instance in device.router.bgp:
        for neighbor in instance.neighbors:
            told = sets[neighbor.announce].prefixes if neighbor.announce else ()
            site = plan.device(neighbor.device).site
            for name, lan in lans.items() if site and site != device.site else ():
                if any(prefix.overlaps(lan) for prefix in told):
                    yield f"{neighbor.device} is told of the LAN of {name}"


def _pairs(plan: Plan, device: Device) -> Iterator[str]:
    """No pair rule names site LANs on both sides."""
    for pair in device.firewall.pairs if device.firewall else ():
        inside = {site.name for site in plan.sites if any(item.overlaps(site.lan) for item in pair.inside)}
        outside = {site.name for site in plan.sites if any(item.overlaps(site.lan) for item in pair.outside)}
        if inside and outside:
            yield f"pair {pair.name} joins {', '.join(sorted(inside))} with {', '.join(sorted(outside))}"
