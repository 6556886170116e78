"""What revoked devices take away: a gateway without certificate and SIM carries nothing until replaced."""

from collections.abc import Iterable, Mapping

from heiiki.design.associations import Association
from heiiki.plan.model import Network, Plan, SitePlan


def lost(plan: Plan, site: SitePlan) -> Mapping[Network, str]:
    """Return the networks over which a site has no path left, each with the gateway that is revoked."""
    return {network: site.gateway(network) for network in Network if site.gateway(network) in plan.revoked}


def ended(gone: frozenset[str], one: Association) -> str:
    """Return the end of an association that is revoked; empty when neither is."""
    return next((side.device for side in one.sides if side.device in gone), "")


def unused(plan: Plan, elements: Iterable[str]) -> str:
    """Return why a path over these is not used, one of them being revoked; empty when none is."""
    gone = plan.revoked.intersection(elements)
    return f"{min(gone)} is revoked: nothing of the service is sent over this path" if gone else ""


def explained(lost: Mapping[Network, str]) -> str:
    """Return what is lost and what mends it, as human-readable text."""
    names = " and ".join(dict.fromkeys(lost.values()))
    verb = "are" if " and " in names else "is"
    left = "one path is left" if len(lost) == 1 else "no path is left"
    return f"{names} {verb} revoked, {left}: replace it and run enrol.yml"
