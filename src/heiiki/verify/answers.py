"""Verdicts of the live and config stages, and the rules that all of them share."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.isolation.packets import Outcome, Volley

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
    """Return a live verdict that says why nobody can tell."""
    return live(identifier, subject, Result.UNKNOWN, reason, evidence)


def excerpt(text: str) -> Evidence:
    """Return evidence that is one line only, collected now."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Evidence(now, excerpt=" ".join(text.split()))


def missing(outcomes: Iterable[Outcome], at: Callable[[Outcome], Iterable[str]]) -> list[str]:
    """Return, in words, the positives that did not arrive at any of the devices that `at` names."""
    return [
        f"its positive did not arrive: {outcome.shot}{f' ({outcome.unsent})' if outcome.unsent else ''}"
        for outcome in outcomes
        if not set(at(outcome)) & set(outcome.heard)
    ]


def deaf(volley: Volley, devices: Iterable[str]) -> list[str]:
    """Return why those of `devices` that did not listen did not."""
    return [volley.failures[device] for device in dict.fromkeys(devices) if device in volley.failures]


def unsent(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the packets that never left, in words."""
    return [f"never sent: {outcome.shot}: {outcome.unsent}" for outcome in outcomes if outcome.unsent]


def brief(reasons: list[str], most: int = 3) -> str:
    """Return the first few reasons and how many more there are."""
    more = f" (and {len(reasons) - most} more)" if len(reasons) > most else ""
    return "; ".join(reasons[:most]) + more
