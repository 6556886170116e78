"""The log-ins of a controller are judged while there is time: one that has ended revokes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.secret_ids import LEAST_S, LogIn
from heiiki.requirements import Result
from heiiki.verify import vault

GOOD = tuple(LogIn(approle, 80 * 86400.0) for approle in AppRole)


def away() -> tuple[LogIn, ...]:
    raise VaultError("the server is sealed", VaultFault.SEALED)


@pytest.mark.parametrize(
    ("log_ins", "result", "told"),
    [
        (lambda: GOOD, Result.PASS, "each of 7 works from here, and its secret id ends by itself"),
        (lambda: (*GOOD[1:], LogIn(AppRole.REVOKER, LEAST_S - 1)), Result.FAIL, "revoker ends in 30 days"),
        (lambda: (*GOOD[1:], LogIn(AppRole.REVOKER)), Result.FAIL, "a secret id without an end"),
        (lambda: (*GOOD[1:], LogIn(AppRole.REVOKER, problem="it is refused")), Result.FAIL, "it is refused"),
        (away, Result.UNKNOWN, "could not be tried: the server is sealed"),
        (None, Result.UNKNOWN, "no Vault server is known here"),
    ],
)
def test_the_log_ins_are_judged_by_the_life_that_is_left(
    kept: Any, log_ins: Callable[[], tuple[LogIn, ...]] | None, result: Result, told: str
) -> None:
    [found] = vault.verdicts(kept, log_ins)
    assert (found.requirement, found.subject, found.result) == ("R-THEFT", vault.LOG_INS, result)
    assert told in found.reason


def test_the_figure_is_the_shortest_life(kept: Any) -> None:
    [found] = vault.verdicts(kept, lambda: (*GOOD, LogIn(AppRole.REVOKER, 40 * 86400.0)))
    assert (found.measured, found.bound, found.unit) == (40.0, 30.0, "days left")
