"""The subjects of the design stage, from sites, networks and devices: none of the checks is asked for them.

A check that says nothing of a site or a device would otherwise leave the cell to the others (D14).
"""

from collections.abc import Iterator

from heiiki.design import cost, dot1x, enrolment, pppoe, rates, separation, sizes, time, vendors, wlan
from heiiki.design.associations import ACCESS, ESP, THEFT, is_hub_line
from heiiki.plan import names
from heiiki.plan.model import Link, Network, Plan, SitePlan
from heiiki.render.dot1x import REQUIREMENT as PORT
from heiiki.render.pppoe import REQUIREMENT as LINE
from heiiki.render.wlan import REQUIREMENT as WLAN

Subject = tuple[str, str]
"""Requirement and subject."""

MANAGEMENT = "management"
CARRIER = "R-CLOSED/carrier"


def subjects(plan: Plan) -> Iterator[Subject]:
    """Yield requirement and subject of every verdict that the design stage must give on `plan`."""
    yield "R-SCALE", plan.service
    for site in plan.sites:
        yield from _of_site(plan, site)
    yield from ((rates.REQUIREMENT, subject) for subject in rates.subjects(plan))
    for identifier in ("R-CLOSED", CARRIER):
        yield from ((identifier, f"network {network}") for network in Network)
    if any(device.firewall and device.firewall.management for device in plan.managed()):
        yield "R-CLOSED", MANAGEMENT
    yield from (("R-ISO-SITE", device.name) for device in separation.joining(plan))
    for link in plan.links:
        if link.network is not None and is_hub_line(link):
            yield from _of_line(link, link.network)
    yield from ((identifier, "algorithms") for identifier in (ACCESS, ESP))
    yield ACCESS, "lifetimes"
    yield from ((time.REQUIREMENT, time.subject(*one)) for one in time.subjects(plan))
    yield from ((enrolment.REQUIREMENT, subject) for subject in enrolment.subjects(plan))
    yield THEFT, "revocation"
    yield from ((WLAN, subject) for subject in wlan.subjects(plan))
    yield from ((PORT, subject) for subject in dot1x.subjects(plan))
    yield from ((LINE, subject) for subject in pppoe.subjects(plan))
    yield from vendors.subjects(plan)


def _of_site(plan: Plan, site: SitePlan) -> Iterator[Subject]:
    yield from ((identifier, site.name) for identifier in ("R-AVAIL", "R-GAP", "R-DUAL", "R-FIT"))
    yield from (("R-COST", subject) for subject in cost.subjects(plan, site))
    for network in Network:
        yield ACCESS, f"{site.name} over {network.upper()}"
        yield sizes.REQUIREMENT, sizes.subject(site, network)
        yield ACCESS, _return(site.gateway(network), names.ON[network].hub_ce, network)


def _return(initiator: str, responder: str, network: Network) -> str:
    return f"return of {initiator} to {responder} over {network.upper()}"


def _of_line(link: Link, network: Network) -> Iterator[Subject]:
    """Yield the subjects of the hub's line to a carrier; other customers' lines have none."""
    hub, ends = names.ON[network].hub_ce, [end.device for end in link.ends]
    if hub in ends:
        (edge,) = (name for name in ends if name != hub)
        yield ESP, link.name
        yield ESP, _return(hub, edge, network)
