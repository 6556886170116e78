"""What IPsec must refuse, tried for real: foreign CA, expired, revoked, wrong name, selector or algorithms.

It counts as refused only when the other side's own log names the reason that was provoked, and when the same
device, with its own certificate, is accepted right after.
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from heiiki.design.associations import ACCESS, ESP, Association, associations
from heiiki.design.strongswan import connections
from heiiki.design.suites import beyond
from heiiki.plan.model import Plan, Suite
from heiiki.render import agent
from heiiki.render.model import DeviceBuild
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import tls_trials
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.attempts import (
    ESP_SUITE,
    EXPIRED,
    FOREIGN,
    IKE_SUITE,
    NAME,
    REVOKED,
    SELECTOR,
    TRIALS,
    Trial,
    attempts,
)
from heiiki.verify.ipsec.test_certificates import Authority, Credential, credentials
from heiiki.verify.verdicts import Keep, live, unknown

OUTSIDE_LAB = "certificates that must be refused are made for, and tried in, a lab only"

_LISTEN_S, _READY_S, _PAUSE_S = 120.0, 15.0, 0.3
"""The listener ends when all was tried; the limit is for a controller that is gone by then."""


_ANY_CAUSE = re.compile("|".join(trial.cause for trial in (FOREIGN, EXPIRED, REVOKED, SELECTOR)))


def trial_associations(plan: Plan) -> tuple[Association, ...]:
    """Return the associations to try: of a gateway on a standby path, and of the hub on the same network."""
    every = tuple(associations(plan))
    standby = [one for one in every if one.protects == ACCESS and _stands_by(plan, one)]
    chosen = standby[:1] or [one for one in every if one.protects == ACCESS][:1]
    lines = [one for one in every if one.protects == ESP]
    beside = [one for one in lines if chosen and one.network == chosen[0].network]
    return (*chosen, *(beside or lines)[:1])


def _stands_by(plan: Plan, one: Association) -> bool:
    """Tell whether the site has another gateway, and its traffic another way."""
    for site in plan.sites:
        if one.initiator.device in site.gateways:
            return len(site.gateways) > 1 and site.primary != one.network
    return False


def subject(trial: Trial, association: Association) -> str:
    """Subject of the verdict."""
    return f"{trial.name}: {association.subject}"


def verdicts(
    plan: Plan, builds: Sequence[DeviceBuild], fleet: Fleet, keep: Keep, authority: Authority | None
) -> Iterator[Verdict]:
    """Yield a verdict for each trial of each chosen association."""
    chosen = trial_associations(plan)
    # A certificate that has expired takes seconds to make: those of all are made at the same time.
    with ThreadPoolExecutor(max(1, len(chosen))) as side:
        made = list(side.map(lambda one: credentials(plan, one.initiator.device, authority), chosen))
    for association, presented in zip(chosen, made, strict=True):
        yield from _at(plan, builds, fleet, keep, presented, association)


def not_tried(plan: Plan, why: str) -> Iterator[Verdict]:
    """Yield the same verdicts for a network where nothing may be tried."""
    for association in trial_associations(plan):
        for trial in TRIALS:
            yield unknown(association.protects, subject(trial, association), why)


def _at(
    plan: Plan,
    builds: Sequence[DeviceBuild],
    fleet: Fleet,
    keep: Keep,
    presented: tuple[Mapping[str, Credential], str],
    association: Association,
) -> Iterator[Verdict]:
    conf = next(
        (connections(build.contents) for build in builds if build.device == association.initiator.device),
        {},
    )
    base = conf.get(association.initiator.connection.name)
    if base is None:
        for trial in TRIALS:
            connection = association.initiator.connection.name
            why = f"{association.initiator.device} is sent no connection {connection}"
            yield unknown(association.protects, subject(trial, association), why)
        return
    made, missing = presented
    tries = tuple(attempts(plan, association, base, made))
    behind, tried, heard = _tried(fleet, association, tries)
    evidence = (
        keep(f"trust/attempts-{tried.device}.json", tried.raw),
        keep(f"trust/attempts-log-{heard.device}.json", heard.raw),
    )
    done = {one["name"] for one in tries}
    for trial in TRIALS:
        if trial.name not in done:
            yield unknown(association.protects, subject(trial, association), missing)
            continue
        verdict = judged(trial, association, plan.pki.suite, tried, heard, evidence)
        if trial is REVOKED and verdict.result is Result.FAIL and behind:
            verdict = replace(verdict, reason=f"{verdict.reason}; {behind}")
        yield verdict


def _tried(
    fleet: Fleet, association: Association, tries: Sequence[dict[str, Any]]
) -> tuple[str, Answer, Answer]:
    """Have the CRL fetched and everything tried; return why it was not fetched, and what both sides say."""
    here, there = association.initiator.device, association.responder.device
    behind = tls_trials.behind(fleet, (there,))
    asked = {
        "do": "attempt",
        "attempts": list(tries),
        "pause_s": _PAUSE_S,
        "again": association.initiator.connection.name,
        "forget": list(agent.command("credentials", "reload")),
    }
    name = secrets.token_hex(8)
    listen = {"do": "listen", "name": name, "seconds": _LISTEN_S}
    tell = {"do": "tell", "name": name, "seconds": _READY_S, "enough": False}
    with ThreadPoolExecutor(1) as side:
        listening = side.submit(fleet.ask, "vici", {there: listen}, _LISTEN_S + 30)
        fleet.ask("vici", {there: tell}, _READY_S + 30)
        tried = fleet.ask("vici", {here: asked}, 90.0)[here]
        fleet.ask("vici", {there: tell | {"enough": True}}, _READY_S + 30)
        return behind, tried, listening.result()[there]


def judged(
    trial: Trial,
    association: Association,
    suite: Suite,
    tried: Answer,
    heard: Answer,
    evidence: tuple[Evidence, ...],
) -> Verdict:
    """Return the verdict of one attempt from what both sides say."""
    what = subject(trial, association)
    error = tried.error or heard.error
    one = {"error": error} if error else tried.data["attempts"][trial.name]
    if one.get("up"):
        reason = f"{association.responder.device} accepted it: {json.dumps(one['log'][-1:])}"
        return live(association.protects, what, Result.FAIL, reason, evidence)
    cause, doubt = _refused(trial, association, one, heard)
    if not doubt and (more := _beyond(trial, suite, cause)):
        reason = f"{association.responder.device} refused it, and would accept {', '.join(more)}"
        return live(association.protects, what, Result.FAIL, reason, evidence)
    again = {} if error else tried.data["again"]
    if not doubt and not again.get("up"):
        doubt = f"refused ({cause}), but its own certificate was not accepted after it either"
    if doubt:
        return unknown(association.protects, what, doubt, evidence)
    reason = (
        f"refused by {association.responder.device}: {cause}; its own certificate was accepted after, "
        f"in {again['seconds']:.2f} s"
    )
    return live(association.protects, what, Result.PASS, reason, evidence)


def _beyond(trial: Trial, suite: Suite, cause: str) -> list[str]:
    """Return which suites the daemon has loaded beyond the plan's, by what it logged."""
    shown = re.search(trial.cause, cause) if trial in (IKE_SUITE, ESP_SUITE) else None
    if shown is None:
        return []
    protocol, text = ("IKE", suite.ike) if trial is IKE_SUITE else ("ESP", suite.esp)
    return beyond(protocol, text, shown["shown"])


