"""Whether a failure was felt: an interruption that no timer could have ended so soon was not measured at all.

Traffic that is lost on an element stays lost until something notices. What notices fastest is read from the
rendered texts, as the switch-over budget is (D21); the budget asks for the slowest and the worst moment, this
for the fastest and the best.
"""

from collections.abc import Iterator, Mapping

from heiiki.design.sent import Sent
from heiiki.plan.model import ElementKind, FailureMode, Fault, Function, Plan, SitePlan

Least = Mapping[tuple[str, str], float | None]
"""Shortest interruption that is possible, seconds, by site and direction; None where no text has a timer."""

DOWN, UP = "down", "up"
DIRECTIONS = (DOWN, UP)
_ONE_WAY = (FailureMode.SILENT_A, FailureMode.SILENT_B)

TWO_LOST_S = 0.05
"""Two test packets in a row, one each 20 ms: at 30 % a stream loses none such in 6 s once in 10^10 times."""

_FORWARDS_IN_PROCESS = (Function.ENB, Function.SGW)
"""When their processes are killed, their packets are lost. The kernel of a router goes on forwarding, and so
does that of the PGW, whose user plane is the kernel's (D17)."""


def least(plan: Plan, sent: Mapping[str, Sent], fault: Fault) -> Least:
    """Return the shortest possible interruption of each site whose traffic the failure loses.

    That is every site whose primary path has the element. A failure that is told at once, such as a lost
    carrier, and one that loses no packet, such as that of a program beside the kernel, have no least
    interruption. A lossy link has: some packets are lost, whether or not anything notices. So has a process
    that forwards and is killed: its unit may have it back before anything notices, but not before some are
    lost.
    """
    if not _loses_packets(plan, fault):
        return {}
    carried = [site for site in plan.sites if _carries(plan, fault, site)]
    return {
        (site.name, direction): _least(plan, sent, site, fault)
        for site in carried
        for direction in _directions(plan, site, fault)
    }


def _least(plan: Plan, sent: Mapping[str, Sent], site: SitePlan, fault: Fault) -> float | None:
    if fault.mode in (FailureMode.LOSSY, FailureMode.KILL):
        return TWO_LOST_S
    return min(_detections(plan, sent, site, fault), default=None)


def _directions(plan: Plan, site: SitePlan, fault: Fault) -> tuple[str, ...]:
    """Return which traffic of a site is lost; of one direction, that which the failed end sends."""
    if fault.mode not in _ONE_WAY:
        return DIRECTIONS
    elements = plan.path(site.name, site.primary).elements
    towards_site = elements[elements.index(fault.target) - 1]
    link = plan.link(fault.target)
    sender = link.a if fault.mode is FailureMode.SILENT_A else link.b
    return (UP,) if sender.device == towards_site else (DOWN,)


def _carries(plan: Plan, fault: Fault, site: SitePlan) -> bool:
    """Tell whether a site's traffic is on what fails, while nothing else has failed."""
    if fault.kind is ElementKind.NETWORK:
        return site.primary == fault.network
    return fault.target in plan.path(site.name, site.primary).elements


def _loses_packets(plan: Plan, fault: Fault) -> bool:
    if fault.mode is FailureMode.KILL:
        return plan.device(fault.target).function in _FORWARDS_IN_PROCESS
    return fault.mode in (
        FailureMode.SILENT,
        *_ONE_WAY,
        FailureMode.LOSSY,
        FailureMode.POWEROFF,
        FailureMode.AWAY,
    )


def _detections(plan: Plan, sent: Mapping[str, Sent], site: SitePlan, fault: Fault) -> Iterator[float]:
    """Yield how soon each watcher may notice, at best, seconds."""
    on_path = [sent[name] for name in plan.path(site.name, site.primary).elements if name in sent]
    on_lan = [sent[name] for name in _lan_peers(plan, site)] if _is_on_lan(plan, fault) else []
    found = [one.least_bfd for one in on_path]
    found += [one.least_vrrp for one in on_lan]
    found += [one.least_lan_watch for one in on_lan if fault.network is None]
    return (seconds for seconds in found if seconds is not None)


def _lan_peers(plan: Plan, site: SitePlan) -> Iterator[str]:
    """Yield the routers that watch one another on a LAN of the site's path."""
    yield from site.gateways
    yield from (device.name for device in plan.devices if device.site is None and device.vrrp is not None)


def _is_on_lan(plan: Plan, fault: Fault) -> bool:
    if fault.kind is not ElementKind.NODE:
        return fault.network is None
    return plan.device(fault.target).vrrp is not None
