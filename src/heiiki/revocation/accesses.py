"""Whether a stolen certificate is refused at every access, tried while the device is being revoked (R-THEFT).

The thief's key is not here. What stands in is a certificate of the device's own names, made just before its
certificates are revoked, and revoked with them; its key is on no disk. At Wi-Fi, XMPP, OpenADR and MMS it is
tried again and again until the server says that it is revoked, and the device on which that is tried gets in
with its own right after; by TLS that device itself tries again while it is let in. At IPsec the steps say it:
its SAs have ended, and its peers' lists refuse it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from heiiki.control import client
from heiiki.design.wlan import lans
from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify import tls_trials
from heiiki.verify.fleet import Fleet
from heiiki.verify.ipsec.test_certificates import Credential
from heiiki.verify.tls_trials import REVOKED, Tried
from heiiki.verify.wlan import trials as wlan
from heiiki.verify.xmpp.server import resource, served

_FOR_S, _AGAIN_S = 15.0, 0.2
"""How long an access is tried, and how soon again."""
_ASK_S = 20.0
"""Seconds that an answer may take beyond those."""
_MOST = 3
"""Servers of direct control that are tried; each site has one, and all are made alike."""
_REQUIREMENT = "R-THEFT"


class AccessBy(StrEnum):
    """Where a certificate lets its holder in."""

    WLAN = "Wi-Fi"
    XMPP = "XMPP"
    OPENADR = "OpenADR"
    MMS = "MMS"
    IPSEC = "IPsec"


class Outcome(StrEnum):
    """How an access is; `UNTRIED`: it is not known, `NONE`: the service, or the device, has none."""

    SHUT = "shut"
    OPEN = "open"
    UNTRIED = "untried"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Way:
    """How an access is tried.

    Attributes:
        servers: who must know of the revocation.
        attempt: tries it once, or as long as it is let in, for so many seconds: a pass is that it was refused
            as revoked, a fail that it was let in.
    """

    servers: tuple[str, ...]
    attempt: Callable[[float], Verdict]


@dataclass(frozen=True, slots=True)
class No:
    """Why an access is not tried."""

    outcome: Outcome
    why: str


def ways(plan: Plan, fleet: Fleet, device: Device, shown: Credential) -> dict[AccessBy, Way | No]:
    """Return how each access but IPsec is tried with the certificate `shown`, from devices that are left.

    Args:
        plan: of the intent in which the device is revoked.
        fleet: reaches the others.
        device: what is revoked.
        shown: stands in for what was stolen.
    """
    return {
        AccessBy.WLAN: _by_air(plan, fleet, device, shown),
        AccessBy.XMPP: _by_xmpp(plan, fleet, device, shown),
        AccessBy.OPENADR: _by_openadr(plan, fleet, device, shown),
        AccessBy.MMS: _by_mms(plan, fleet, device, shown),
    }


def tried(fleet: Fleet, way: Way | No) -> tuple[Outcome, str]:
    """Try an access until it is shut, or for a while; return how it is, and what was said there."""
    if isinstance(way, No):
        return way.outcome, way.why
    until = time.monotonic() + _FOR_S
    late = tls_trials.behind(fleet, way.servers)
    while True:
        found = way.attempt(max(0.0, until - time.monotonic()))
        if found.result is Result.PASS:
            return Outcome.SHUT, found.reason
        if time.monotonic() > until:
            outcome = Outcome.OPEN if found.result is Result.FAIL else Outcome.UNTRIED
            return outcome, "; ".join(filter(None, (found.reason, late)))
        time.sleep(_AGAIN_S)


def _by_air(plan: Plan, fleet: Fleet, device: Device, shown: Credential) -> Way | No:
    every = list(lans(plan))
    if not every:
        return No(Outcome.NONE, "no LAN is on the air")
    lan = next((one for one in every if one.in_service and one.controller.name != device.name), None)
    if lan is None:
        return No(Outcome.UNTRIED, "no wireless LAN is left on which it could be tried")

    def attempt(_seconds: float) -> Verdict:
        return wlan.judged(wlan.REVOKED, lan, wlan.tried(fleet, lan, {wlan.REVOKED: shown}), ())

    return Way((lan.gateway.name,), attempt)


def _by_xmpp(plan: Plan, fleet: Fleet, device: Device, shown: Credential) -> Way | No:
    found = served(plan)
    if found is None:
        return No(Outcome.NONE, "the service has no XMPP server")
    here = next((one.name for one in found.clients if one.name != device.name), None)
    if here is None or found.device == device.name:
        return No(Outcome.UNTRIED, "no client is left from which it could be tried")
    question = found.question("attempt", resource(), attempts=_attempts(shown))
    return Way((found.device,), partial(_judged, fleet, "xmpp", here, question))


def _by_openadr(plan: Plan, fleet: Fleet, device: Device, shown: Credential) -> Way | No:
    vtn = next((one for one in plan.managed() if one.vtn is not None), None)
    if vtn is None:
        return No(Outcome.NONE, "the service has no VTN")
    here = next((one for one in plan.managed() if one.ven is not None and one.name != device.name), None)
    if here is None or here.ven is None or vtn.name == device.name:
        return No(Outcome.UNTRIED, "no VEN is left from which it could be tried")
    ven = here.ven
    places = [_place(vtn.name, ven.vtn_name, ven.vtn_address, ven.vtn_port)]
    return Way((vtn.name,), _by_tls(fleet, here.name, places, shown))


def _by_mms(plan: Plan, fleet: Fleet, device: Device, shown: Credential) -> Way | No:
    try:
        here = client(plan)
    except HeiikiError as error:
        return No(Outcome.NONE, str(error))
    sites = [one for one in here.mms_client.sites if one.device != device.name] if here.mms_client else []
    if not sites or here.name == device.name:
        return No(Outcome.UNTRIED, "DRAS, from which alone it can be tried, or every controller is gone")
    chosen = sites[:_MOST]
    places = [_place(one.device, one.certificate_name, one.address, one.port) for one in chosen]
    return Way(tuple(one.device for one in chosen), _by_tls(fleet, here.name, places, shown))


def _place(device: str, name: str, address: object, port: int) -> dict[str, Any]:
    return {"device": device, "name": name, "address": str(address), "port": port}


def _by_tls(
    fleet: Fleet, here: str, places: Sequence[Mapping[str, Any]], shown: Credential
) -> Callable[[float], Verdict]:
    question = {"places": places, "attempts": _attempts(shown)}
    return partial(_judged, fleet, "tls_access", here, question)


def _attempts(shown: Credential) -> list[dict[str, Any]]:
    return list(tls_trials.attempts((REVOKED,), {REVOKED.name: shown}))


def _judged(fleet: Fleet, probe: str, here: str, question: Mapping[str, Any], seconds: float) -> Verdict:
    answer = fleet.ask(probe, {here: {**question, "seconds": seconds}}, seconds + _ASK_S)[here]
    return Tried(_REQUIREMENT, answer, ()).judged(REVOKED, probe)
