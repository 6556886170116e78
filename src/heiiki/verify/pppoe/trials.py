"""What an optical line refuses: tried beside the session that stands, each for the reason that was provoked.

The site's router answers a challenge with its own password; who decides must take that answer, and refuse the
same with another password, for another realm and for another line. So no password leaves its device.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from heiiki.design.pppoe import OpticalLine, lines
from heiiki.plan.model import Plan
from heiiki.render.pppoe import REQUIREMENT
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, judged, live, unknown
from heiiki_agent import pppoe, radius

_TIMEOUT_S = 120.0
_NUMBER = 1
"""Below 32: so radclient takes the answer for what it is, and not for a password."""
_OWN = "own password"


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that must be refused.

    Attributes:
        name: what it is.
        cause: what who refuses must say.
    """

    name: str
    cause: str


PASSWORD = Trial("wrong password", "wrong password")
REALM = Trial("another realm", "unknown realm")
LINE = Trial("another line", "unknown user, or not on this line")
SECOND = Trial("second session", "No client slots available")
UNSIGNED = Trial("unsigned request", "")
TRIALS = (PASSWORD, REALM, LINE, SECOND)
"""What is tried on every line; an unsigned request besides, where a PE forwards to another."""


def subject(trial: Trial, line: OpticalLine) -> str:
    """Subject of the verdict on one trial."""
    return f"{trial.name}: line of {line.site}"


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of a service; none where no optical line is in service.

    What a PE refuses on one line, it does on others of the same configuration: one line of each is tried.
    """
    for line in _first(plan):
        yield from (subject(trial, line) for trial in _of(line))


def _of(line: OpticalLine) -> tuple[Trial, ...]:
    return TRIALS if line.proxy.upstream is None else (*TRIALS, UNSIGNED)


def _first(plan: Plan) -> tuple[OpticalLine, ...]:
    found: dict[str, OpticalLine] = {}
    for line in lines(plan):
        if line.in_service:
            found.setdefault(line.pe.name, line)
    return tuple(found.values())


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield a verdict for each trial on one line of each PE."""
    tried = _first(plan)
    challenge = secrets.token_hex(16)
    at_sites = fleet.ask("pppoe", {one.router.name: _at_site(one, challenge) for one in tried}, _TIMEOUT_S)
    answered = {one: answer(at_sites[one.router.name]) for one in tried}
    asked = {one.pe.name: _at_pe(one, challenge, answered[one]) for one in tried if answered[one]}
    at_pes = fleet.ask("pppoe", asked, _TIMEOUT_S)
    for line in tried:
        here, there = at_sites[line.router.name], at_pes.get(line.pe.name, at_sites[line.router.name])
        evidence = _kept(keep, here, at_pes.get(line.pe.name))
        for trial in _of(line):
            judge = {SECOND: _second, UNSIGNED: _unsigned}.get(trial, _of_server)
            yield judged(
                subject(trial, line),
                partial(judge, trial, line, here if trial is SECOND else there, evidence),
                partial(unknown, REQUIREMENT, subject(trial, line), evidence=evidence),
            )


def _kept(keep: Keep, here: Answer, there: Answer | None) -> tuple[Evidence, ...]:
    """Keep what both said, but for the answer to the challenge: who has it could guess at the password."""
    told = here.error or json.dumps(here.data.get("second"))
    at_site = keep(f"pppoe/trials-{here.device}.json", told.encode())
    return (at_site,) if there is None else (at_site, keep(f"pppoe/trials-{there.device}.json", there.raw))


def answer(found: Answer) -> str:
    """Return what a router answered to the challenge; empty where it did not."""
    return str(found.data.get("answer", ""))


def _at_site(line: OpticalLine, challenge: str) -> dict[str, Any]:
    options = str(pppoe.CLIENT_OPTIONS)
    return {
        "do": "line",
        "options": options,
        "number": _NUMBER,
        "challenge": challenge,
        "port": line.session.port,
    }


