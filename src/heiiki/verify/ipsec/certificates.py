"""Certificates: each peer has one of its own, as the plan names it, good for days yet; revocation is fresh.

What each device tells of its credentials (`heiiki_agent.credentials`) is compared with the plan.
R-THEFT gets what can be shown without a revocation: that each verifier has a list of every CA, newly fetched.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from heiiki.design.associations import (
    THEFT,
    certificate_subject,
    ipsec_devices,
    protected,
    revocation_subject,
)
from heiiki.pki.device_program import QUESTION, credentials_status
from heiiki.plan.model import CrlSource, Device, Identity, Lifetimes, Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.figures import settled
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

KEYS = (("EC", "P-256", 256), ("EC", "P-384", 384))
"""Keys that are long enough until 2030 and after (NIST SP 800-57 part 1, table 4): curve and bits."""

LATE = 0.5
"""Share of the margin between renewal and expiry that must be left, else the renewal is overdue."""

LEFT = 0.25
"""Share of a list's life that must be left; the server makes a new one when half of it is."""

MISSED_POLLS = 3
"""Polls in a row without an answer after which revocation counts as not working."""


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield the certificate of every IPsec peer, and the revocation that every verifier has."""
    devices = ipsec_devices(plan)
    answers = fleet.ask("read", {device.name: QUESTION for device in devices})
    for device in devices:
        answer = answers[device.name]
        evidence = (keep(f"trust/credentials-{device.name}.json", answer.raw),)
        for identifier in protected(device):
            yield judged(
                device.name,
                partial(of_device, identifier, plan.pki.lifetimes, device, answer, evidence),
                partial(_unknown, identifier, certificate_subject(device.name), evidence),
            )
        if device.crl_source is not None:
            yield judged(
                device.name,
                partial(revocation, device, device.crl_source, plan.pki.lifetimes, answer, evidence),
                partial(_unknown, THEFT, revocation_subject(device.name), evidence),
            )


def _unknown(identifier: str, subject: str, evidence: tuple[Evidence, ...], why: str) -> Verdict:
    return unknown(identifier, subject, why, evidence)


def of_device(
    identifier: str, lifetimes: Lifetimes, device: Device, answer: Answer, evidence: tuple[Evidence, ...]
) -> Verdict:
    """Return the verdict on the certificate of one peer; its figure is the days left."""
    subject = certificate_subject(device.name)
    status = credentials_status(answer)
    if isinstance(status, str) or device.identity is None:
        why = status if isinstance(status, str) else "the plan gives it no identity"
        return unknown(identifier, subject, why, evidence)
    found = status["certificate"]
    if found is None:
        return live(
            identifier, subject, Result.FAIL, f"{device.name} has no certificate: run enrol.yml", evidence
        )
    needed = lifetimes.certificate_h * (1 - lifetimes.renew_share) * LATE / 24
    wrong = problems(device.identity, status, needed)
    figure = (found["days_left"], settled(needed), "days left")
    if wrong:
        return live(identifier, subject, Result.FAIL, summarise(wrong), evidence, figure=figure)
    key = found["key"]
    reason = (
        f"{', '.join(found['names']['dns'])} by {found['issuer']}, {key['algorithm']} {key['curve']}, "
        f"until {found['not_after']}"
    )
    return live(identifier, subject, Result.PASS, reason, evidence, figure=figure)


def problems(identity: Identity, status: Mapping[str, Any], needed_days: float) -> list[str]:
    """Return what is wrong with a certificate: names, key, chain, life, revocation."""
    found = status["certificate"]
    wrong = [
        *status["problems"],
        *_name_problems(identity, found["names"]),
        *_life_problems(found, needed_days),
    ]
    key = found["key"]
    if (key["algorithm"], key["curve"], key["bits"]) not in KEYS:
        wrong.append(f"its key is {key['algorithm']} {key['curve']} of {key['bits']} bits")
    if not found["chain"] or found["chain"][0]["subject"] != found["issuer"]:
        wrong.append(f"no certificate of its issuer {found['issuer']} is with it")
    if not status["loaded"]:
        wrong.append("the programs that use it have not loaded it: run renew.yml")
    return wrong


def _name_problems(identity: Identity, names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    planned: dict[str, Sequence[str]] = {
        "dns": identity.dns,
        "addresses": tuple(str(address) for address in identity.addresses),
        "uris": identity.uris,
        "jids": identity.jids,
    }
    for kind, wanted in planned.items():
        if sorted(names[kind]) != sorted(wanted):
            yield f"its {kind} are {_list(names[kind])}, not {_list(wanted)}"


def _life_problems(found: Mapping[str, Any], needed_days: float) -> Iterator[str]:
    if found["days_left"] <= 0:
        yield f"it expired on {found['not_after']}"
    elif found["days_left"] < needed_days:
        yield f"its renewal is overdue, {found['days_left']:.1f} days are left: run renew.yml"
    if found["revoked"]:
        yield "it is revoked"


def _list(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def revocation(
    device: Device, wanted: CrlSource, lifetimes: Lifetimes, answer: Answer, evidence: tuple[Evidence, ...]
) -> Verdict:
    """Return R-THEFT of one verifier: the lists that it has, and when it last got them."""
    subject = revocation_subject(device.name)
    status = credentials_status(answer)
    if isinstance(status, str):
        return unknown(THEFT, subject, status, evidence)
    needed = lifetimes.crl_h * LEFT
    wrong = _list_problems(status, needed)
    watch = answer.data["commands"]["check"]
    if watch["rc"] != 0:
        wrong.append(f"no watch fetches them: {(watch['out'] + watch['err']).strip()}")
    else:
        wrong += _report_problems(watch["out"])
    left = min((one["hours_left"] for one in status["crls"]), default=None)
    figure = None if left is None else (left, needed, "hours left")
    if wrong:
        return live(THEFT, subject, Result.FAIL, summarise(wrong), evidence, figure=figure)
    lists = "; ".join(f"{one['issuer']}: number {one['number']}" for one in status["crls"])
    reason = f"{lists}; asked for every {wanted.every_s} s; verifiers are strict"
    return live(THEFT, subject, Result.PASS, reason, evidence, figure=figure)


def _list_problems(status: Mapping[str, Any], needed_h: float) -> list[str]:
    """Every CA between a peer and the anchors needs a list of its own (RFC 5280 6.3)."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    chain = status["certificate"]["chain"] if status["certificate"] else []
    authorities = {one["subject"] for one in (*chain, *status["anchors"])}
    there = {one["issuer"] for one in status["crls"]}
    wrong = [f"no CRL of {name}" for name in sorted(authorities - there)]
    wrong += [
        f"the CRL of {one['issuer']} has expired"
        if one["hours_left"] <= 0
        else f"the CRL of {one['issuer']} ends in {one['hours_left']:.0f} h: the server has made no newer one"
        for one in status["crls"]
        if one["hours_left"] < needed_h
    ]
    return wrong + [
        f"the CRL of {one['issuer']} is of the future ({one['this_update']})"
        for one in status["crls"]
        if one["this_update"] > now
    ]


def _report_problems(text: str) -> list[str]:
    """What the watch says of its last pulls."""
    try:
        report = json.loads(text)
    except ValueError:
        report = {}
    failures = report.get("failures")
    if failures is None:
        return ["the watch does not say how its last pulls went"]
    if failures >= MISSED_POLLS:
        return [f"{failures} pulls in a row failed: {report.get('problem', '')}"]
    if not failures and report.get("problem"):
        return [f"the last pull refused a list: {report['problem']}"]
    return []
