"""The revocation of a device: its steps, and the evidence of them (R-THEFT)."""

from heiiki.revocation.accesses import AccessBy, Outcome, Row, letting_in, table
from heiiki.revocation.evidence import BOUND_S, FOLDER, Record, verdicts
from heiiki.revocation.step import RevocationStep, now, timed
from heiiki.revocation.steps import Means, RevokedAtServer, find, may_return, revoke, what_is_cut

__all__ = [
    "BOUND_S",
    "FOLDER",
    "AccessBy",
    "Means",
    "Outcome",
    "Record",
    "RevocationStep",
    "RevokedAtServer",
    "Row",
    "find",
    "letting_in",
    "may_return",
    "now",
    "revoke",
    "table",
    "timed",
    "verdicts",
    "what_is_cut",
]
