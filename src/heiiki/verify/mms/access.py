"""Whom controllers let in by MMS: tried from DRAS, whose address alone their filters let through.

The server's word is an alert of TLS, or the disconnect request with which it answers one who is not DRAS.
"""

from collections.abc import Iterator, Sequence
from random import Random

from heiiki.control import client
from heiiki.plan.model import ControlledSite, DeviceClass, Identity, Plan
from heiiki.render import mms
from heiiki.requirements import Verdict
from heiiki.verify import tls_trials
from heiiki.verify.fleet import Fleet
from heiiki.verify.ipsec.test_certificates import Authority, credentials
from heiiki.verify.isolation.sample import Population
from heiiki.verify.tls_trials import ANONYMOUS, EXPIRED, FOREIGN, OBSOLETE, REVOKED, Trial, Tried
from heiiki.verify.verdicts import Keep, unknown
from heiiki_agent.mms.frames import REFUSED

REQUIREMENT = mms.ACCESS
ANOTHER = Trial("another's name", "association", rf"disconnect request, reason {REFUSED}", made=True)
TRIALS = (ANONYMOUS, OBSOLETE, ANOTHER, FOREIGN, EXPIRED, REVOKED)
_TIMEOUT_S = 120.0


def subject(trial: Trial) -> str:
    """Subject of the verdict on one trial."""
    return f"{trial.name}: controllers by MMS"


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the subjects of a service; none where nothing is controlled directly."""
    return tuple(map(subject, TRIALS)) if _served(plan) else ()


def verdicts(
    plan: Plan, fleet: Fleet, keep: Keep, authority: Authority | None, random: Random, barred: str = ""
) -> Iterator[Verdict]:
    """Yield a verdict for each trial, at every controller, or at some of a large service.

    Args:
        plan: the service.
        fleet: reaches its devices.
        keep: where raw output goes.
        authority: makes the certificates that must be refused.
        random: draws the controllers.
        barred: why none may be made, where none may.
    """
    if not _served(plan):
        return
    names = {site.name for site in Population(plan).some_sites(random)}
    servers = [site for site in _served(plan) if site.name in names]
    here = client(plan).name
    made, missing = ({}, barred) if barred else credentials(plan, here, authority, _another(plan))
    behind = tls_trials.behind(fleet, [site.device for site in servers]) if made else ""
    tries = list(tls_trials.attempts(TRIALS, made))
    question = {"places": list(map(_place, servers)), "attempts": tries}
    answer = fleet.ask("mms", {here: question}, _TIMEOUT_S)[here]
    evidence = (keep(f"mms/attempts-{here}.json", answer.raw),)
    tried, done = Tried(REQUIREMENT, answer, evidence, behind), {one["name"] for one in tries}
    for trial in TRIALS:
        if trial.name in done:
            yield tried.judged(trial, subject(trial))
        else:
            yield unknown(REQUIREMENT, subject(trial), missing, evidence)


def _served(plan: Plan) -> Sequence[ControlledSite]:
    found = next((device.mms_client for device in plan.managed() if device.mms_client), None)
    return found.sites if found else ()


def _another(plan: Plan) -> Identity | None:
    """Return the identity of a site's controller: each has a good certificate, and may control none."""
    return next((one for one in plan.identities() if one.kind is DeviceClass.EMS), None)


def _place(site: ControlledSite) -> dict[str, object]:
    return {
        "device": site.device,
        "name": site.certificate_name,
        "address": str(site.address),
        "port": site.port,
    }
