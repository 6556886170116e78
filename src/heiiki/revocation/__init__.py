"""The revocation of a device: its steps, and the evidence of them (R-THEFT)."""

from heiiki.revocation.accesses import AccessBy, Outcome
from heiiki.revocation.evidence import BOUND_S, FOLDER, Record, at_accesses, verdicts
from heiiki.revocation.steps import (
    Means,
    RevocationStep,
    RevokedAtServer,
    find,
    may_return,
    now,
    revoke,
    timed,
    verifiers,
    what_is_cut,
)

__all__ = [
    "BOUND_S",
    "FOLDER",
    "AccessBy",
    "Means",
    "Outcome",
    "Record",
    "RevocationStep",
    "RevokedAtServer",
    "at_accesses",
    "find",
    "may_return",
    "now",
    "revoke",
    "timed",
    "verdicts",
    "verifiers",
    "what_is_cut",
]
