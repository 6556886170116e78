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

DIRECTIONS = ("down", "up")

_FORWARDS_IN_PROCESS = (Function.ENB, Function.SGW, Function.PGW)
"""When their processes are killed, their packets are lost. A router's kernel goes on forwarding (D17)."""


def least(plan: Plan, sent: Mapping[str, Sent], fault: Fault) -> Least:
    """Return the shortest possible interruption of each site whose traffic the failure loses.

    That is every site whose primary path has the element. A failure that is told at once, such as a lost
    carrier, and one that loses no packet have no least interruption.
    """
    if not _loses_packets(plan, fault):
        return {}
    carried = [site for site in plan.sites if fault.target in plan.path(site.name, site.primary).elements]
    return {
        (site.name, direction): min(_detections(plan, sent, site, fault), default=None)
        for site in carried
        for direction in DIRECTIONS
    }


def _loses_packets(plan: Plan, fault: Fault) -> bool:
    if fault.mode is FailureMode.KILL:
        return plan.device(fault.target).function in _FORWARDS_IN_PROCESS
    return fault.mode in (FailureMode.SILENT, FailureMode.POWEROFF)


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
    if fault.kind is ElementKind.LINK:
        return fault.network is None
    return plan.device(fault.target).vrrp is not None
