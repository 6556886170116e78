"""What a server of HTTPS must refuse, tried by probe ``rest``, and judged by the reason.

By either version of TLS, with certificates made for it. What was refused counts only where the good
certificate was let in right after.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heiiki.render import agent
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import tls_trials
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.tls_trials import REVOKED, Trial
from heiiki.verify.verdicts import Keep, live, summarise, unknown
from heiiki_agent.pki.settings import FOLDER

GOOD, LIFE = "its own certificate", "10m"
"""The attempt that must be let in, and how long certificates are good that are made for attempts."""
_TIMEOUT_S = 90.0
_ROOTS = ["cat", str(FOLDER / "roots.pem")]
_QUESTION = {"commands": {"pull": list(agent.command("credentials", "pull")), "roots": _ROOTS}}

Came = Mapping[str, Any]
"""What came of one attempt by one version of TLS."""


@dataclass(frozen=True, slots=True)
class Served:
    """What is tried.

    Attributes:
        requirement: of the verdicts.
        protocol: its name, the folder of the evidence.
        let_in: tells whether an attempt was let in.
        proof: that the good certificate was, in words.
    """

    requirement: str
    protocol: str
    let_in: Callable[[Came], bool]
    proof: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of trials.

    Attributes:
        served: what was tried.
        names: of the attempts that were made.
        answer: of the probe.
        evidence: its raw output.
        behind: why the server may not know of the revocation, or nothing.
    """

    served: Served
    names: frozenset[str]
    answer: Answer
    evidence: tuple[Evidence, ...]
    behind: str = ""

    def judged(self, trial: Trial, subject: str, missing: str) -> Verdict:
        """Return the verdict of one trial from what came of it, or from why it is `missing`."""
        requirement = self.served.requirement
        if trial.name not in self.names:
            return unknown(requirement, subject, missing, self.evidence)
        if self.answer.error:
            return unknown(requirement, subject, self.answer.error, self.evidence)
        came = self.answer.data["attempts"]
        inside = [
            f"{version}: answered" for version, one in came[trial.name].items() if self.served.let_in(one)
        ]
        if inside:
            late = self.behind if trial is REVOKED else ""
            reason = "; ".join(filter(None, (*inside, late)))
            return live(requirement, subject, Result.FAIL, reason, self.evidence)
        if doubts := list(self._doubts(trial, came)):
            return unknown(requirement, subject, summarise(doubts), self.evidence)
        said = "; ".join(f"{version}: {_said(one)}" for version, one in came[trial.name].items())
        reason = f"refused ({said}); {self.served.proof}"
        return live(requirement, subject, Result.PASS, reason, self.evidence)

    def _doubts(self, trial: Trial, came: Mapping[str, Any]) -> Iterator[str]:
        """Yield why a refusal may have had nothing to do with what was provoked."""
        yield from tls_trials.other_reasons(trial, came)
        for version, one in came[GOOD].items():
            if not self.served.let_in(one):
                yield f"{GOOD} was not answered either: {version}: {one['stage']}: {one['cause']}"


def tried(
    served: Served,
    fleet: Fleet,
    keep: Keep | None,
    server: str,
    client: str,
    place: Mapping[str, Any],
    attempts: Sequence[Mapping[str, Any]],
) -> Tried:
    """Have `client` make the attempts at `server`, which fetches the newest revocation lists before.

    Args:
        served: what is tried.
        fleet: reaches both.
        keep: where raw output goes; None: it is of no use afterwards.
        server: name of the device that serves.
        client: name of the one that tries.
        place: address, port and name of the server.
        attempts: as probe ``rest`` wants them.
    """
    asked = fleet.ask("read", {server: _QUESTION})[server]
    roots = asked.data.get("commands", {}).get("roots", {}).get("out", "")
    question = {**place, "trust": roots, "attempts": list(attempts)}
    answer = fleet.ask("rest", {client: question}, _TIMEOUT_S)[client]
    evidence = () if keep is None else (keep(f"{served.protocol}/attempts-{client}.json", answer.raw),)
    names = frozenset(str(one["name"]) for one in attempts)
    return Tried(served, names, answer, evidence, tls_trials.unfetched(asked))


def _said(one: Came) -> str:
    """Return what the server said, of a problem the status alone: its text is in the evidence."""
    return f"status {one['status']}" if one["stage"] == "http" else str(one["cause"])
