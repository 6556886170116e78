"""All design verdicts of a service, in the order of the catalogue."""

from collections.abc import Iterable, Iterator

from heiiki.checks import availability, cost, independence, separation, switchover
from heiiki.plan.model import Plan
from heiiki.render.model import DeviceBuild
from heiiki.requirements import Result, Stage, Verdict, requirement

_MOST_SITES = 1000
_CLOSED = {"ip_vpn": "IP-VPN", "lte_apn": "carrier APN"}


def design(plan: Plan, builds: Iterable[DeviceBuild]) -> tuple[Verdict, ...]:
    """Return the design verdicts of `plan`.

    Args:
        plan: the service.
        builds: what its devices are sent; the switch-over budget is summed from these texts (D21).
    """
    return (
        *availability.verdicts(plan),
        *switchover.verdicts(plan, builds),
        *independence.verdicts(plan),
        _scale(plan),
        *cost.verdicts(plan),
        *_closed(plan),
        *separation.verdicts(plan),
    )


def _scale(plan: Plan) -> Verdict:
    count = len(plan.sites)
    return Verdict(
        "R-SCALE",
        requirement("R-SCALE").clause,
        plan.service,
        Stage.DESIGN,
        Result.PASS if count <= _MOST_SITES else Result.FAIL,
        reason="" if count <= _MOST_SITES else "more sites than one DRAS serves: split the service",
        measured=float(count),
        bound=float(_MOST_SITES),
        unit="sites",
    )


def _closed(plan: Plan) -> Iterator[Verdict]:
    for network in plan.networks:
        closed = network.kind in _CLOSED
        yield Verdict(
            "R-CLOSED",
            requirement("R-CLOSED").clause,
            f"network {network.letter}",
            Stage.DESIGN,
            Result.PASS if closed else Result.FAIL,
            reason=_CLOSED.get(network.kind, f"{network.kind} is not a closed network"),
        )
