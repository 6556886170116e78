"""R-COST and R-FIT on paper: what a line costs, whether it suits the resource (TR-1072 5.3.1, 7.2, 7.3)."""

from collections.abc import Iterator

from heiiki.plan.model import BfdProfile, ClosedNetwork, Plan, SitePlan, Timers
from heiiki.plan.timers import PROFILES
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.figures import apart, settled

BOUND_YEN = 1000.0
_MONTH_DAYS = 31
"""The month of the report's own tables."""
_MONTH_S = _MONTH_DAYS * 24 * 3600
_MEGABYTE = 1_000_000

_BFD_BYTES = 20 + 8 + 24
"""IPv4, UDP and a BFD control packet (RFC 5880, 5881)."""
_GRE_BYTES = 20 + 4
"""Outer IPv4 and GRE header (RFC 2784): on network B every packet is in the tunnel."""

_MONTHLY_BYTES = {
    ("heat_storage", "indirect"): _MONTH_DAYS * (2000 + 1500 + 2000),
    ("battery", "indirect"): _MONTH_DAYS * (2000 + 1500 + 2000),
    ("heat_storage", "direct"): _MONTH_DAYS * 1440 * (160 + 160 + 120),
    ("battery", "direct"): _MONTH_DAYS * (86400 * (400 + 120 + 160) + 48 * 600 + 600),
}
"""Bytes a month of one resource, from the rows of tables 5.5 to 5.8; indirect control as one event a day."""


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield R-COST for each line and R-FIT for each site's primary."""
    for site in plan.sites:
        for network in plan.networks:
            yield _cost(plan, site, network)
        yield _fit(plan, site)


def service_mb(site: SitePlan) -> float:
    """Return the volume of the site's resources, megabytes a month."""
    return sum(_MONTHLY_BYTES[resource] for resource in site.resources) / _MEGABYTE


def supervision_mb(profile: BfdProfile, network: str) -> float:
    """Return the volume of one BFD session, both directions, megabytes a month."""
    size = _BFD_BYTES + (_GRE_BYTES if network == "b" else 0)
    return 2 * size * _MONTH_S * 1000 / profile.interval_ms / _MEGABYTE


def _profile(site: SitePlan, network: ClosedNetwork, timers: Timers) -> BfdProfile:
    return timers.active if site.primary == network.name else timers.standby


def _monthly_mb(site: SitePlan, network: ClosedNetwork, timers: Timers) -> float:
    served = service_mb(site) if site.primary == network.name else 0.0
    return supervision_mb(_profile(site, network, timers), network.name) + served


def _yen(network: ClosedNetwork, volume: float) -> float:
    extra = max(0.0, volume - network.included_mb) if network.included_mb is not None else 0.0
    return network.monthly_yen + extra * network.yen_per_extra_mb


def _cost(plan: Plan, site: SitePlan, network: ClosedNetwork) -> Verdict:
    yen = settled(_yen(network, _monthly_mb(site, network, plan.timers)))
    both = "; ".join(_offer(site, network, timers) for timers in PROFILES.values())
    return Verdict(
        "R-COST",
        f"{site.name} on network {network.name}",
        Stage.DESIGN,
        Result.PASS if yen <= BOUND_YEN else Result.FAIL,
        reason=both,
        measured=yen,
        bound=BOUND_YEN,
        unit="yen a month",
    )


def _offer(site: SitePlan, network: ClosedNetwork, timers: Timers) -> str:
    volume = _monthly_mb(site, network, timers)
    yen = settled(_yen(network, volume))
    detection = _profile(site, network, timers).detection_ms
    return (
        f"profile {timers.profile}: detection {detection} ms, {volume:,.0f} MB, "
        f"{apart(f'{yen:,.0f}', yen, BOUND_YEN)} yen a month"
    )


def _fit(plan: Plan, site: SitePlan) -> Verdict:
    network = next(item for item in plan.networks if item.name == site.primary)
    volume = round(service_mb(site), 3)
    limit = f"primary is network {network.name}"
    if network.included_mb is None:
        limit += ", whose line has no volume limit"
    fits = network.included_mb is None or volume <= network.included_mb
    return Verdict(
        "R-FIT",
        site.name,
        Stage.DESIGN,
        Result.PASS if fits else Result.FAIL,
        reason=f"{limit}; looked at: the volume of the resources, not the rate of the line",
        measured=volume,
        bound=None if network.included_mb is None else float(network.included_mb),
        unit="MB a month",
    )
