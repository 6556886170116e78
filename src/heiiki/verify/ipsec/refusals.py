"""What IPsec must refuse, tried for real: foreign CA, expired, revoked, wrong name, selector or algorithms.

Each attempt is a connection as the device is sent it, changed in one thing, under a name and with a key of
its own; the running tunnel stays as it is. It counts as refused only when the other side's own log names the
reason that was provoked, and when the same device, with its own certificate, is accepted right after.
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from heiiki.design.associations import ACCESS, ESP, Association, associations
from heiiki.design.strongswan import Section, connections
from heiiki.design.suites import beyond
from heiiki.plan.model import Plan, Suite
from heiiki.render import agent
from heiiki.render.model import DeviceBuild
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.test_certificates import Authority, Credential, credentials
from heiiki.verify.verdicts import Keep, live, unknown

OUTSIDE_LAB = "certificates that must be refused are made for, and tried in, a lab only"

_LISTEN_S, _READY_S, _PAUSE_S = 120.0, 15.0, 0.3
"""The listener ends when all was tried; the limit is for a controller that is gone by then."""

_TIMEOUT_MS = 4000
_FOLDERS = {"certs": "/etc/swanctl/x509", "cacerts": "/etc/swanctl/x509ca"}
_LISTS = frozenset(
    {"local_addrs", "remote_addrs", "proposals", "esp_proposals", "local_ts", "remote_ts", *_FOLDERS}
)
_PULL = {"commands": {"pull": list(agent.command("credentials", "pull"))}}


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that must be refused.

    Attributes:
        name: what it is.
        cause: what the refusing side's log must say; ``{id}`` is the identity that was claimed.
        answer: the error notification that the initiator must receive (RFC 7296 3.10.1).
    """

    name: str
    cause: str
    answer: str


FOREIGN = Trial("foreign CA", r"no issuer certificate found for", "AUTH_FAILED|AUTHENTICATION_FAILED")
EXPIRED = Trial(
    "expired certificate", r"certificate invalid \(valid from", "AUTH_FAILED|AUTHENTICATION_FAILED"
)
REVOKED = Trial("revoked certificate", r"certificate was revoked on", "AUTH_FAILED|AUTHENTICATION_FAILED")
# Who holds the true certificate of that name, from a session before, says that the signature is another's.
NAME = Trial(
    "another's name",
    r"no trusted \w+ public key found for '{id}'|no matching peer config found|signature validation failed",
    "AUTH_FAILED|AUTHENTICATION_FAILED",
)
SELECTOR = Trial(
    "wrong selector",
    r"traffic selectors .* unacceptable|no matching CHILD_SA config found",
    "TS_UNACCEPT|TS_UNACCEPTABLE",
)
IKE_SUITE = Trial("IKE by another suite", r"configured proposals: (?P<shown>IKE:.*)", "NO_PROP")
ESP_SUITE = Trial("ESP by another suite", r"configured proposals: (?P<shown>ESP:.*)", "NO_PROP")
"""A daemon that refuses a suite logs those that it has loaded: no command lists them."""
_OTHER_IKE, _OTHER_ESP = "aes128-sha256-modp2048", "aes128-sha256-ecp256"
_BY_CERTIFICATE = (NAME, FOREIGN, EXPIRED, REVOKED)
TRIALS = (*_BY_CERTIFICATE, SELECTOR, IKE_SUITE, ESP_SUITE)
"""In this order: a daemon tries again, and logs, what it was shown before under the same name. So the one
whose cause the certificates of the others have too comes first."""
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
    pulled = fleet.ask("read", {there: _PULL})[there].data.get("commands", {}).get("pull", {})
    behind = (
        "" if pulled.get("rc") == 0 else f"{there} could not fetch the CRL: {pulled.get('err', '').strip()}"
    )
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


def attempts(
    plan: Plan, association: Association, base: Section, made: Mapping[str, Credential]
) -> Iterator[dict[str, Any]]:
    """Yield what probe ``vici`` needs to try each; those without a credential are left out."""
    for trial in _BY_CERTIFICATE:
        if trial.name in made:
            yield _with_certificate(trial, base, made[trial.name])
    yield _with_child(SELECTOR, base, _foreign_selector(plan, association))
    yield _ike_sa(IKE_SUITE, {**as_message(base), "proposals": [_OTHER_IKE]})
    yield _with_child(ESP_SUITE, base, {"esp_proposals": [_OTHER_ESP]})


def _with_certificate(trial: Trial, base: Section, credential: Credential) -> dict[str, Any]:
    message = as_message(base)
    local = _round(message, "local")
    message[local] = {**message[local], "certs": [credential.certificate]}
    return {**_ike_sa(trial, message), "key": credential.key}


def _ike_sa(trial: Trial, message: Section) -> dict[str, Any]:
    """An IKE SA of its own, beside the running one."""
    name = _name(trial)
    message |= {"unique": "never", "keyingtries": "1", "children": _only_child(message, name)}
    return {
        "name": trial.name,
        "connection": {name: message},
        "terminate": {"ike": name},
        "timeout_ms": _TIMEOUT_MS,
    }


def _with_child(trial: Trial, base: Section, changed: Section) -> dict[str, Any]:
    """One more ESP SA below the running IKE SA, with something `changed`.

    The daemon puts it there because everything else of the connection is the same.
    """
    name = _name(trial)
    message = as_message(base)
    children = _only_child(message, name)
    children[name] |= changed
    return {
        "name": trial.name,
        "connection": {name: {**message, "children": children}},
        "terminate": {"child": name},
        "timeout_ms": _TIMEOUT_MS,
    }


def _foreign_selector(plan: Plan, association: Association) -> Section:
    """Another site's tunnel; or, where all of IPv4 is allowed, IPv6."""
    wanted = association.initiator.connection.selector
    if not wanted.local.prefixlen:
        return {"local_ts": ["::/0"], "remote_ts": ["::/0"]}
    return {
        "local_ts": [
            f"{_elsewhere(plan, association)}/32" + (f"[{wanted.protocol}]" if wanted.protocol else "")
        ]
    }


def _elsewhere(plan: Plan, association: Association) -> str:
    """An address that is not the device's: another site's, or the Vault server's."""
    others = (
        one.initiator.connection.local
        for one in associations(plan)
        if one.protects == ACCESS
        and one.network == association.network
        and one.initiator.device != association.initiator.device
    )
    return str(next(others, plan.pki.address))


def _name(trial: Trial) -> str:
    return f"probe-{trial.name.split()[0].replace(chr(39), '')}"


def _only_child(message: Section, name: str) -> Section:
    """The connection's child under another name, made only when asked for."""
    (child,) = message["children"].values()
    passive = {"start_action": "none", "close_action": "none", "dpd_action": "clear"}
    return {name: {**child, **passive}}


def _round(message: Section, side: str) -> str:
    return next(key for key in message if key == side or key.startswith(f"{side}-"))


def as_message(section: Section) -> Section:
    """Return a connection of the file as a VICI message: lists apart, certificates by content."""
    message: Section = {}
    for key, value in section.items():
        if isinstance(value, dict):
            message[key] = as_message(value)
        elif key in _LISTS:
            items = [item.strip() for item in value.split(",")]
            message[key] = [_content(key, item) for item in items] if key in _FOLDERS else items
        else:
            message[key] = value
    return message


def _content(kind: str, name: str) -> dict[str, str]:
    return {"file": str(PurePosixPath(_FOLDERS[kind]) / name)}


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
