"""Whom both ends of a wireless LAN let in: tried with what must be refused, for the reason that was provoked.

More stations on the controller's radio, and more access points on the gateway's, try it while the
serving ones go on. What was refused counts only where the device's own certificate was let in the same way.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from heiiki.design.wlan import WirelessLan, lans
from heiiki.errors import HeiikiError
from heiiki.plan.model import Function, Plan
from heiiki.render.wlan import REQUIREMENT
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import tls_trials
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.test_certificates import (
    NO_AUTHORITY,
    Authority,
    Credential,
    credentials,
    foreign,
    signed,
)
from heiiki.verify.network import host
from heiiki.verify.verdicts import Keep, live, summarise, unknown

_AGAIN = "own certificate"
_TIMEOUT_S = 120.0
_POSE_S = 100.0
_LIFE = "10m"
_TRIAL, _POSE = "trial{}", "pose{}"
_BESIDE = "beside: "
"""What is tried at the access point beside the serving one."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that must be refused.

    Attributes:
        name: what it is.
        cause: what who refuses must say; reasons are those of hostap's TLS (enum tls_fail_reason).
        posed: it is an access point, which the station must refuse; else a station.
        listed: only a list says that it is to be refused.
    """

    name: str
    cause: str
    posed: bool = False
    listed: bool = False


PASSWORD = Trial("password in place of a certificate", r"method=13 -> NAK")
FOREIGN = Trial("foreign CA", r"failure: reason=1 ")
ANOTHER = Trial("another's name", r"failure: reason=12 ")
EXPIRED = Trial("expired certificate", r"failure: reason=4 ")
REVOKED = Trial("revoked certificate", r"failure: reason=2 ", listed=True)
POSED_FOREIGN = Trial("access point, foreign CA", r"CERT-ERROR reason=1 ", posed=True)
POSED_ANOTHER = Trial("access point, another's name", r"CERT-ERROR reason=10 ", posed=True)
POSED_REVOKED = Trial("access point, revoked certificate", r"it is revoked", posed=True, listed=True)
TRIALS = (PASSWORD, FOREIGN, ANOTHER, EXPIRED, REVOKED, POSED_FOREIGN, POSED_ANOTHER, POSED_REVOKED)


def subject(trial: Trial, lan: WirelessLan) -> str:
    """Subject of the verdict on one trial."""
    refusing = lan.controller if trial.posed else lan.gateway
    return f"{trial.name}: {refusing.name} on the air"


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of a service; none where no LAN in service is on the air.

    What one access point and one station refuse, others of the same configuration do: one LAN is tried.
    """
    for lan in _first(plan):
        yield from (subject(trial, lan) for trial in TRIALS)


def _first(plan: Plan) -> tuple[WirelessLan, ...]:
    return tuple(lan for lan in lans(plan) if lan.in_service)[:1]


def not_tried(plan: Plan, why: str) -> Iterator[Verdict]:
    """Yield *unknown* for each trial."""
    yield from (unknown(REQUIREMENT, one, why) for one in subjects(plan))


def verdicts(plan: Plan, fleet: Fleet, keep: Keep, authority: Authority | None) -> Iterator[Verdict]:
    """Yield a verdict for each trial.

    Args:
        plan: the service.
        fleet: reaches its devices.
        keep: where raw output goes.
        authority: makes the certificates that must be refused.
    """
    for lan in _first(plan):
        made, missing = _made(plan, lan, authority)
        both = lan.gateway.name, lan.controller.name
        pulled = tls_trials.pulled(fleet, both)
        answers = tried(fleet, lan, made)
        evidence = tuple(keep(f"wlan/trials-{name}.json", answers[name].raw) for name in both)
        for trial in TRIALS:
            if trial in made or trial is PASSWORD:
                refuses = lan.controller.name if trial.posed else lan.gateway.name
                behind = tls_trials.unfetched(pulled[refuses])
                yield judged(trial, lan, answers, evidence, behind if trial.listed else "")
            else:
                yield unknown(REQUIREMENT, subject(trial, lan), missing, evidence)


def tried(fleet: Fleet, lan: WirelessLan, made: Mapping[Trial, Credential]) -> dict[str, Answer]:
    """Have the gateway be the access points for as long as the controller's stations try to get in."""
    here, name = lan.gateway.name, secrets.token_hex(8)
    with ThreadPoolExecutor(1) as side:
        posing = side.submit(fleet.ask, "wlan", {here: _poses(lan, made) | {"name": name}}, _TIMEOUT_S)
        joined = fleet.ask("wlan", {lan.controller.name: _attempts(lan, made)}, _TIMEOUT_S)
        fleet.ask("wlan", {here: {"do": "end", "name": name}})
        return joined | posing.result()


