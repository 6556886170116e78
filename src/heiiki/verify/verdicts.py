"""Helpers that make verdicts of the live stage, and that list why a result is not known."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import UnreadableError, reading
from heiiki.verify.isolation.packets import Outcome, ProbeRun

Keep = Callable[[str, bytes], Evidence]
"""Keeps raw output under a name and returns the evidence that points to it."""


def live(
    identifier: str,
    subject: str,
    result: Result,
    reason: str = "",
    evidence: tuple[Evidence, ...] = (),
    *,
    figure: tuple[float, float, str] | None = None,
) -> Verdict:
    """Return a live verdict; `figure` is measured, bound, unit."""
    measured, bound, unit = figure or (None, None, "")
    return Verdict(
        identifier,
        subject,
        Stage.LIVE,
        result,
        reason,
        measured,
        bound,
        unit,
        evidence,
    )


def unknown(identifier: str, subject: str, reason: str, evidence: tuple[Evidence, ...] = ()) -> Verdict:
    """Return a live verdict that says why the result is not known."""
    return live(identifier, subject, Result.UNKNOWN, reason, evidence)


def judged(what: str, judge: Callable[[], Verdict], otherwise: Callable[[str], Verdict]) -> Verdict:
    """Return the verdict of `judge`; where an answer cannot be read, `otherwise` makes one of the reason."""
    try:
        with reading(what):
            return judge()
    except UnreadableError as error:
        return otherwise(str(error))


def excerpt(text: str) -> Evidence:
    """Return evidence of a single line, collected now."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Evidence(now, excerpt=" ".join(text.split()))


def unanswered_positives(outcomes: Iterable[Outcome], at: Callable[[Outcome], Iterable[str]]) -> list[str]:
    """Return the positives that arrived at none of the devices that `at` names, as human-readable text."""
    return [
        f"its positive did not arrive: {outcome.packet}{f' ({outcome.unsent})' if outcome.unsent else ''}"
        for outcome in outcomes
        if not set(at(outcome)) & set(outcome.heard)
    ]


def not_listening(probe_run: ProbeRun, devices: Iterable[str]) -> list[str]:
    """Return, for each of `devices` that did not listen, the reason."""
    return [probe_run.failures[device] for device in dict.fromkeys(devices) if device in probe_run.failures]


def unsent(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the packets that were not sent, as human-readable text."""
    return [f"never sent: {outcome.packet}: {outcome.unsent}" for outcome in outcomes if outcome.unsent]


def summarise(reasons: list[str], most: int = 3) -> str:
    """Return the first `most` reasons, and how many more there are."""
    more = f" (and {len(reasons) - most} more)" if len(reasons) > most else ""
    return "; ".join(reasons[:most]) + more
