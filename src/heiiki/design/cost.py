"""R-COST and R-FIT on paper: what a line costs, whether it suits the resource (TR-1072 5.3.1, 7.2, 7.3)."""

from collections.abc import Iterator
from dataclasses import dataclass

from heiiki.design.volume import Volume, service_mb, volume
from heiiki.plan.model import ClosedNetwork, Network, Plan, SitePlan, Timers
from heiiki.plan.timers import PROFILES
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.figures import apart, settled

BOUND_YEN = 1000.0


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield R-COST for each line, and for the standby in a month that it carries; R-FIT for each primary."""
    for site in plan.sites:
        for month in _months(plan, site):
            yield _cost(plan, site, month)
        yield _fit(plan, site)


def subjects(plan: Plan, site: SitePlan) -> Iterator[str]:
    """Yield the subjects of a site's verdicts on R-COST."""
    return (month.subject(site) for month in _months(plan, site))


@dataclass(frozen=True, slots=True)
class _Month:
    """A month of one line: an ordinary one, or one in which the standby carries what the primary should."""

    network: ClosedNetwork
    carries: bool
    down: bool = False

    def subject(self, site: SitePlan) -> str:
        return f"{line(site, self.network.name)}{', primary down' if self.down else ''}"


def _months(plan: Plan, site: SitePlan) -> Iterator[_Month]:
    for network in plan.networks:
        yield _Month(network, site.primary == network.name)
        if site.primary != network.name:
            yield _Month(network, carries=True, down=True)


def line(site: SitePlan, network: Network) -> str:
    """Subject of the verdicts on a site's line to `network`."""
    return f"{site.name} on network {network}"


def yen(network: ClosedNetwork, megabytes: float) -> float:
    """Return what a month in which so much crosses a line costs, yen."""
    extra = max(0.0, megabytes - network.included_mb) if network.included_mb is not None else 0.0
    return settled(network.monthly_yen + extra * network.yen_per_extra_mb)


def _cost(plan: Plan, site: SitePlan, month: _Month) -> Verdict:
    network = month.network

    def of(timers: Timers) -> Volume:
        return volume(plan, site, network.name, timers, carries=month.carries)

    price = yen(network, of(plan.timers).total)
    both = "; ".join(_offer(network, timers, of(timers)) for timers in PROFILES.values())
    return Verdict(
        "R-COST",
        month.subject(site),
        Stage.DESIGN,
        Result.PASS if price <= BOUND_YEN else Result.FAIL,
        reason=both,
        measured=price,
        bound=BOUND_YEN,
        unit="yen a month",
    )


def _offer(network: ClosedNetwork, timers: Timers, found: Volume) -> str:
    price = yen(network, found.total)
    parts = {
        "service": found.service,
        "OpenADR": found.openadr,
        "MMS": found.mms,
        "BFD": found.supervision,
        "BGP": found.routing,
        "IKE": found.keys,
        "CRL": found.lists,
        "NTP": found.time,
    }
    told = ", ".join(f"{name} {value:,.0f}" for name, value in parts.items() if round(value))
    return (
        f"profile {timers.profile}: {found.total:,.0f} MB on the wire ({told}), "
        f"{apart(f'{price:,.0f}', price, BOUND_YEN)} yen a month"
    )


def _fit(plan: Plan, site: SitePlan) -> Verdict:
    network = next(item for item in plan.networks if item.name == site.primary)
    megabytes = round(service_mb(site), 3)
    fits = network.included_mb is None or megabytes <= network.included_mb
    limit = f"primary is network {network.name}"
    if network.included_mb is None:
        limit += ", whose line has no volume limit"
    if network.kind == "lte_apn" and any(control == "direct" for _, control in site.resources):
        limit += "; TR-1072 7.3 advises optical access for direct control"
    return Verdict(
        "R-FIT",
        site.name,
        Stage.DESIGN,
        Result.PASS if fits else Result.FAIL,
        reason=f"{limit}; looked at: the volume of the resources, not the rate of the line",
        measured=megabytes,
        bound=None if network.included_mb is None else float(network.included_mb),
        unit="MB a month",
    )
