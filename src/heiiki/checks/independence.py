"""R-DUAL on paper: two carriers, and no element on both paths (TR-1072 5.3.1, 7.1)."""

from collections.abc import Iterator

from heiiki.plan.model import Plan, SitePlan
from heiiki.requirements import Result, Stage, Verdict, requirement


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield one verdict a site, naming what both paths share."""
    carriers = {network.carrier for network in plan.networks}
    ways = {(path.site, path.network): path.elements for path in plan.paths}
    for site in plan.sites:
        shared = set(ways[site.name, "a"]) & set(ways[site.name, "b"]) - _permitted(plan, site)
        reasons = [f"both paths use {name}" for name in sorted(shared)]
        if len(carriers) < len(plan.networks):
            reasons.append("both networks are of one carrier")
        yield Verdict(
            "R-DUAL",
            requirement("R-DUAL").clause,
            site.name,
            Stage.DESIGN,
            Result.FAIL if reasons else Result.PASS,
            reason="; ".join(reasons) or _scope(site),
            measured=float(len(shared)),
            bound=0.0,
            unit="shared elements",
        )


def _permitted(plan: Plan, site: SitePlan) -> set[str]:
    """LAN switches are out of scope (D8); configuration (a) has one gateway by its nature."""
    switches = {device.name for device in plan.devices if device.function == "switch"}
    return switches | set(site.gateways if len(site.gateways) == 1 else ())


def _scope(site: SitePlan) -> str:
    kind = "(a) networks doubled" if len(site.gateways) == 1 else "(b) networks and equipment doubled"
    return f"figure 5.18 {kind}; ducts and power shared by the carriers are not declared"