def _made(plan: Plan, lan: WirelessLan, authority: Authority | None) -> tuple[dict[Trial, Credential], str]:
    """Return the certificates of the trials, and why some are missing."""
    found, missing = credentials(plan, lan.controller.name, authority)
    made = {trial: found[trial.name] for trial in TRIALS if trial.name in found}
    own, other = lan.gateway.identity, host(plan, Function.DRAS).identity
    if own is None or other is None:
        return made, f"the plan gives {lan.gateway.name} no identity"
    made[POSED_FOREIGN] = foreign(own)
    if authority is None:
        return made, NO_AUTHORITY
    try:
        # Of a server of TLS, so that nothing but its name speaks against it.
        made[POSED_ANOTHER] = signed(authority, other, _LIFE)
        revoked = signed(authority, own, _LIFE)
        # Others are newer: a device is revoked when its newest certificate is.
        signed(authority, own, _LIFE)
        authority.revoke(revoked.certificate)
        made[POSED_REVOKED] = revoked
    except HeiikiError as error:
        return made, f"no certificate for the attempt: {error}"
    return made, missing


def beside(address: str | None, number: int) -> str:
    """Return a link address of the same device for a trial: administered locally, and no other's here."""
    octets = bytes.fromhex((address or "").replace(":", ""))
    return bytes((octets[0], octets[1] + number, *octets[2:])).hex(":")


def _bssids(lan: WirelessLan) -> dict[str, str]:
    own = lan.gateway.interface(lan.access_point.interface).link_address
    posed = [_AGAIN, *(trial.name for trial in TRIALS if trial.posed)]
    return {name: beside(own, number) for number, name in enumerate(posed, start=1)}


def _poses(lan: WirelessLan, made: Mapping[Trial, Credential]) -> dict[str, Any]:
    """Return what probe ``wlan`` needs to be the access points.

    The first is as the serving one is, certificate and all. What the serving one says of a refusal goes to
    its log, which not every host keeps; this one's is read.
    """
    names = {trial.name: credential for trial, credential in made.items() if trial.posed}
    poses = [
        {
            "name": name,
            "interface": _POSE.format(number),
            "bssid": bssid,
            **_shown(names.get(name)),
        }
        for number, (name, bssid) in enumerate(_bssids(lan).items())
        if name in names or name == _AGAIN
    ]
    return {"do": "pose", "interface": lan.access_point.interface, "poses": poses, "seconds": _POSE_S}


def _attempts(lan: WirelessLan, made: Mapping[Trial, Credential]) -> dict[str, Any]:
    """Return what probe ``wlan`` needs to be the stations; the device itself is to be let in beside them.

    A station is tried at the serving access point, and at the one that is as it is.
    """
    bssids, here = _bssids(lan), lan.gateway.interface(lan.access_point.interface).link_address
    attempts: list[dict[str, Any]] = [{"name": PASSWORD.name, "password": True, "bssid": here}]
    for trial, credential in made.items():
        if trial.posed:
            attempts.append({"name": trial.name, "bssid": bssids[trial.name]})
        else:
            shown = _shown(credential)
            attempts.append({"name": trial.name, "bssid": here, **shown})
            attempts.append({"name": f"{_BESIDE}{trial.name}", "bssid": bssids[_AGAIN], **shown})
    attempts.append({"name": _AGAIN, "bssid": here})
    attempts.append({"name": f"{_BESIDE}{_AGAIN}", "bssid": bssids[_AGAIN]})
    address = lan.controller.interface(lan.station.interface).link_address
    for number, one in enumerate(attempts, start=1):
        one |= {
            "interface": _TRIAL.format(number),
            "address": beside(address, number),
            "frequency": lan.station.air.frequency_mhz,
        }
    return {
        "do": "join",
        "interface": lan.station.interface,
        "access_point": lan.station.access_point,
        "attempts": attempts,
    }


def _shown(credential: Credential | None) -> dict[str, str]:
    if credential is None:
        return {}
    return {"certificate": credential.certificate, "key": credential.key}


def judged(
    trial: Trial,
    lan: WirelessLan,
    answers: Mapping[str, Answer],
    evidence: tuple[Evidence, ...],
    behind: str = "",
) -> Verdict:
    """Return the verdict of one trial from what came of it."""
    what, joined, posed = subject(trial, lan), answers[lan.controller.name], answers[lan.gateway.name]
    if failed := joined.error or posed.error:
        return unknown(REQUIREMENT, what, failed, evidence)
    came = joined.data["attempts"]
    tries = [came[name] for name in (trial.name, f"{_BESIDE}{trial.name}") if name in came]
    if any(one["in"] for one in tries):
        reason = "; ".join(filter(None, ("let in", behind)))
        return live(REQUIREMENT, what, Result.FAIL, reason, evidence)
    said = [line for one in tries for line in (*one["said"], one["refused"])]
    if not (trial.posed or trial is PASSWORD):
        said = posed.data["poses"][_AGAIN]
    cause = next((line for line in said if re.search(trial.cause, line)), "")
    doubts = [] if cause else [f"refused for another reason: {summarise(said[-3:])}"]
    doubts += [
        f"its own certificate was not let in either: {summarise(came[name]['said'][-3:])}"
        for name in (f"{_BESIDE}{_AGAIN}", *(() if trial.posed else (_AGAIN,)))
        if not came[name]["in"]
    ]
    if doubts:
        return unknown(REQUIREMENT, what, summarise(doubts), evidence)
    reason = f"refused ({_brief(cause)}); the device's own certificate was let in the same way"
    return live(REQUIREMENT, what, Result.PASS, reason, evidence)


def _brief(cause: str) -> str:
    """Return what a daemon said without the name of its interface."""
    return cause.partition("CTRL-EVENT-")[2] or cause
