"""R-GAP on paper: the switch-over budget, summed from the timers in the rendered text (D21), not from the plan."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from heiiki.plan.model import Plan, SitePlan
from heiiki.render.model import DeviceBuild
from heiiki.requirements import Result, Stage, Verdict, requirement

BOUND_S = 2.0
CONVERGENCE_S = 0.25
"""From a session's end to the new route in every kernel on the way; measured in the lab, see docs/decisions."""
_VRRP_LOST = 3

_PROFILE = re.compile(
    r"^ profile (\S+)\n  detect-multiplier (\d+)\n  receive-interval (\d+)\n  transmit-interval (\d+)$",
    re.MULTILINE,
)
_SESSION = re.compile(r"^ neighbor (\S+) bfd profile (\S+)$", re.MULTILINE)
_ADVERT = re.compile(r"^\s+advert_int ([0-9.]+)$", re.MULTILINE)
_PRIORITY = re.compile(r"^\s+priority (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the budget: what notices, and how long it takes, seconds."""

    what: str
    seconds: float


def verdicts(plan: Plan, builds: Iterable[DeviceBuild]) -> Iterator[Verdict]:
    """Yield the budget of each site: the slowest way in which a single failure is noticed and routed round."""
    texts = {build.device: {file.path: file.content for file in build.files} for build in builds}
    hub = tuple(_hub_lines(plan, texts))
    for site in plan.sites:
        lines = (*hub, *_site_lines(plan, site, texts))
        yield _verdict(site, lines)


def _verdict(site: SitePlan, lines: tuple[Line, ...]) -> Verdict:
    if not lines:
        return Verdict(
            "R-GAP",
            requirement("R-GAP").clause,
            site.name,
            Stage.DESIGN,
            Result.UNKNOWN,
            reason="no timer was found in the rendered texts",
        )
    total = max(line.seconds for line in lines) + CONVERGENCE_S
    text = "; ".join(f"{line.what} {line.seconds:.2f} s" for line in lines)
    return Verdict(
        "R-GAP",
        requirement("R-GAP").clause,
        site.name,
        Stage.DESIGN,
        Result.PASS if total <= BOUND_S else Result.FAIL,
        reason=f"{text}; convergence {CONVERGENCE_S:.2f} s",
        measured=round(total, 3),
        bound=BOUND_S,
        unit="s",
    )


def _site_lines(plan: Plan, site: SitePlan, texts: Mapping[str, Mapping[str, str]]) -> Iterator[Line]:
    """The overlay session of the primary, at both ends, and what watches the LAN."""
    hub = "hub-ce-a" if site.primary == "a" else "hub-ce-b"
    gateway = site.gateways[0] if site.primary == "a" else site.gateways[-1]
    for device, peer in ((gateway, hub), (hub, gateway)):
        yield from _bfd_lines(plan, device, peer, texts[device].get("/etc/frr/frr.conf", ""))
    for device in site.gateways:
        yield from _lan_lines(device, texts[device])


def _hub_lines(plan: Plan, texts: Mapping[str, Mapping[str, str]]) -> Iterator[Line]:
    for device in plan.devices:
        if device.site is None and device.vrrp is not None:
            yield from _lan_lines(device.name, texts[device.name])


def _bfd_lines(plan: Plan, device: str, peer: str, text: str) -> Iterator[Line]:
    """Detection is the peer's transmit interval times its multiplier (RFC 5880 6.8.4); both ends have one profile."""
    profiles = {
        name: int(times) * max(int(receive), int(send))
        for name, times, receive, send in _PROFILE.findall(text)
    }
    sessions = dict(_SESSION.findall(text))
    router = plan.device(device).router
    for instance in router.bgp if router else ():
        for neighbor in instance.neighbors:
            profile = sessions.get(str(neighbor.address))
            if neighbor.device == peer and profile in profiles:
                yield Line(f"BFD {device} to {peer}", profiles[profile] / 1000)


def _lan_lines(device: str, files: Mapping[str, str]) -> Iterator[Line]:
    keepalived = files.get("/etc/keepalived/keepalived.conf", "")
    advert, priority = _ADVERT.search(keepalived), _PRIORITY.search(keepalived)
    if advert and priority:
        interval = float(advert[1])
        skew = (256 - int(priority[1])) / 256 * interval
        yield Line(f"VRRP {device}", _VRRP_LOST * interval + skew)
    if watch := files.get("/etc/heiiki/lan_watch.json"):
        timers = json.loads(watch)
        yield Line(f"LAN watch {device}", timers["probe_ms"] * (timers["lost"] + 1) / 1000)
