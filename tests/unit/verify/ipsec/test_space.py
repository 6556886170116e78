"""Room on the Vault server's volumes, as df tells it."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.ipsec import space

Keep = Callable[[str, bytes], Evidence]
TITLES = "  1B-blocks       Avail Mounted on\n"
G = 1 << 30


def found(plan: Plan, fleet_of: Any, kept: Keep, out: str, rc: int = 0) -> Verdict:
    def answer(device: str, _probe: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        assert (device, parameters["commands"]["df"][-3:]) == ("vault", list(space.folders(plan, "vault")))
        return {"commands": {"df": {"rc": rc, "out": out, "err": "df: no such folder"}}}

    (verdict,) = space.verdicts(plan, fleet_of(answer), kept)
    assert (verdict.requirement, verdict.subject) == ("R-THEFT", "room at vault")
    return verdict


def df(*volumes: tuple[int, int]) -> str:
    return TITLES + "".join(f"{size} {free} /var/my log {n}\n" for n, (size, free) in enumerate(volumes))


@pytest.mark.parametrize(
    ("log", "result"),
    [
        ((20 * G, 5 * G), Result.PASS),
        ((20 * G, 2 * G - 1), Result.FAIL),
        ((G, G >> 3), Result.FAIL),
        ((20 * G, 0), Result.FAIL),
    ],
    ids=["a quarter", "less than a tenth", "an eighth of little", "nothing"],
)
def test_a_volume_that_fills_fails_while_there_is_time(
    plan: Plan, fleet_of: Any, kept: Keep, log: tuple[int, int], result: Result
) -> None:
    good = (9 * G, 8 * G)
    for volumes in ((log, good, good), (good, log, good), (good, good, log)):
        verdict = found(plan, fleet_of, kept, df(*volumes))
        assert verdict.result is result
        assert verdict.measured == pytest.approx(100 * log[1] / log[0], abs=0.1)
    if result is Result.FAIL:
        assert "so nothing is revoked: make room" in verdict.reason


@pytest.mark.parametrize("out", [TITLES, df((G, G)), df((0, 0), (G, G), (G, G)), "x y z\n" * 3, ""])
def test_what_is_no_answer_of_df_is_unknown(plan: Plan, fleet_of: Any, kept: Keep, out: str) -> None:
    assert found(plan, fleet_of, kept, out).result is Result.UNKNOWN


def test_a_df_that_fails_is_unknown(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    verdict = found(plan, fleet_of, kept, df((G, G), (G, G), (G, G)), rc=1)
    assert (verdict.result, verdict.reason) == (Result.UNKNOWN, "vault: df: no such folder")


def test_a_small_volume_needs_a_quarter(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    small = G >> 2
    for free, result in ((small // 4, Result.PASS), (small // 4 - 1, Result.FAIL)):
        assert found(plan, fleet_of, kept, df((G, G), (G, G), (small, free))).result is result


def test_two_logs_on_one_volume_are_one(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    verdict = found(plan, fleet_of, kept, f"{TITLES}{G} {G} /lib\n{G} {G} /\n{G} {G} /\n")
    assert verdict.result is Result.FAIL
    assert "/var/log/heiiki-vault and /var/log/heiiki/audit are on one volume, /;" in verdict.reason
    assert found(plan, fleet_of, kept, f"{TITLES}{G} {G} /\n{G} {G} /\n{G} {G} /a\n").result is Result.PASS