def _at_pe(line: OpticalLine, challenge: str, response: str) -> dict[str, Any]:
    name, _, realm = line.session.user.partition("@")
    good = {"user": line.session.user, "line": line.line.interface, "answer": response}
    tried = {
        PASSWORD.name: {"answer": _otherwise(response)},
        REALM.name: {"user": f"{name}@not-{realm}"},
        LINE.name: {"line": f"{line.line.interface}x"},
        _OWN: {},
    }
    attempts = [
        {"name": one, "number": _NUMBER, "challenge": challenge, **good, **changed}
        for one, changed in tried.items()
    ]
    asked: dict[str, Any] = {
        "do": "ask",
        "servers": str(radius.SERVERS),
        "address": f"127.0.0.1:{radius.PORT}",
        "attempts": attempts,
    }
    if (upstream := line.proxy.upstream) is not None:
        ends = {"source": str(line.proxy.address), "address": str(upstream.address)}
        own = {"number": _NUMBER, "challenge": challenge, **good}
        asked["upstream"] = {"config": str(radius.CONFIG), **ends, **own}
    return asked


def _otherwise(response: str) -> str:
    """Return another answer than `response`, as another password gives."""
    return f"{int(response, 16) ^ 1:032x}"


def _of_server(trial: Trial, line: OpticalLine, found: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    about = subject(trial, line)
    if found.error or "attempts" not in found.data:
        why = found.error or f"{line.router.name} did not answer the challenge"
        return unknown(REQUIREMENT, about, why, evidence)
    attempts = found.data["attempts"]
    came, own = attempts[trial.name], attempts[_OWN]
    if came["kind"] == "Access-Accept":
        return live(REQUIREMENT, about, Result.FAIL, "it was let in", evidence)
    if doubt := _positive(line, own):
        return unknown(REQUIREMENT, about, doubt, evidence)
    if came["kind"] != "Access-Reject":
        return unknown(REQUIREMENT, about, "no answer came", evidence)
    return _for_its_reason(trial, line, came["attributes"].get("Reply-Message", ""), evidence)


def _positive(line: OpticalLine, own: Mapping[str, Any]) -> str:
    """Return why a refusal says nothing: the router's own password was not taken, or not as planned."""
    if own["kind"] != "Access-Accept":
        said = own["attributes"].get("Reply-Message", "nothing")
        return f"the router's own password is not taken either ({own['kind'] or 'no answer'}: {said})"
    given = own["attributes"].get("Framed-IP-Address")
    if given != str(line.session.address):
        return f"the router's own password is given {given}, not {line.session.address}"
    return ""


def _for_its_reason(trial: Trial, line: OpticalLine, said: str, evidence: tuple[Evidence, ...]) -> Verdict:
    about = subject(trial, line)
    if trial.cause not in said:
        return unknown(REQUIREMENT, about, f"it was refused for another reason: {said or 'none'}", evidence)
    reason = f"refused: {said}; the router's own password was taken, with {line.session.address}"
    return live(REQUIREMENT, about, Result.PASS, reason, evidence)


def _second(trial: Trial, line: OpticalLine, found: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    """A refusal counts where the concentrator offered, and refuses because of the session that stands."""
    about = subject(trial, line)
    if found.error:
        return unknown(REQUIREMENT, about, found.error, evidence)
    second = found.data["second"]
    if second.get("session"):
        return live(REQUIREMENT, about, Result.FAIL, f"{line.pe.name} gave a second one", evidence)
    if second["offered"] != line.pe.name:
        who = second["offered"] or "no concentrator"
        return unknown(REQUIREMENT, about, f"{who} offered a session, not {line.pe.name}", evidence)
    said = "; ".join(second.get("errors", ()))
    if trial.cause not in said:
        return unknown(REQUIREMENT, about, f"it was refused for another reason: {said or 'none'}", evidence)
    return live(REQUIREMENT, about, Result.PASS, f"{line.pe.name} offered, and refused: {said}", evidence)


def _unsigned(trial: Trial, line: OpticalLine, found: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    """Silence counts where the same proxy answers what is signed, right after."""
    about, upstream = subject(trial, line), line.proxy.upstream
    said = found.data.get("unsigned")
    if found.error or said is None or upstream is None:
        why = found.error or f"{line.router.name} did not answer the challenge"
        return unknown(REQUIREMENT, about, why, evidence)
    if said["answered"]:
        return live(REQUIREMENT, about, Result.FAIL, f"{upstream.device} answered it", evidence)
    if not said["signed"]:
        return unknown(
            REQUIREMENT, about, f"{upstream.device} answers nothing that is signed either", evidence
        )
    reason = (
        f"{upstream.device} said nothing to a good log-in without Message-Authenticator, and answered what "
        "has one"
    )
    return live(REQUIREMENT, about, Result.PASS, reason, evidence)