def _refused(
    trial: Trial, association: Association, one: Mapping[str, Any], heard: Answer
) -> tuple[str, str]:
    """Return why it was refused, or why that is not known."""
    if "error" in one:
        return "", one["error"]
    if not any(re.search(trial.answer, line) for line in one["log"]):
        return "", f"not refused, but not answered either: {one['said'] or 'nothing was said'}"
    return _cause(trial, association, one, heard.data)


def _cause(
    trial: Trial, association: Association, one: Mapping[str, Any], heard: Mapping[str, Any]
) -> tuple[str, str]:
    """Return what the refusing side logged as the reason, or why that does not count."""
    if heard["began"] > one["began"] or heard["ended"] < one["ended"]:
        return "", f"{association.responder.device}: the log was not read throughout the attempt"
    lines = [said for at, said in heard["lines"] if one["began"] <= at <= one["ended"] + _PAUSE_S]
    wanted = re.compile(trial.cause.replace("{id}", re.escape(association.initiator.connection.local_id)))
    found = next((said for said in lines if wanted.search(said)), "")
    other = next((said for said in lines if trial is NAME and _ANY_CAUSE.search(said)), "")
    if found and not other:
        return found, ""
    said = other or next(reversed(lines), "nothing in its log")
    return "", f"refused for another reason: {association.responder.device}: {said}"
