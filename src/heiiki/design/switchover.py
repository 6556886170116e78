"""R-GAP on paper: the switch-over budget, from the timers in the rendered text (D21), not from the plan."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from heiiki.design.revoked import explained, lost
from heiiki.design.sent import BFD, Sent
from heiiki.plan import names
from heiiki.plan.model import Device, Plan, SitePlan
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.figures import settled

BOUND_S = 2.0
CONVERGENCE_S = 0.4
"""From the end of a session to the new route in every kernel on the way, as the lab measures it."""


_UNMEASURED = "how long {} takes to converge was not measured: on Linux it would be in time"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the budget: what notices, and how long it takes, seconds.

    None where no text says so; infinite where the platform has no such thing.
    """

    what: str
    seconds: float | None


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield the budget of each site: the slowest way in which a single failure is noticed and routed round.

    A timer that the plan has and the rendered texts have not makes the site's budget *unknown*.
    """
    hub = tuple(line for device in _hub_routers(plan) for line in _lan_lines(sent[device.name]))
    for site in plan.sites:
        if gone := lost(plan, site):
            yield _answer(site, Result.FAIL, explained(gone), None)
        else:
            yield _verdict(site, (*hub, *_site_lines(site, sent)), _of_vendors(plan, site))


def _of_vendors(plan: Plan, site: SitePlan) -> str:
    """Return the site's routers of vendors: how soon they converge was not measured."""
    return " and ".join(name for name in site.gateways if plan.device(name).by_hand)


def _verdict(site: SitePlan, lines: tuple[Line, ...], unmeasured: str = "") -> Verdict:
    missing = [line.what for line in lines if line.seconds is None]
    known = [(line.what, line.seconds) for line in lines if line.seconds is not None]
    never = [what for what, seconds in known if math.isinf(seconds)]
    noticed = [(what, seconds) for what, seconds in known if what not in never]
    total = settled(max((seconds for _, seconds in noticed), default=0.0) + CONVERGENCE_S)
    text = "; ".join(f"{what} {seconds:.2f} s" for what, seconds in noticed)
    if never:
        return _answer(site, Result.FAIL, f"noticed by nothing: {', '.join(never)}; {text}", total)
    if missing or not known:
        what = (
            f"the rendered texts have no timer of {', '.join(missing)}"
            if missing
            else "nothing watches the paths"
        )
        return _answer(site, Result.UNKNOWN, what, None)
    if total > BOUND_S:
        return _answer(site, Result.FAIL, f"{text}; convergence {CONVERGENCE_S:.2f} s", total)
    if unmeasured:
        reason = f"{text}; {_UNMEASURED.format(unmeasured)}"
        return _answer(site, Result.UNKNOWN, reason, None)
    return _answer(site, Result.PASS, f"{text}; convergence {CONVERGENCE_S:.2f} s", total)


def _answer(site: SitePlan, result: Result, reason: str, measured: float | None) -> Verdict:
    return Verdict("R-GAP", site.name, Stage.DESIGN, result, reason, measured, BOUND_S, "s")


def _site_lines(site: SitePlan, sent: Mapping[str, Sent]) -> Iterator[Line]:
    """The overlay session of the primary, at both ends, and what watches the LAN."""
    hub = names.ON[site.primary].hub_ce
    gateway = site.gateway(site.primary)
    ends = ((gateway, hub), (hub, gateway))
    watches = [sent[device].supervision(peer) for device, peer in ends]
    # BFD that one end has not, neither has: what the two agree on decides at both.
    agreed = next((one for one in watches if one.what != BFD), None)
    for (device, peer), watch in zip(ends, watches, strict=True):
        decides = agreed or watch
        yield Line(f"{decides.what} {device} to {peer}", decides.seconds)
    for name in site.gateways:
        yield from _lan_lines(sent[name])


def _hub_routers(plan: Plan) -> Iterator[Device]:
    return (device for device in plan.devices if device.site is None and device.vrrp is not None)


def _lan_lines(sent: Sent) -> Iterator[Line]:
    device = sent.device
    if device.vrrp is not None:
        yield Line(f"VRRP {device.name}", sent.master_down)
    if device.lan_watch is not None:
        yield Line(f"LAN watch {device.name}", sent.lan_silent)
    if device.vrrp is not None and device.lan_watch is not None:
        yield Line(f"route lost at {device.name}", sent.route_lost)
