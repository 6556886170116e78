"""R-GAP on paper: the switch-over budget, from the timers in the rendered text (D21), not from the plan."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from heiiki.design.revoked import explained, lost
from heiiki.plan import names
from heiiki.plan.model import Device, Plan, SitePlan
from heiiki.render.model import DeviceBuild
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.figures import settled

BOUND_S = 2.0
CONVERGENCE_S = 0.4
"""From the end of a session to the new route in every kernel on the way, as the lab measures it."""
_VRRP_LOST = 3

_FRR, _KEEPALIVED = "/etc/frr/frr.conf", "/etc/keepalived/keepalived.conf"
_LAN_WATCH = "/etc/heiiki/lan_watch.json"
_READ = frozenset({_FRR, _KEEPALIVED, _LAN_WATCH}).__contains__

_PROFILE = re.compile(
    r"^ profile (\S+)\n  detect-multiplier (\d+)\n  receive-interval (\d+)\n  transmit-interval (\d+)$",
    re.MULTILINE,
)
_SESSION = re.compile(r"^ neighbor (\S+) bfd profile (\S+)$", re.MULTILINE)
_ADVERT = re.compile(r"^\s+advert_int ([0-9.]+)$", re.MULTILINE)
_PRIORITY = re.compile(r"^\s+priority (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the budget: what notices, and how long it takes, seconds; None where no text says so."""

    what: str
    seconds: float | None


def verdicts(plan: Plan, builds: Iterable[DeviceBuild]) -> Iterator[Verdict]:
    """Yield the budget of each site: the slowest way in which a single failure is noticed and routed round.

    A timer that the plan has and the rendered texts have not makes the site's budget *unknown*.
    """
    texts = {
        build.device: {file.path: file.content for file in build.files if _READ(file.path)}
        for build in builds
    }
    hub = tuple(
        line for device in _hub_routers(plan) for line in _lan_lines(device, texts.get(device.name, {}))
    )
    for site in plan.sites:
        if gone := lost(plan, site):
            yield _answer(site, Result.FAIL, explained(gone), None)
        else:
            yield _verdict(site, (*hub, *_site_lines(plan, site, texts)))


def _verdict(site: SitePlan, lines: tuple[Line, ...]) -> Verdict:
    missing = [line.what for line in lines if line.seconds is None]
    known = [(line.what, line.seconds) for line in lines if line.seconds is not None]
    if missing or not known:
        what = (
            f"the rendered texts have no timer of {', '.join(missing)}"
            if missing
            else "nothing watches the paths"
        )
        return _answer(site, Result.UNKNOWN, what, None)
    total = settled(max(seconds for _, seconds in known) + CONVERGENCE_S)
    text = "; ".join(f"{what} {seconds:.2f} s" for what, seconds in known)
    result = Result.PASS if total <= BOUND_S else Result.FAIL
    return _answer(site, result, f"{text}; convergence {CONVERGENCE_S:.2f} s", total)


def _answer(site: SitePlan, result: Result, reason: str, measured: float | None) -> Verdict:
    return Verdict("R-GAP", site.name, Stage.DESIGN, result, reason, measured, BOUND_S, "s")


def _site_lines(plan: Plan, site: SitePlan, texts: Mapping[str, Mapping[str, str]]) -> Iterator[Line]:
    """The overlay session of the primary, at both ends, and what watches the LAN."""
    hub = names.HUB_CE_A if site.primary == "a" else names.HUB_CE_B
    gateway = site.gateways[0] if site.primary == "a" else site.gateways[-1]
    for device, peer in ((gateway, hub), (hub, gateway)):
        seconds = bfd_detection(plan.device(device), peer, texts.get(device, {}).get(_FRR, ""))
        yield Line(f"BFD {device} to {peer}", seconds)
    for name in site.gateways:
        yield from _lan_lines(plan.device(name), texts.get(name, {}))


def _hub_routers(plan: Plan) -> Iterator[Device]:
    return (device for device in plan.devices if device.site is None and device.vrrp is not None)


def bfd_detection(device: Device, peer: str, text: str) -> float | None:
    """Return how soon `device` notices that `peer` is silent, seconds; None where FRR has no such BFD.

    The peer's transmit interval times its multiplier (RFC 5880 6.8.4); both ends have one.
    """
    addresses = {
        str(neighbor.address)
        for instance in (device.router.bgp if device.router else ())
        for neighbor in instance.neighbors
        if neighbor.device == peer
    }
    sessions, profiles = _timers(text)
    slowest = [profiles.get(sessions.get(address, "")) for address in addresses]
    return max((item for item in slowest if item is not None), default=None) if None not in slowest else None


@lru_cache(maxsize=4)
def _timers(text: str) -> tuple[dict[str, str], dict[str, float]]:
    """Return each peer's profile, and each profile's seconds; a hub's text is asked for once a site."""
    profiles = {
        name: int(times) * max(int(receive), int(send)) / 1000
        for name, times, receive, send in _PROFILE.findall(text)
    }
    return dict(_SESSION.findall(text)), profiles


def _lan_lines(device: Device, files: Mapping[str, str]) -> Iterator[Line]:
    if device.vrrp is not None:
        yield Line(f"VRRP {device.name}", _master_down(files.get(_KEEPALIVED, "")))
    if device.lan_watch is not None:
        yield Line(f"LAN watch {device.name}", _lan_silent(files.get(_LAN_WATCH, "{}")))


def _master_down(text: str) -> float | None:
    """Master_Down_Interval of RFC 9568 6.1, seconds."""
    advert, priority = _ADVERT.search(text), _PRIORITY.search(text)
    if advert is None or priority is None:
        return None
    interval = float(advert[1])
    return _VRRP_LOST * interval + (256 - int(priority[1])) / 256 * interval


def _lan_silent(text: str) -> float | None:
    timers = json.loads(text)
    if not {"probe_ms", "lost"} <= timers.keys():
        return None
    return float(timers["probe_ms"] * (timers["lost"] + 1)) / 1000
