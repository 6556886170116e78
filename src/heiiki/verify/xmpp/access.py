"""Whom the XMPP server lets in: tried with what it must refuse, for the reason that was provoked.

By either version of TLS; the server's word is an alert of TLS or a failure of SASL. What was refused counts
only where the device's own certificate was taken right after.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heiiki.plan.model import Plan
from heiiki.render import agent, xmpp
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.test_certificates import Authority, Credential, credentials
from heiiki.verify.verdicts import Keep, live, summarise, unknown
from heiiki.verify.xmpp.server import Served, resource, served

REQUIREMENT = xmpp.ACCESS
_TIMEOUT_S = 90.0
_PULL = {"commands": {"pull": list(agent.command("credentials", "pull"))}}
_AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that must be refused.

    Attributes:
        name: what it is.
        stage: how far it may get: `tls` or `login`.
        cause: what the server must say.
        made: whether it needs a certificate made for it.
    """

    name: str
    stage: str
    cause: str
    made: bool = False


ANONYMOUS = Trial("no certificate", "tls", r"alert (certificate required|handshake failure)")
OBSOLETE = Trial("TLS 1.1", "tls", r"alert protocol version")
ANOTHER = Trial("another's JID", "login", r"not-authorized")
FOREIGN = Trial("foreign CA", "tls", r"alert unknown ca", made=True)
EXPIRED = Trial("expired certificate", "tls", r"alert certificate expired", made=True)
REVOKED = Trial("revoked certificate", "tls", r"alert certificate revoked", made=True)
TRIALS = (ANONYMOUS, OBSOLETE, ANOTHER, FOREIGN, EXPIRED, REVOKED)


def subject(trial: Trial, server: str) -> str:
    """Subject of the verdict on one trial."""
    return f"{trial.name}: {server} by XMPP"


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the subjects of a service; none where it has no server or no client."""
    found = served(plan)
    return tuple(subject(trial, found.device) for trial in TRIALS) if found and found.clients else ()


def verdicts(
    plan: Plan, fleet: Fleet, keep: Keep, authority: Authority | None, barred: str = ""
) -> Iterator[Verdict]:
    """Yield a verdict for each trial.

    Args:
        plan: the service.
        fleet: reaches its devices.
        keep: where raw output goes.
        authority: makes the certificates that must be refused.
        barred: why none may be made, where none may.
    """
    found = served(plan)
    if found is None or not found.clients:
        return
    here = found.clients[0].name
    made, missing = ({}, barred) if barred else credentials(plan, here, authority)
    pulled = fleet.ask("read", {found.device: _PULL})[found.device] if made else None
    tries = list(_attempts(found, made))
    tried = fleet.ask("xmpp", {here: found.question("attempt", resource(), attempts=tries)}, _TIMEOUT_S)[here]
    evidence = (keep(f"xmpp/attempts-{here}.json", tried.raw),)
    done = {one["name"] for one in tries}
    for trial in TRIALS:
        if trial.name in done:
            yield judged(trial, found.device, tried, evidence, _behind(trial, found.device, pulled))
        else:
            yield unknown(REQUIREMENT, subject(trial, found.device), missing, evidence)


def _attempts(found: Served, made: Mapping[str, Credential]) -> Iterator[dict[str, Any]]:
    """Yield what probe ``xmpp`` needs to try each; those without a certificate are left out."""
    yield {"name": ANONYMOUS.name, "anonymous": True}
    yield {"name": OBSOLETE.name, "obsolete": True}
    yield {"name": ANOTHER.name, "authzid": found.server.dras}
    for trial in TRIALS:
        if trial.made and trial.name in made:
            one = made[trial.name]
            yield {"name": trial.name, "certificate": one.certificate, "key": one.key}


def _behind(trial: Trial, server: str, pulled: Answer | None) -> str:
    """Return why the server may not know of the revocation, or nothing."""
    if trial is not REVOKED or pulled is None:
        return ""
    done = pulled.data.get("commands", {}).get("pull", {})
    said = pulled.error or done.get("err", "").strip()
    return "" if done.get("rc") == 0 else f"{server} could not fetch the CRL: {said}"


def judged(
    trial: Trial, server: str, tried: Answer, evidence: tuple[Evidence, ...], behind: str = ""
) -> Verdict:
    """Return the verdict of one trial from what came of it."""
    what = subject(trial, server)
    if tried.error:
        return unknown(REQUIREMENT, what, tried.error, evidence)
    came = tried.data["attempts"]
    inside = [
        f"{version}: let in as {one['jid']}" for version, one in came[trial.name].items() if "jid" in one
    ]
    if inside:
        return live(REQUIREMENT, what, Result.FAIL, "; ".join(filter(None, (*inside, behind))), evidence)
    if doubts := list(_doubts(trial, came)):
        return unknown(REQUIREMENT, what, summarise(doubts), evidence)
    said = "; ".join(f"{version}: {one['cause']}" for version, one in came[trial.name].items())
    reason = f"refused ({said}); the same device's own certificate was taken after it"
    return live(REQUIREMENT, what, Result.PASS, reason, evidence)


def _doubts(trial: Trial, came: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a refusal may have had nothing to do with what was provoked."""
    for version, one in came[trial.name].items():
        if one["stage"] != trial.stage or not re.search(trial.cause, one["cause"]):
            yield f"refused for another reason: {version}: {one['stage']}: {one['cause']}"
    for version, one in came[_AGAIN].items():
        if "jid" not in one:
            yield f"its own certificate was not taken either: {version}: {one['stage']}: {one['cause']}"
