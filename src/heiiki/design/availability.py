"""R-AVAIL on paper: unavailability from the suppliers' figures (TR-1072 5.3.1, figure 5.18)."""

from collections.abc import Iterator

from heiiki.design.revoked import explained, lost
from heiiki.plan.model import Network, Plan, SitePlan
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.figures import settled

BOUND = 2e-5
_PATH_A, _PATH_B = ("ip_access", "ip_core", "ip_access"), ("lte_radio", "lte_core", "ip_access")
_OWN = ("ce_router", "lte_gateway")


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield one verdict a site: DRAS to BEMS/ERC, switch-over taken as perfect."""
    figures = {item.component: item.unavailability for item in plan.reliability}
    missing = sorted({*_PATH_A, *_PATH_B, *_OWN} - figures.keys())
    for site in plan.sites:
        if missing:
            reason = f"the reliability of {', '.join(missing)} is not stated"
            yield _verdict(site, Result.UNKNOWN, reason, None)
            continue
        gone = lost(plan, site)
        value = settled(unavailability(site, figures, frozenset(gone)))
        if value <= BOUND:
            yield _verdict(site, Result.PASS, "", value)
        else:
            better = "take better components, or double the equipment (figure 5.18 b)"
            yield _verdict(site, Result.FAIL, explained(gone) if gone else better, value)


def _verdict(site: SitePlan, result: Result, reason: str, measured: float | None) -> Verdict:
    return Verdict("R-AVAIL", site.name, Stage.DESIGN, result, reason, measured, BOUND)


def unavailability(
    site: SitePlan, figures: dict[str, float], lost: frozenset[Network] = frozenset()
) -> float:
    """Return the probability that no path works: both fail, or the one gateway does.

    Over a network that is `lost`, because its gateway is revoked, no path works at all.

    The hub has a CE router to each carrier; its building, and the LANs' switches, are out of scope (D8).
    """
    doubled = site.redundancy == "networks_and_equipment"
    own_a = ("ce_router",) if doubled else ()
    own_b = ("lte_gateway",) if doubled else ()
    path_a = 1.0 if Network.A in lost else _any_fails(figures, (*_PATH_A, "ce_router", *own_a))
    path_b = 1.0 if Network.B in lost else _any_fails(figures, (*_PATH_B, "ce_router", *own_b))
    both = path_a * path_b
    shared = 0.0 if doubled else figures["lte_gateway"]
    return 1 - (1 - both) * (1 - shared)


def _any_fails(figures: dict[str, float], components: tuple[str, ...]) -> float:
    works = 1.0
    for component in components:
        works *= 1 - figures[component]
    return 1 - works
