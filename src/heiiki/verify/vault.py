"""What the service's Vault server is asked in a verification, and whether the log-ins there will last."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from heiiki.design.associations import THEFT
from heiiki.errors import VaultError
from heiiki.pki.server.secret_ids import LEAST_S, LogIn
from heiiki.requirements import Result, Verdict
from heiiki.verify.cluster import Ask
from heiiki.verify.config.server import Problems
from heiiki.verify.faults.away import Renew
from heiiki.verify.ipsec.anchors import Authorities
from heiiki.verify.ipsec.test_certificates import Authority
from heiiki.verify.verdicts import Keep, live, summarise, unknown

LOG_INS = "log-ins of the controller"
"""Subject of the verdict on them."""
_DAY_S = 86400
_NO_SERVER = "no Vault server is known here at which one could log in"

LogIns = Callable[[], Sequence[LogIn]]
"""Tries every log-in that this controller has, and asks how long it will last."""


@dataclass(frozen=True, slots=True)
class VaultQueries:
    """Questions to the server of a service; None where no server is known, or none may be asked so.

    Attributes:
        authority: makes certificates that must be refused.
        authorities: its CAs.
        problems: what about it is not as planned.
        log_ins: the log-ins of this controller.
        renew: has devices renew their certificates while a network is away.
        cluster: the members of its cluster.
    """

    authority: Authority | None = None
    authorities: Authorities | None = None
    problems: Problems | None = None
    log_ins: LogIns | None = None
    renew: Renew | None = None
    cluster: Ask | None = None


def verdicts(keep: Keep, log_ins: LogIns | None) -> Iterator[Verdict]:
    """Yield R-THEFT of the log-ins: one that has ended revokes nothing on the day that it is needed."""
    if log_ins is None:
        yield unknown(THEFT, LOG_INS, _NO_SERVER)
        return
    try:
        found = log_ins()
    except VaultError as error:
        yield unknown(THEFT, LOG_INS, f"the log-ins could not be tried: {error}")
        return
    lines = "".join(f"{one.approle}: {one.wrong or _left(one)}\n" for one in found)
    evidence = (keep("vault/log-ins.txt", lines.encode()),)
    days = [one.left_s / _DAY_S for one in found if one.left_s is not None]
    figure = (round(min(days), 1), LEAST_S / _DAY_S, "days left") if days else None
    if wrong := [one.wrong for one in found if one.wrong]:
        yield live(THEFT, LOG_INS, Result.FAIL, summarise(wrong), evidence, figure=figure)
        return
    reason = f"each of {len(found)} works from here, and its secret id ends by itself"
    yield live(THEFT, LOG_INS, Result.PASS, reason, evidence, figure=figure)


def _left(one: LogIn) -> str:
    return f"{(one.left_s or 0) / _DAY_S:.1f} days left"
