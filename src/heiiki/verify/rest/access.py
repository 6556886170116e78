"""Whom the REST API lets in: tried with what it must refuse, for the reason that was provoked.

By either version of TLS, from the host of an ESP's system, with certificates made for it. What was refused
counts only where the ESP's good certificate was answered right after.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, Plan, RestApi, ServedEsp
from heiiki.render import openadr
from heiiki.requirements import Verdict
from heiiki.verify import http_trials
from heiiki.verify.events import standby
from heiiki.verify.fleet import Fleet, told
from heiiki.verify.http_trials import GOOD, LIFE
from heiiki.verify.ipsec.test_certificates import Authority, Credential, credentials, signed
from heiiki.verify.tls_trials import ANONYMOUS, EXPIRED, FOREIGN, OBSOLETE, REVOKED, Trial
from heiiki.verify.verdicts import Keep, unknown
from heiiki_agent.openadr.statuses import VtnStatus

REQUIREMENT = openadr.ACCESS
_OWN = "/v1/sites"


NO_ESP = Trial("a device's certificate", "http", r"is no ESP of this service", made=True)
ANOTHER = Trial("another ESP's site", "http", r"may not address it")
TRIALS = (ANONYMOUS, OBSOLETE, FOREIGN, EXPIRED, REVOKED, NO_ESP)


@dataclass(frozen=True, slots=True)
class Scene:
    """The API of a service, and who tries it.

    Attributes:
        dras: the host with the API, of two the one at which it is tried.
        hosts: all that have it; of two, only the one that writes answers.
        esp: the ESP whose system tries; one that may not address every site, where there is one.
        foreign_site: a site that this ESP may not address; empty where there is none.
        device: a device of the service that is no ESP.
    """

    dras: Device
    hosts: tuple[str, ...]
    api: RestApi
    esp: ServedEsp
    foreign_site: str
    device: Device

    @property
    def name(self) -> str:
        """What is tried, in subjects: the same whichever host writes."""
        return " or ".join(self.hosts)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """What is tried."""
        return (*TRIALS, ANOTHER) if self.foreign_site else TRIALS


def scene(plan: Plan) -> Scene | None:
    """Return where it is tried; None where DRAS has no such API."""
    hosts = tuple(one.name for one in plan.managed() if one.vtn is not None and one.vtn.rest is not None)
    vtn = plan.device(hosts[0]).vtn if hosts else None
    if vtn is None or vtn.rest is None:
        return None
    api = vtn.rest
    every = [site for site, _ in api.sites]
    esp = min(api.esps, key=lambda one: len(one.sites))
    foreign = next((site for site in every if site not in esp.sites), "")
    return Scene(plan.device(hosts[0]), hosts, api, esp, foreign, plan.device(api.sites[0][1]))


def subject(trial: Trial, dras: str) -> str:
    """Subject of the verdict on one trial."""
    return f"{trial.name}: {dras} by REST"


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the subjects of a service; none where it has no such API."""
    found = scene(plan)
    return tuple(subject(trial, found.name) for trial in found.trials) if found else ()


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
    found = scene(plan)
    if found is None:
        return
    made, missing = ({}, barred) if barred else _made(plan, found, authority)
    if GOOD not in made:
        # Without what must be let in, no refusal has a reason.
        for trial in found.trials:
            yield unknown(REQUIREMENT, subject(trial, found.name), missing)
        return
    came = tried(plan, fleet, found, made, found.trials, keep)
    for trial in found.trials:
        yield came.judged(trial, subject(trial, found.name), missing)


def tried(
    plan: Plan,
    fleet: Fleet,
    found: Scene,
    made: Mapping[str, Credential],
    trials: Sequence[Trial],
    keep: Keep | None = None,
) -> http_trials.Tried:
    """Have the ESP's system try what of `trials` it can with what was `made`, the good certificate last."""
    found = replace(found, dras=plan.device(_writer(fleet, found.hosts)))
    names = {GOOD, *(trial.name for trial in trials)}
    attempts = [one for one in _attempts(found, made) if one["name"] in names]
    return http_trials.tried(_SERVED, fleet, keep, found.dras.name, found.esp.device, _place(found), attempts)


def _writer(fleet: Fleet, hosts: Sequence[str]) -> str:
    """Return the host that answers; where none says so, the first one's refusals prove nothing."""
    if len(hosts) == 1:
        return hosts[0]
    question = {"commands": {"health": list(openadr.health("vtn"))}}
    answers = fleet.ask("read", dict.fromkeys(hosts, question))
    said = {name: told(VtnStatus, answer, "health") for name, answer in answers.items()}
    return standby.writer(hosts, said) or hosts[0]


def _made(plan: Plan, found: Scene, authority: Authority | None) -> tuple[dict[str, Credential], str]:
    made, missing = credentials(plan, found.esp.device, authority)
    system, device = plan.device(found.esp.device).identity, found.device.identity
    if authority is None or system is None or device is None or missing:
        return made, missing
    try:
        made[NO_ESP.name] = signed(authority, device, LIFE)
        # A system is revoked when its newest certificate is: this one never is.
        made[GOOD] = signed(authority, system, LIFE)
    except HeiikiError as error:
        return made, f"no certificate for the attempt: {error}"
    return made, ""


def _place(found: Scene) -> dict[str, Any]:
    vtn, identity = found.dras.vtn, found.dras.identity
    return {
        "address": str(vtn.address) if vtn else "",
        "port": found.api.port,
        "name": identity.common_name if identity else "",
    }


def _attempts(found: Scene, made: Mapping[str, Credential]) -> Iterator[dict[str, Any]]:
    """Yield what probe ``rest`` needs to try each, the good certificate last."""
    good = {"certificate": made[GOOD].certificate, "key": made[GOOD].key}
    yield {"name": ANONYMOUS.name, "path": _OWN}
    yield {"name": OBSOLETE.name, "path": _OWN, "obsolete": True, **good}
    for trial in (FOREIGN, EXPIRED, REVOKED, NO_ESP):
        if trial.name in made:
            one = made[trial.name]
            yield {"name": trial.name, "path": _OWN, "certificate": one.certificate, "key": one.key}
    if found.foreign_site:
        yield {"name": ANOTHER.name, "path": _opts(found.foreign_site), **good}
    yield {"name": GOOD, "path": _opts(found.esp.sites[0]), **good}


def _opts(site: str) -> str:
    return f"/v1/sites/{site}/opts?limit=1"


def _answered(one: Mapping[str, Any]) -> bool:
    return bool(one.get("status") == HTTPStatus.OK)


_SERVED = http_trials.Served(
    REQUIREMENT,
    "rest",
    _answered,
    "the ESP's own certificate was answered after it, for a site of its own",
)
