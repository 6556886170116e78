"""Whom the REST API lets in: tried with what it must refuse, for the reason that was provoked.

By either version of TLS, from the host of an ESP's system, with certificates made for it. What was refused
counts only where the ESP's good certificate was answered right after.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, Plan, RestApi, ServedEsp
from heiiki.render import agent, openadr
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import tls_trials
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.test_certificates import Authority, Credential, credentials, signed
from heiiki.verify.tls_trials import ANONYMOUS, EXPIRED, FOREIGN, OBSOLETE, REVOKED, Trial
from heiiki.verify.verdicts import Keep, live, summarise, unknown
from heiiki_agent.pki.settings import FOLDER

REQUIREMENT = openadr.ACCESS
_TIMEOUT_S = 90.0
_ROOTS = ["cat", str(FOLDER / "roots.pem")]
_QUESTION = {"commands": {"pull": list(agent.command("credentials", "pull")), "roots": _ROOTS}}
_GOOD, _LIFE = "its own certificate", "10m"
_OWN = "/v1/sites"


NO_ESP = Trial("a device's certificate", "http", r"is no ESP of this service", made=True)
ANOTHER = Trial("another ESP's site", "http", r"may not address it")
TRIALS = (ANONYMOUS, OBSOLETE, FOREIGN, EXPIRED, REVOKED, NO_ESP)


@dataclass(frozen=True, slots=True)
class Scene:
    """The API of a service, and who tries it.

    Attributes:
        dras: the host with the API.
        esp: the ESP whose system tries; one that may not address every site, where there is one.
        foreign_site: a site that this ESP may not address; empty where there is none.
        device: a device of the service that is no ESP.
    """

    dras: Device
    api: RestApi
    esp: ServedEsp
    foreign_site: str
    device: Device

    @property
    def trials(self) -> tuple[Trial, ...]:
        """What is tried."""
        return (*TRIALS, ANOTHER) if self.foreign_site else TRIALS


def scene(plan: Plan) -> Scene | None:
    """Return where it is tried; None where DRAS has no such API."""
    for dras in plan.managed():
        if dras.vtn is None or dras.vtn.rest is None:
            continue
        api = dras.vtn.rest
        every = [site for site, _ in api.sites]
        esp = min(api.esps, key=lambda one: len(one.sites))
        foreign = next((site for site in every if site not in esp.sites), "")
        return Scene(dras, api, esp, foreign, plan.device(api.sites[0][1]))
    return None


def subject(trial: Trial, dras: str) -> str:
    """Subject of the verdict on one trial."""
    return f"{trial.name}: {dras} by REST"


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the subjects of a service; none where it has no such API."""
    found = scene(plan)
    return tuple(subject(trial, found.dras.name) for trial in found.trials) if found else ()


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
    if _GOOD not in made:
        # Without what must be let in, no refusal has a reason.
        for trial in found.trials:
            yield unknown(REQUIREMENT, subject(trial, found.dras.name), missing)
        return
    asked = fleet.ask("read", {found.dras.name: _QUESTION})[found.dras.name]
    said = asked.data.get("commands", {})
    tries = tuple(_attempts(found, made))
    question = {**_place(found, said.get("roots", {}).get("out", "")), "attempts": list(tries)}
    host = found.esp.device
    tried = fleet.ask("rest", {host: question}, _TIMEOUT_S)[host]
    evidence = (keep(f"rest/attempts-{host}.json", tried.raw),)
    done = {one["name"] for one in tries}
    for trial in found.trials:
        if trial.name in done:
            yield judged(trial, found.dras.name, tried, evidence, _behind(trial, asked))
        else:
            yield unknown(REQUIREMENT, subject(trial, found.dras.name), missing, evidence)


def _made(plan: Plan, found: Scene, authority: Authority | None) -> tuple[dict[str, Credential], str]:
    made, missing = credentials(plan, found.esp.device, authority)
    system, device = plan.device(found.esp.device).identity, found.device.identity
    if authority is None or system is None or device is None or missing:
        return made, missing
    try:
        made[NO_ESP.name] = signed(authority, device, _LIFE)
        # A system is revoked when its newest certificate is: this one never is.
        made[_GOOD] = signed(authority, system, _LIFE)
    except HeiikiError as error:
        return made, f"no certificate for the attempt: {error}"
    return made, ""


def _place(found: Scene, roots: str) -> dict[str, Any]:
    vtn, identity = found.dras.vtn, found.dras.identity
    return {
        "address": str(vtn.address) if vtn else "",
        "port": found.api.port,
        "name": identity.common_name if identity else "",
        "trust": roots,
    }


def _attempts(found: Scene, made: Mapping[str, Credential]) -> Iterator[dict[str, Any]]:
    """Yield what probe ``rest`` needs to try each, the good certificate last."""
    good = {"certificate": made[_GOOD].certificate, "key": made[_GOOD].key}
    yield {"name": ANONYMOUS.name, "path": _OWN}
    yield {"name": OBSOLETE.name, "path": _OWN, "obsolete": True, **good}
    for trial in (FOREIGN, EXPIRED, REVOKED, NO_ESP):
        if trial.name in made:
            one = made[trial.name]
            yield {"name": trial.name, "path": _OWN, "certificate": one.certificate, "key": one.key}
    if found.foreign_site:
        yield {"name": ANOTHER.name, "path": _opts(found.foreign_site), **good}
    yield {"name": _GOOD, "path": _opts(found.esp.sites[0]), **good}


def _opts(site: str) -> str:
    return f"/v1/sites/{site}/opts?limit=1"


def _behind(trial: Trial, asked: Answer) -> str:
    """Return why the server may not know of the revocation, or nothing."""
    return tls_trials.unfetched(asked) if trial is REVOKED else ""


def judged(
    trial: Trial, dras: str, tried: Answer, evidence: tuple[Evidence, ...], behind: str = ""
) -> Verdict:
    """Return the verdict of one trial from what came of it."""
    what = subject(trial, dras)
    if tried.error:
        return unknown(REQUIREMENT, what, tried.error, evidence)
    came = tried.data["attempts"]
    inside = [f"{version}: answered" for version, one in came[trial.name].items() if _answered(one)]
    if inside:
        return live(REQUIREMENT, what, Result.FAIL, "; ".join(filter(None, (*inside, behind))), evidence)
    if doubts := list(_doubts(trial, came)):
        return unknown(REQUIREMENT, what, summarise(doubts), evidence)
    said = "; ".join(f"{version}: {_said(one)}" for version, one in came[trial.name].items())
    reason = f"refused ({said}); the ESP's own certificate was answered after it, for a site of its own"
    return live(REQUIREMENT, what, Result.PASS, reason, evidence)


def _answered(one: Mapping[str, Any]) -> bool:
    return bool(one.get("status") == HTTPStatus.OK)


def _said(one: Mapping[str, Any]) -> str:
    """Return what the server said, of a problem the status alone: its text is in the evidence."""
    return f"status {one['status']}" if one["stage"] == "http" else str(one["cause"])


def _doubts(trial: Trial, came: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a refusal may have had nothing to do with what was provoked."""
    yield from tls_trials.other_reasons(trial, came)
    for version, one in came[_GOOD].items():
        if not _answered(one):
            yield f"its own certificate was not answered either: {version}: {one['stage']}: {one['cause']}"
