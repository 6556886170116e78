"""R-DUAL on paper: two carriers, and no element on both paths (TR-1072 5.3.1, 7.1)."""

from collections.abc import Iterator

from heiiki.design.revoked import explained, lost
from heiiki.plan.model import Function, Network, Plan, SitePlan
from heiiki.requirements import Result, Stage, Verdict

_NETWORKS = 2


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield one verdict a site, naming what both paths share."""
    carriers = {network.carrier for network in plan.networks}
    switches = frozenset(device.name for device in plan.devices if device.function is Function.SWITCH)
    ways = {(path.site, path.network): path.elements for path in plan.paths}
    for site in plan.sites:
        over_a, over_b = ways.get((site.name, Network.A), ()), ways.get((site.name, Network.B), ())
        if not over_a or not over_b:
            yield _verdict(site, Result.UNKNOWN, "the plan has no path over one of the networks", None)
            continue
        shared = set(over_a) & set(over_b) - _permitted(site, switches)
        reasons = [f"both paths use {name}" for name in sorted(shared)]
        if len(carriers) < _NETWORKS:
            reasons.append("both networks are of one carrier")
        if gone := lost(plan, site):
            reasons.append(explained(gone))
        result = Result.FAIL if reasons else Result.PASS
        yield _verdict(site, result, "; ".join(reasons) or _scope(site), None if gone else float(len(shared)))


def _verdict(site: SitePlan, result: Result, reason: str, measured: float | None) -> Verdict:
    return Verdict("R-DUAL", site.name, Stage.DESIGN, result, reason, measured, 0.0, "shared elements")


def _permitted(site: SitePlan, switches: frozenset[str]) -> frozenset[str]:
    """LAN switches are out of scope (D8); configuration (a) has one gateway by its nature."""
    return switches | frozenset(site.gateways if len(site.gateways) == 1 else ())


def _scope(site: SitePlan) -> str:
    kind = "(a) networks doubled" if len(site.gateways) == 1 else "(b) networks and equipment doubled"
    return f"figure 5.18 {kind}; ducts and power shared by the carriers are not declared"
