"""R-THEFT, live: each verifier gets the newest CRLs from its mirrors too, below its tunnels.

A mirror outlives the server: what was revoked just before that was lost still reaches every verifier, and one
that was away comes back. Each verifier asks its mirrors as it would then, and compares with what it has.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from heiiki.design.associations import THEFT
from heiiki.pki.device_program import command
from heiiki.plan.model import CrlSource, Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

POLLS = 3
"""Polls within which a mirror has a list that is new."""

_QUESTION = {"commands": {"mirrors": command("mirrors")}}
Newest = Mapping[str, Mapping[str, Any]]
"""The newest list that anybody told of, by the key of its CA."""


def subject(device: str) -> str:
    """Subject of the verdict on one verifier."""
    return f"{device} gets CRLs without the server"


def verifiers(plan: Plan) -> dict[str, CrlSource]:
    """Return who asks mirrors: every device that verifies peers and that the service still reaches."""
    return {one.name: one.crl_source for one in plan.verifiers() if one.crl_source}


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield what each verifier gets from its mirrors."""
    asked = verifiers(plan)
    answers = fleet.ask("read", dict.fromkeys(asked, _QUESTION))
    said = {name: _said(answer) for name, answer in answers.items()}
    newest = newest_lists([one for one in said.values() if not isinstance(one, str)])
    for name, source in asked.items():
        evidence = (keep(f"trust/mirrors-{name}.json", answers[name].raw),)
        yield judged(
            name,
            partial(of_verifier, name, source, said[name], newest, evidence),
            partial(_unknown, name, evidence),
        )


def _unknown(name: str, evidence: tuple[Evidence, ...], why: str) -> Verdict:
    return unknown(THEFT, subject(name), why, evidence)


def _said(answer: Answer) -> Mapping[str, Any] | str:
    """Return what a verifier says of its mirrors, or why it says nothing."""
    if answer.error:
        return answer.error
    said = answer.data["commands"]["mirrors"]
    try:
        found: Mapping[str, Any] = json.loads(said["out"])
        return {"crls": found["crls"], "mirrors": dict(found["mirrors"])}
    except (ValueError, KeyError, TypeError):
        told = f"{said['out']}{said['err']}".strip()
        return f"{answer.device} does not say what its mirrors have: {told[:200]}"


def newest_lists(said: Sequence[Mapping[str, Any]]) -> Newest:
    """Return the newest list of each CA that a verifier has: what only a mirror says may be forged."""
    newest: dict[str, Mapping[str, Any]] = {}
    for one in (one for told in said for one in told["crls"]):
        known = newest.setdefault(one["authority_key"], one)
        if known["number"] < one["number"]:
            newest[one["authority_key"]] = one
    return newest


def of_verifier(
    name: str,
    source: CrlSource,
    said: Mapping[str, Any] | str,
    newest: Newest,
    evidence: tuple[Evidence, ...],
) -> Verdict:
    """Return the verdict on the mirrors of one verifier."""
    about = subject(name)
    if isinstance(said, str):
        return unknown(THEFT, about, said, evidence)
    wrong: list[str] = []
    late: list[str] = []
    for told, recent in _problems(source, said["mirrors"], newest):
        (late if recent else wrong).append(told)
    if wrong or not newest:
        return live(THEFT, about, Result.FAIL, summarise(wrong or ["no verifier has a CRL"]), evidence)
    if late:
        return unknown(THEFT, about, f"{summarise(late)}; it is new, ask again", evidence)
    numbers = "; ".join(f"{one['issuer']}: number {one['number']}" for one in newest.values())
    names = ", ".join(mirror.device for mirror in source.mirrors)
    return live(THEFT, about, Result.PASS, f"{numbers}, from {names}", evidence)


def _problems(
    source: CrlSource, answers: Mapping[str, Mapping[str, Any]], newest: Newest
) -> Iterator[tuple[str, bool]]:
    """Yield what is wrong with the mirrors of one verifier, and whether that may be over in a moment."""
    since = datetime.now(UTC) - timedelta(seconds=POLLS * source.every_s)
    for mirror in source.mirrors:
        told = answers.get(str(mirror.address), {"problem": "it was not asked"})
        if told["problem"]:
            yield f"{mirror.device} gives no CRL: {told['problem']}", False
            continue
        for key, wanted in newest.items():
            found = [one for one in told["crls"] if one["authority_key"] == key]
            if problem := _problem(wanted["issuer"], found):
                yield f"{mirror.device}: {problem}", False
            elif (best := max(one["number"] for one in found)) < wanted["number"]:
                recent = datetime.fromisoformat(wanted["this_update"]) > since
                issuer, number = wanted["issuer"], wanted["number"]
                yield f"{mirror.device}: its CRL of {issuer} has number {best}, not {number}", recent


def _problem(issuer: str, found: Sequence[Mapping[str, Any]]) -> str:
    """Return what is wrong with what a mirror has of one CA, or nothing."""
    if not found:
        return f"has no CRL of {issuer}"
    told = next((one["problem"] for one in found if one["problem"]), "")
    return f"its CRL of {issuer}: {told}" if told else ""
