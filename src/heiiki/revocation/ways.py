"""Whether a stolen certificate is refused at every access, tried while the device is being revoked (R-THEFT).

The thief's key is not here. What stands in is a certificate of the device's own names, made just before its
certificates are revoked, and revoked with them; its key is on no disk. It is shown again and again until who
lets in says that it is revoked, and what must be let in is let in right after: the device on which that is
tried with its own right, or a good certificate that is made for it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from heiiki.control import client
from heiiki.design import dot1x as controlled_lans
from heiiki.design import enrolment
from heiiki.design.site_lans import SiteLan
from heiiki.design.wlan import lans
from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, Identity, Plan
from heiiki.requirements import Result, Verdict
from heiiki.revocation.accesses import BY_STEPS, AccessBy, Outcome, reached
from heiiki.verify import tls_trials
from heiiki.verify.dot1x import trials as dot1x
from heiiki.verify.est import access as est
from heiiki.verify.fleet import Fleet
from heiiki.verify.http_trials import GOOD
from heiiki.verify.ipsec.test_certificates import Credential
from heiiki.verify.rest import access as rest
from heiiki.verify.tls_trials import REVOKED, Trial, Tried
from heiiki.verify.verdicts import unknown
from heiiki.verify.wlan import trials as wlan
from heiiki.verify.xmpp.server import resource, served
from heiiki_agent.dot1x import places as dot1x_places
from heiiki_agent.radius import RADSEC_PORT
from heiiki_agent.radius import UNIT as RADIUS_UNIT
from heiiki_agent.tls_attempt import VERSIONS

_FOR_S, _AGAIN_S = 15.0, 0.2
"""How long an access is tried, and how soon again."""
_ASK_S = 20.0
"""Seconds that an answer may take beyond those."""
_MOST = 3
"""Servers of direct control that are tried; each site has one, and all are made alike."""
_REQUIREMENT = "R-THEFT"
_ABOUT = "the certificate of the revoked device"

_HUNG_UP = replace(REVOKED, stage="", cause="")
"""Refused without a word, by whatever version of TLS."""

Attempt = Callable[[Credential, float], Verdict]
Sign = Callable[[Identity], Credential]
"""Makes a good certificate for an identity that is in service."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the trials of a revocation work with.

    Attributes:
        plan: of the intent in which the device is revoked.
        fleet: reaches the others.
        device: what is revoked.
        sign: makes what must be let in, where who tries it has none at hand.
        logs: folder of what each unit says, on every device; empty where that is not known.
    """

    plan: Plan
    fleet: Fleet
    device: Device
    sign: Sign
    logs: str

    @property
    def left(self) -> dict[str, Device]:
        """The devices by name from which an access can be tried, and at which."""
        return {one.name: one for one in reached(self.plan) if one.name != self.device.name}


@dataclass(frozen=True, slots=True)
class Way:
    """How an access is tried.

    Attributes:
        servers: who lets in there, and must know of the revocation.
        attempt: shows a certificate once, or as long as it is let in, for so many seconds: a pass is that it
            was refused as revoked, a fail that it was let in.
        pulls: an attempt begins with the servers' fetching the lists.
    """

    servers: tuple[str, ...]
    attempt: Attempt
    pulls: bool = False


@dataclass(frozen=True, slots=True)
class No:
    """Why an access is not tried."""

    outcome: Outcome
    why: str


def ways(scene: Scene) -> dict[AccessBy, Way | No]:
    """Return how each access is tried that the steps do not end themselves, from devices that are left."""
    found = {
        AccessBy.WLAN: _by_air,
        AccessBy.WIRED: _by_wire,
        AccessBy.XMPP: _by_xmpp,
        AccessBy.OPENADR: _by_openadr,
        AccessBy.REST: _by_rest,
        AccessBy.BOOK: _by_book,
        AccessBy.MMS: _by_mms,
        AccessBy.EST: _by_est,
        AccessBy.RADSEC: _by_radsec,
    }
    return {access: found[access](scene) for access in AccessBy if access not in BY_STEPS}


def tried(fleet: Fleet, way: Way, shown: Credential) -> tuple[Outcome, str]:
    """Try an access until it is shut, or for a while; return how it is, and what was said there.

    Args:
        fleet: reaches who lets in.
        way: how it is tried.
        shown: stands in for what was stolen.
    """
    until = time.monotonic() + _FOR_S
    late = "" if way.pulls else tls_trials.behind(fleet, way.servers)
    while True:
        found = way.attempt(shown, max(0.0, until - time.monotonic()))
        if found.result is Result.PASS:
            return Outcome.SHUT, found.reason
        if time.monotonic() > until:
            outcome = Outcome.OPEN if found.result is Result.FAIL else Outcome.UNTRIED
            return outcome, "; ".join(filter(None, (found.reason, late)))
        time.sleep(_AGAIN_S)


def _by_air(scene: Scene) -> Way | No:
    every = list(lans(scene.plan))
    if not every:
        return No(Outcome.NONE, "no LAN is on the air")
    lan = next((one for one in every if _tries(scene, one)), None)
    if lan is None:
        return No(Outcome.UNTRIED, "no wireless LAN is left on which it could be tried")

    def attempt(shown: Credential, _seconds: float) -> Verdict:
        return wlan.judged(wlan.REVOKED, lan, wlan.tried(scene.fleet, lan, {wlan.REVOKED: shown}), ())

    return Way((lan.gateway.name,), attempt)


def _tries(scene: Scene, lan: SiteLan) -> bool:
    """Whether the controller of a LAN can try it."""
    return lan.in_service and lan.controller.name in scene.left


def _by_wire(scene: Scene) -> Way | No:
    every = list(controlled_lans.lans(scene.plan))
    if not every:
        return No(Outcome.NONE, "no wired LAN has controlled ports")
    lan = next((one for one in every if _tries(scene, one)), None)
    if lan is None:
        return No(Outcome.UNTRIED, "no LAN with controlled ports is left on which it could be tried")
    name = scene.device.identity.common_name if scene.device.identity else ""
    log = Log(
        lan.gateway.name, dot1x_places.AUTHENTICATOR, f"certificate chain {wlan.REVOKED.cause}.*/CN={name}'"
    )

    def attempt(shown: Credential, _seconds: float) -> Verdict:
        came, dropped = dot1x.tried(scene.fleet, lan, {wlan.REVOKED.name: shown}, (wlan.REVOKED,))
        return dot1x.judged(wlan.REVOKED, lan, came, dropped, ())

    return Way((lan.gateway.name,), _by_log(scene, log, attempt))


def _by_xmpp(scene: Scene) -> Way | No:
    found = served(scene.plan)
    if found is None:
        return No(Outcome.NONE, "the service has no XMPP server")
    here = next((one.name for one in found.clients if one.name in scene.left), None)
    if here is None or found.device == scene.device.name:
        return No(Outcome.UNTRIED, "no client is left from which it could be tried")
    question = found.question("attempt", resource())
    return Way((found.device,), partial(_judged, scene.fleet, "xmpp", here, question))


def _by_openadr(scene: Scene) -> Way | No:
    vtns = [one for one in scene.plan.managed() if one.vtn is not None]
    if not vtns:
        return No(Outcome.NONE, "the service has no VTN")
    here = next((one for one in scene.left.values() if one.ven is not None), None)
    if here is None or here.ven is None:
        return No(Outcome.UNTRIED, "no VEN is left from which it could be tried")
    ven = here.ven
    hosts = [(ven.vtn_name, ven.vtn_address, ven.vtn_port)]
    hosts += [(one.name, one.address, one.port) for one in ven.others]
    left = {one.vtn.address: one.name for one in vtns if one.vtn is not None}
    places = [_place(left[address], name, address, port) for name, address, port in hosts if address in left]
    return _by_tls(scene, here.name, places)


def _by_rest(scene: Scene) -> Way | No:
    found = rest.scene(scene.plan)
    if found is None:
        return No(Outcome.NONE, "no ESP has a system of its own")
    system = scene.plan.device(found.esp.device).identity
    if system is None:
        return No(Outcome.UNTRIED, f"the plan gives {found.esp.device} no identity")

    def attempt(shown: Credential, _seconds: float) -> Verdict:
        made = {REVOKED.name: shown, GOOD: scene.sign(system)}
        came = rest.tried(scene.plan, scene.fleet, found, made, (REVOKED,))
        return came.judged(REVOKED, _ABOUT, "")

    return Way(found.hosts, attempt, pulls=True)


def _by_est(scene: Scene) -> Way | No:
    host, found = enrolment.host(scene.plan), est.scene(scene.plan)
    if host is None:
        return No(Outcome.NONE, "the service has no registration authority")
    if found is None:
        return No(Outcome.UNTRIED, "no system of an ESP enrols there, from whose host it could be tried")

    def attempt(shown: Credential, _seconds: float) -> Verdict:
        made = {REVOKED.name: shown, GOOD: scene.sign(found.client.identity)}
        return est.tried(scene.fleet, found, made, (REVOKED,)).judged(REVOKED, _ABOUT, "")

    return Way((host.name,), attempt, pulls=True)


def _by_book(scene: Scene) -> Way | No:
    hosts = [one for one in scene.plan.devices if one.vtn is not None and one.vtn.doubled is not None]
    if scene.device.name not in [one.name for one in hosts]:
        return No(Outcome.NONE, "a host of a VTN takes the book of the other one alone")
    return No(Outcome.UNTRIED, "no other device can reach that port")


def _by_mms(scene: Scene) -> Way | No:
    try:
        here = client(scene.plan)
    except HeiikiError as error:
        return No(Outcome.NONE, str(error))
    every = here.mms_client.sites if here.mms_client else ()
    chosen = [one for one in every if one.device in scene.left][:_MOST]
    if not chosen or here.name == scene.device.name:
        return No(Outcome.UNTRIED, "DRAS, from which alone it can be tried, or every controller is gone")
    places = [_place(one.device, one.certificate_name, one.address, one.port) for one in chosen]
    return _by_tls(scene, here.name, places)


def _by_radsec(scene: Scene) -> Way | No:
    asking = [one for one in scene.left.values() if one.radius_proxy is not None and one.radius_proxy.home]
    if not any(one.radius is not None for one in scene.plan.managed()):
        return No(Outcome.NONE, "no line is one of optical access")
    here = next(iter(asking), None)
    home = here.radius_proxy.home if here is not None and here.radius_proxy is not None else None
    if here is None or home is None:
        return No(Outcome.UNTRIED, "no proxy is left from which it could be tried")
    place = _place(home.device, home.host, home.address, RADSEC_PORT) | {"source": str(home.client)}
    log = Log(home.device, RADIUS_UNIT, "OpenSSL says error 23 : certificate revoked", len(VERSIONS))
    attempt = partial(_judged, scene.fleet, "tls_access", here.name, {"places": [place]}, trial=_HUNG_UP)
    return Way((home.device,), _by_log(scene, log, attempt))


def _place(device: str, name: str, address: object, port: int) -> dict[str, Any]:
    return {"device": device, "name": name, "address": str(address), "port": port}


def _by_tls(scene: Scene, here: str, places: Sequence[Mapping[str, Any]]) -> Way | No:
    if not places:
        return No(Outcome.UNTRIED, "no server is left at which it could be tried")
    servers = tuple(str(one["device"]) for one in places)
    return Way(servers, partial(_judged, scene.fleet, "tls_access", here, {"places": places}))


def _judged(
    fleet: Fleet,
    probe: str,
    here: str,
    question: Mapping[str, Any],
    shown: Credential,
    seconds: float,
    trial: Trial = REVOKED,
) -> Verdict:
    attempts = list(tls_trials.attempts((REVOKED,), {REVOKED.name: shown}))
    asked = {**question, "attempts": attempts, "seconds": seconds}
    answer = fleet.ask(probe, {here: asked}, seconds + _ASK_S)[here]
    return Tried(_REQUIREMENT, answer, ()).judged(trial, probe)


@dataclass(frozen=True, slots=True)
class Log:
    """Where a program says that it refused a certificate because it is revoked, and tells the peer nothing.

    Such a program refuses the certificate of any other device than its peer, revoked or not.

    Attributes:
        device: where it runs.
        unit: what it runs as.
        said: what it says then, as a regular expression (POSIX, basic).
        times: how often a trial shows the certificate.
    """

    device: str
    unit: str
    said: str
    times: int = 1


def _by_log(scene: Scene, log: Log, attempt: Attempt) -> Attempt:
    """Have a refusal count only where the log says as often that it is for the revocation."""

    @cache
    def at_first() -> int | None:
        return _logged(scene, log)

    def told(shown: Credential, seconds: float) -> Verdict:
        before = at_first()
        found = attempt(shown, seconds)
        if found.result is not Result.PASS:
            return found
        after = _logged(scene, log)
        if before is not None and after is not None and after - before >= log.times:
            return found
        why = f"{log.device} refused it, and its log does not say that this is for the revocation"
        return unknown(_REQUIREMENT, _ABOUT, why)

    return told


def _logged(scene: Scene, log: Log) -> int | None:
    """Return how often a log says it; None where it cannot be read."""
    if not scene.logs:
        return None
    counted = ["grep", "-c", log.said, f"{scene.logs}/{log.unit}.log"]
    answer = scene.fleet.ask("read", {log.device: {"commands": {"counted": counted}}})[log.device]
    out = answer.data.get("commands", {}).get("counted", {}).get("out", "").strip()
    return int(out) if out.isdigit() else None
