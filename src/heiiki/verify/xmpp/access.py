"""Whom the XMPP server lets in: tried with what it must refuse, for the reason that was provoked.

The server's word is an alert of TLS, or a failure of SASL.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from heiiki.plan.model import Plan
from heiiki.render import xmpp
from heiiki.requirements import Verdict
from heiiki.verify import tls_trials
from heiiki.verify.fleet import Fleet
from heiiki.verify.ipsec.test_certificates import Authority, Credential, credentials
from heiiki.verify.tls_trials import ANONYMOUS, EXPIRED, FOREIGN, OBSOLETE, REVOKED, Trial, Tried
from heiiki.verify.verdicts import Keep, unknown
from heiiki.verify.xmpp.server import Served, resource, served

REQUIREMENT = xmpp.ACCESS
_TIMEOUT_S = 90.0

ANOTHER = Trial("another's JID", "login", r"not-authorized")
TRIALS = (ANONYMOUS, OBSOLETE, ANOTHER, FOREIGN, EXPIRED, REVOKED)


def subject(trial: Trial, server: str) -> str:
    """Subject of the verdict on one trial."""
    return f"{trial.name}: {server} by XMPP"


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the subjects of a service; none where it has no server or no client."""
    found = served(plan)
    return tuple(subject(trial, found.device) for trial in TRIALS) if found and found.clients else ()


def verdicts(
    plan: Plan, fleet: Fleet, keep: Keep, authority: Authority | None, barred: str = ""
) -> Iterator[Verdict]:
    """Yield a verdict for each trial.

    Args:
        plan: the service.
        fleet: reaches its devices.
        keep: where raw output goes.
        authority: makes the certificates that must be refused.
        barred: why none may be made, where none may.
    """
    found = served(plan)
    if found is None or not found.clients:
        return
    here = found.clients[0].name
    made, missing = ({}, barred) if barred else credentials(plan, here, authority)
    behind = tls_trials.behind(fleet, (found.device,)) if made else ""
    tries = list(_attempts(found, made))
    tried = fleet.ask("xmpp", {here: found.question("attempt", resource(), attempts=tries)}, _TIMEOUT_S)[here]
    evidence = (keep(f"xmpp/attempts-{here}.json", tried.raw),)
    came = Tried(REQUIREMENT, tried, evidence, behind)
    done = {one["name"] for one in tries}
    for trial in TRIALS:
        if trial.name in done:
            yield came.judged(trial, subject(trial, found.device))
        else:
            yield unknown(REQUIREMENT, subject(trial, found.device), missing, evidence)


def _attempts(found: Served, made: Mapping[str, Credential]) -> Iterator[dict[str, Any]]:
    """Yield what probe ``xmpp`` needs to try each; those without a certificate are left out."""
    yield from tls_trials.attempts(TRIALS, made)
    yield {"name": ANOTHER.name, "authzid": found.server.dras}
