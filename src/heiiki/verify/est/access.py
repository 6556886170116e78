"""Whom the registration authority certifies: tried with what it must refuse, for the reason provoked.

By either version of TLS, from the host of an ESP's system, with certificates made for it. No trial has
anything signed: a device that is let in asks for a certificate of the key that it shows, and is refused last.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from heiiki.design.enrolment import host
from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, EstClient, Identity, Plan, Role
from heiiki.render import est
from heiiki.requirements import Verdict
from heiiki.verify import http_trials
from heiiki.verify.fleet import Fleet
from heiiki.verify.http_trials import GOOD, LIFE
from heiiki.verify.ipsec.test_certificates import Authority, Credential, credentials, signed
from heiiki.verify.tls_trials import EXPIRED, FOREIGN, OBSOLETE, REVOKED, Trial
from heiiki.verify.verdicts import Keep, unknown
from heiiki_agent.est.places import PREFIX

REQUIREMENT = est.REQUIREMENT
_LET_IN = "that of the certificate shown"

NO_SECRET = Trial("no secret", "http", r"show the device's name and its secret")
WRONG_SECRET = Trial("wrong secret", "http", r"the secret is not known")
NO_CLIENT = Trial("a certificate of another host", "http", r"is of no device that enrols here", made=True)
ANOTHER = Trial("another's name", "http", r"asks for the subject")
TRIALS = (OBSOLETE, FOREIGN, EXPIRED, REVOKED, NO_SECRET, WRONG_SECRET, NO_CLIENT, ANOTHER)


@dataclass(frozen=True, slots=True)
class Scene:
    """The registration authority, and who tries it.

    Attributes:
        host: its host.
        client: a device that may enrol, on whose host a verification may run programs.
    """

    host: Device
    client: EstClient


def scene(plan: Plan) -> Scene | None:
    """Return where it is tried; None where there is no registration authority, or no host to try it from."""
    found = host(plan)
    for one in found.est.clients if found is not None and found.est is not None else ():
        if found is not None and plan.device(one.identity.device).role is Role.ESP:
            return Scene(found, one)
    return None


def subject(trial: Trial, name: str) -> str:
    """Subject of the verdict on one trial."""
    return f"{trial.name}: {name} by EST"


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the subjects of a service; none where there is no registration authority."""
    found = host(plan)
    return tuple(subject(trial, found.name) for trial in TRIALS) if found else ()


def verdicts(
    plan: Plan, fleet: Fleet, keep: Keep, authority: Authority | None, barred: str = ""
) -> Iterator[Verdict]:
    """Yield a verdict for each trial.

    Args:
        plan: the service.
        fleet: reaches its devices, and the lab's hosts of ESPs.
        keep: where raw output goes.
        authority: makes the certificates.
        barred: why none may be made, where none may.
    """
    found, there = scene(plan), host(plan)
    if there is None:
        return
    if found is None:
        for trial in TRIALS:
            why = "no system of an ESP enrols there, from whose host it could be tried"
            yield unknown(REQUIREMENT, subject(trial, there.name), why)
        return
    made, missing = ({}, barred) if barred else _made(plan, found, authority)
    if GOOD not in made:
        # Without what must be let in, no refusal has a reason.
        for trial in TRIALS:
            yield unknown(REQUIREMENT, subject(trial, there.name), missing)
        return
    came = tried(fleet, found, made, TRIALS, keep)
    for trial in TRIALS:
        yield came.judged(trial, subject(trial, there.name), missing)


def tried(
    fleet: Fleet,
    found: Scene,
    made: Mapping[str, Credential],
    trials: Sequence[Trial],
    keep: Keep | None = None,
) -> http_trials.Tried:
    """Have the client try what of `trials` it can with what was `made`, the good certificate last."""
    names, client = {GOOD, *(trial.name for trial in trials)}, found.client.identity.device
    attempts = [one for one in _attempts(found, made) if one["name"] in names]
    return http_trials.tried(_SERVED, fleet, keep, found.host.name, client, _place(found), attempts)


def _made(plan: Plan, found: Scene, authority: Authority | None) -> tuple[dict[str, Credential], str]:
    made, missing = credentials(plan, found.client.identity.device, authority, found.host.identity)
    if authority is None or found.host.identity is None or missing:
        return made, missing
    try:
        made[NO_CLIENT.name] = made["another's name"]
        # A device is revoked when its newest certificate is: this one never is.
        made[GOOD] = signed(authority, found.client.identity, LIFE)
    except HeiikiError as error:
        return made, f"no certificate for the attempt: {error}"
    return made, ""


def _place(found: Scene) -> dict[str, Any]:
    identity, served = found.host.identity, found.host.est
    return {
        "address": str(found.client.server),
        "port": served.port if served else 0,
        "name": identity.common_name if identity else "",
    }


def _attempts(found: Scene, made: Mapping[str, Credential]) -> Iterator[dict[str, Any]]:
    """Yield what probe ``rest`` needs to try each, the good certificate last."""
    own, good = found.client.identity, made[GOOD]
    first, again = f"{PREFIX}/simpleenroll", f"{PREFIX}/simplereenroll"
    body = _request(own.common_name, good)
    yield {"name": OBSOLETE.name, "path": f"{PREFIX}/cacerts", "obsolete": True}
    for trial in (FOREIGN, EXPIRED, REVOKED):
        if trial.name in made:
            yield {"name": trial.name, "path": f"{PREFIX}/cacerts", **_shown(made[trial.name])}
    yield {"name": NO_SECRET.name, "path": first, "body": body, "headers": _headers()}
    yield {"name": WRONG_SECRET.name, "path": first, "body": body, "headers": _headers(own)}
    if NO_CLIENT.name in made:
        shown = _shown(made[NO_CLIENT.name])
        yield {"name": NO_CLIENT.name, "path": again, "body": body, "headers": _headers(), **shown}
    strange = _request(found.host.identity.common_name if found.host.identity else "", good)
    yield {"name": ANOTHER.name, "path": again, "body": strange, "headers": _headers(), **_shown(good)}
    yield {"name": GOOD, "path": again, "body": body, "headers": _headers(), **_shown(good)}


def _shown(one: Credential) -> dict[str, str]:
    return {"certificate": one.certificate, "key": one.key}


def _headers(wrong: Identity | None = None) -> dict[str, str]:
    """Return the headers of an enrolment, with a secret that was never made where a device is named."""
    told = {"Content-Type": "application/pkcs10"}
    if wrong is not None:
        shown = base64.b64encode(f"{wrong.device}:never-made".encode()).decode()
        told["Authorization"] = f"Basic {shown}"
    return told


def _request(name: str, one: Credential) -> str:
    """Return a request for a name by the key of a certificate, as EST carries it."""
    key = serialization.load_pem_private_key(one.key.encode(), None)
    subject_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject_name)
    made = builder.sign(key, hashes.SHA256())  # type: ignore[arg-type]  # keys of trials are on P-256
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


def _let_in(one: Mapping[str, Any]) -> bool:
    """Tell whether a trial was answered with a certificate, or got as far as the good one."""
    return bool(one["stage"] == "http" and (one["status"] == 200 or _LET_IN in one["cause"]))  # noqa: PLR2004


_SERVED = http_trials.Served(REQUIREMENT, "est", _let_in, "the device's own certificate was taken after it")
