"""R-THEFT/drill, live: the newest revocation that was practised to its end, a replacement in service again.

A drill is `revoke.yml` for a device, and `enrol.yml` for it afterwards; a theft that was dealt with counts as
one. Its record is that of the revocation, which the ledger vouches for. It ages as a row of faults does.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from heiiki.plan.model import Plan
from heiiki.report.ageing import STALE
from heiiki.report.faults import DRILL
from heiiki.report.header import iso
from heiiki.report.ledger import Ledger
from heiiki.requirements import Result, Stage, Verdict
from heiiki.revocation.evidence import BOUND_S, FOLDER, trusted
from heiiki.verify.verdicts import Keep, live, unknown

SUBJECT = "a device barred, and its replacement in service"
_AGAIN = "practise it again: revoke.yml for a device, then enrol.yml"


def expected() -> Mapping[tuple[str, Stage], tuple[str, ...]]:
    """Return the subject that must have a verdict; without a drill it is not run."""
    return {(DRILL, Stage.LIVE): (SUBJECT,)}


def verdicts(plan: Plan, artifacts: Path, kept: Keep, ledger: Ledger, now: datetime) -> Iterator[Verdict]:
    """Yield what the newest drill was; nothing where there was none.

    A revocation whose device is revoked still is the beginning of one, and no drill yet.
    """
    in_service = {device.name for device in plan.devices if not device.revoked}
    found = [one for one in trusted(plan, artifacts, ledger) if one.document["device"] in in_service]
    if not found:
        return
    newest = max(found, key=lambda one: one.started)
    proof = (kept(f"{FOLDER}/{newest.path.name}", newest.path.read_bytes()),)
    expires = datetime.fromisoformat(newest.started) + timedelta(days=plan.evidence_days)
    if now >= expires:
        yield unknown(DRILL, SUBJECT, f"{STALE}expired on {iso(expires)}; {_AGAIN}", proof)
        return
    document = newest.document
    seconds = float(document["seconds"])
    good = document["complete"] and seconds <= BOUND_S
    end = "every step complete" if document["complete"] else "not complete"
    reason = f"{document['device']} on {document['started']}: {end}, and it is in service again"
    result = Result.PASS if good else Result.FAIL
    yield live(DRILL, SUBJECT, result, reason, proof, figure=(seconds, BOUND_S, "s"))
