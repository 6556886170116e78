"""Nothing examined is never a pass: what was not examined becomes *unknown* (D14)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from heiiki.design.associations import (
    ACCESS,
    ESP,
    THEFT,
    associations,
    certificate_subject,
    ipsec_devices,
    is_hub_line,
    protected,
    revocation_subject,
    wire_subject,
    wires,
)
from heiiki.plan.model import Plan
from heiiki.report.faults import is_row, requirement
from heiiki.requirements import NOTHING_EXAMINED, REQUIREMENTS, Result, Stage, Verdict

NOT_RUN = "not run"
"""Reason of the verdict of a fault that was not injected."""

WHOLE_SERVICE = "the service"
"""Subject of a stand-in where the stage has no verdict at all and no subject is expected by name."""

Expected = Mapping[tuple[str, Stage], Iterable[str]]
"""Subjects that must have a verdict, by requirement and stage."""


def expected_faults(plan: Plan) -> Expected:
    """Return every fault of the plan, by what it is measured for, so that a missing row is unknown (D17)."""
    found: defaultdict[tuple[str, Stage], list[str]] = defaultdict(list)
    for fault in plan.faults:
        found[requirement(fault.kind), Stage.LIVE].append(fault.name)
    return {pair: tuple(names) for pair, names in found.items()}


def expected_trust(plan: Plan) -> Expected:
    """Return the subjects of trust, live: every association, certificate, line and verifier of the plan."""
    found: defaultdict[tuple[str, Stage], list[str]] = defaultdict(list)
    for one in associations(plan):
        found[one.protects, Stage.LIVE].append(one.subject)
    for device in ipsec_devices(plan):
        for identifier in protected(device):
            found[identifier, Stage.LIVE].append(certificate_subject(device.name))
        found[THEFT, Stage.LIVE].append(revocation_subject(device.name))
    for link in wires(plan):
        found[ESP if is_hub_line(link) else ACCESS, Stage.LIVE].append(wire_subject(link))
    return {pair: tuple(dict.fromkeys(names)) for pair, names in found.items()}


def together(*several: Expected) -> Expected:
    """Return the subjects of all, each once."""
    found: defaultdict[tuple[str, Stage], dict[str, None]] = defaultdict(dict)
    for one in several:
        for pair, names in one.items():
            found[pair] |= dict.fromkeys(names)
    return {pair: tuple(names) for pair, names in found.items()}


def completeness(
    verdicts: Iterable[Verdict], expected: Expected | None = None, stages: Collection[Stage] = tuple(Stage)
) -> tuple[Verdict, ...]:
    """Return `verdicts` with an ``unknown`` for each of this release that was not examined.

    That is: each subject in `expected` that has no verdict, and each requirement and stage of the catalogue
    that has none at all. `stages` narrows it, for a command that runs one stage only. Stand-ins of an earlier
    call are taken out first, so that calling it again changes nothing.
    """
    found = tuple(verdict for verdict in verdicts if verdict.reason not in {NOTHING_EXAMINED, NOT_RUN})
    subjects: defaultdict[tuple[str, Stage], set[str]] = defaultdict(set)
    for verdict in found:
        subjects[verdict.requirement, verdict.stage].add(verdict.subject)
    wanted = {pair: tuple(names) for pair, names in (expected or {}).items()}
    missing = [
        _stand_in(pair, name)
        for pair in _examined(wanted)
        if pair[1] in stages
        for name in wanted.get(pair, ()) or _whole(subjects[pair])
        if name not in subjects[pair]
    ]
    return found + tuple(missing)


def _examined(expected: Mapping[tuple[str, Stage], tuple[str, ...]]) -> tuple[tuple[str, Stage], ...]:
    catalogue = tuple((item.id, stage) for item in REQUIREMENTS for stage in item.stages)
    return catalogue + tuple(pair for pair in expected if pair not in catalogue)


def _whole(subjects: set[str]) -> tuple[str, ...]:
    return () if subjects else (WHOLE_SERVICE,)


def _stand_in(pair: tuple[str, Stage], subject: str) -> Verdict:
    identifier, stage = pair
    reason = NOT_RUN if subject != WHOLE_SERVICE and is_row(*pair, subject) else NOTHING_EXAMINED
    return Verdict(identifier, subject, stage, Result.UNKNOWN, reason)


def is_not_run(verdict: Verdict) -> bool:
    """Tell whether `verdict` stands for a fault that was not injected."""
    is_fault = is_row(verdict.requirement, verdict.stage, verdict.subject)
    return is_fault and verdict.reason == NOT_RUN


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """Return 0 when no verdict is a fail or unknown and there is at least one, else 1."""
    results = {verdict.result for verdict in verdicts}
    return 0 if results and not results & {Result.FAIL, Result.UNKNOWN} else 1
