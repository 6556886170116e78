"""All design verdicts of a service, in the order of the catalogue."""

from collections.abc import Iterable, Iterator

from heiiki.design import (
    availability,
    cost,
    dot1x,
    enrolment,
    independence,
    management,
    pppoe,
    rates,
    separation,
    sizes,
    switchover,
    time,
    trust,
    vendors,
    wlan,
)
from heiiki.design.subjects import CARRIER, subjects
from heiiki.design.texts import read
from heiiki.plan.model import ClosedNetwork, Plan
from heiiki.render.model import DeviceBuild
from heiiki.requirements import NOTHING_EXAMINED, REQUIREMENTS, Result, Stage, Verdict

_MOST_SITES = 1000
_NO_LOAD = "the load of DRAS, XMPP server, hub routers and Vault server with that many was not tried"
_CLOSED = {"ip_vpn": "IP-VPN", "lte_apn": "carrier APN"}


def design(plan: Plan, builds: Iterable[DeviceBuild]) -> tuple[Verdict, ...]:
    """Return the design verdicts of `plan`; a subject about which nothing was found is *unknown*.

    Args:
        plan: the service.
        builds: what its devices are sent; the switch-over budget is summed from these texts (D21).
    """
    sent = read(plan, builds)
    found = (
        *availability.verdicts(plan, sent),
        *switchover.verdicts(plan, sent),
        *independence.verdicts(plan, sent),
        *_scale(plan),
        *cost.verdicts(plan),
        *sizes.verdicts(plan, sent),
        *rates.verdicts(plan),
        *_closed(plan),
        *management.verdicts(plan),
        *_transit(plan),
        *separation.verdicts(plan),
        *trust.verdicts(plan, sent),
        *time.verdicts(plan, sent),
        *enrolment.verdicts(plan, sent),
        *wlan.verdicts(plan, sent),
        *dot1x.verdicts(plan, sent),
        *pppoe.verdicts(plan, sent),
        *vendors.verdicts(plan, sent),
    )
    return (*found, *_not_examined(plan, found))


def _not_examined(plan: Plan, found: Iterable[Verdict]) -> Iterator[Verdict]:
    """Yield *unknown* for each subject of the plan, and each requirement, of which nothing was found."""
    seen = {(verdict.requirement, verdict.subject) for verdict in found}
    missing = [subject for subject in subjects(plan) if subject not in seen]
    for identifier, subject in missing:
        yield Verdict(identifier, subject, Stage.DESIGN, Result.UNKNOWN, NOTHING_EXAMINED)
    named = {identifier for identifier, _ in (*seen, *missing)}
    for item in REQUIREMENTS:
        if Stage.DESIGN in item.stages and item.id not in named:
            yield Verdict(item.id, plan.service, Stage.DESIGN, Result.UNKNOWN, NOTHING_EXAMINED)


def _scale(plan: Plan) -> Iterator[Verdict]:
    count = len(plan.sites)
    if count:
        yield Verdict(
            "R-SCALE",
            plan.service,
            Stage.DESIGN,
            Result.PASS if count <= _MOST_SITES else Result.FAIL,
            reason=f"the plan's sites were counted; {_NO_LOAD}"
            if count <= _MOST_SITES
            else "more sites than one DRAS serves: split the service",
            measured=float(count),
            bound=float(_MOST_SITES),
            unit="sites",
        )


def _closed(plan: Plan) -> Iterator[Verdict]:
    for network in plan.networks:
        closed = network.kind in _CLOSED
        yield Verdict(
            "R-CLOSED",
            f"network {network.name}",
            Stage.DESIGN,
            Result.PASS if closed else Result.FAIL,
            reason=_CLOSED.get(network.kind, f"{network.kind} is not a closed network"),
        )


def _transit(plan: Plan) -> Iterator[Verdict]:
    yield from (_carrier(network) for network in plan.networks)


def _carrier(network: ClosedNetwork) -> Verdict:
    """What only the carrier can say of the inside of its network: somebody has its word, or it is unknown."""
    result = Result.PASS if network.transit else Result.UNKNOWN
    told = f"{network.carrier}'s word, by {network.transit}; no device of the service can measure it"
    unknown = (
        f"no device of the service sees how {network.carrier} leads its packets; get the carrier's word, and "
        f"write `transit:` below `networks: {network.name}:` in service.yml"
    )
    return Verdict(
        CARRIER, f"network {network.name}", Stage.DESIGN, result, told if network.transit else unknown
    )
