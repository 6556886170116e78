"""What servers that ask for a certificate must refuse, whatever they serve: tried, and judged by the reason.

By either version of TLS; the server's word is an alert, or what its protocol has above. What was refused
counts only where the device's own certificate was taken right after.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heiiki.render import agent
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.test_certificates import Credential
from heiiki.verify.verdicts import live, summarise, unknown

_PULL = {"commands": {"pull": list(agent.command("credentials", "pull"))}}
_AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that must be refused.

    Attributes:
        name: what it is.
        stage: how far it may get: `tls`, or the protocol's own; empty where who refuses does not say.
        cause: what the server must say.
        made: whether it needs a certificate made for it.
    """

    name: str
    stage: str
    cause: str
    made: bool = False


ANONYMOUS = Trial("no certificate", "tls", r"alert (certificate required|handshake failure)")
OBSOLETE = Trial("TLS 1.1", "tls", r"alert protocol version")
FOREIGN = Trial("foreign CA", "tls", r"alert unknown ca", made=True)
EXPIRED = Trial("expired certificate", "tls", r"alert certificate expired", made=True)
REVOKED = Trial("revoked certificate", "tls", r"alert certificate revoked", made=True)


def attempts(trials: Sequence[Trial], made: Mapping[str, Credential]) -> Iterator[dict[str, Any]]:
    """Yield what a probe needs to try each by TLS; those without a certificate are left out."""
    if ANONYMOUS in trials:
        yield {"name": ANONYMOUS.name, "anonymous": True}
    if OBSOLETE in trials:
        yield {"name": OBSOLETE.name, "obsolete": True}
    for trial in trials:
        if trial.made and trial.name in made:
            one = made[trial.name]
            yield {"name": trial.name, "certificate": one.certificate, "key": one.key}


def behind(fleet: Fleet, servers: Sequence[str]) -> str:
    """Have servers fetch the newest lists; return why some may not know of a revocation, or nothing."""
    return summarise([text for one in pulled(fleet, servers).values() if (text := unfetched(one))])


def pulled(fleet: Fleet, servers: Sequence[str]) -> dict[str, Answer]:
    """Have servers fetch the newest lists; return what they answer, for `unfetched`."""
    return fleet.ask("read", dict.fromkeys(servers, _PULL))


def unfetched(pulled: Answer) -> str:
    """Return why a device that was asked to `pull` has no newer lists, or nothing."""
    done = pulled.data.get("commands", {}).get("pull", {})
    said = pulled.error or done.get("err", "").strip()
    return "" if done.get("rc") == 0 else f"{pulled.device} could not fetch the CRL: {said}"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trials.

    Attributes:
        requirement: of the verdicts.
        answer: of the probe: of each attempt, what came of it by each version, and at each server.
        behind: why a server may not know of the revocation, or nothing.
    """

    requirement: str
    answer: Answer
    evidence: tuple[Evidence, ...]
    behind: str = ""

    def judged(self, trial: Trial, subject: str) -> Verdict:
        """Return the verdict of one trial from what came of it."""
        if self.answer.error:
            return unknown(self.requirement, subject, self.answer.error, self.evidence)
        came = self.answer.data["attempts"]
        late = self.behind if trial is REVOKED else ""
        inside = [
            f"{where}: let in as {one['taken']}" for where, one in came[trial.name].items() if "taken" in one
        ]
        if inside:
            reason = "; ".join(filter(None, (*inside, late)))
            return live(self.requirement, subject, Result.FAIL, reason, self.evidence)
        if doubts := list(_doubts(trial, came)):
            return unknown(self.requirement, subject, summarise(doubts), self.evidence)
        said = "; ".join(f"{where}: {one['cause']}" for where, one in came[trial.name].items())
        reason = f"refused ({said}); the same device's own certificate was taken after it"
        return live(self.requirement, subject, Result.PASS, reason, self.evidence)


def other_reasons(trial: Trial, came: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a trial was refused for another reason than the one that was provoked."""
    for where, one in came[trial.name].items():
        if (trial.stage and one["stage"] != trial.stage) or not re.search(trial.cause, one["cause"]):
            yield f"refused for another reason: {where}: {one['stage']}: {one['cause']}"


def _doubts(trial: Trial, came: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a refusal may have had nothing to do with what was provoked."""
    yield from other_reasons(trial, came)
    for where, one in came[_AGAIN].items():
        if "taken" not in one:
            yield f"its own certificate was not taken either: {where}: {one['stage']}: {one['cause']}"
