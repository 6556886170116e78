"""What a verifier gets from its mirrors: the newest lists, or the verdict says which mirror has others."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.ipsec import mirrors

Keep = Callable[[str, bytes], Evidence]
OLD, NEW = timedelta(hours=9), timedelta(seconds=20)
LATE = "umeda-ce-a"


def listed(number: int, age: timedelta = OLD, problem: str = "", key: str = "aa") -> dict[str, Any]:
    at = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "issuer": f"CN={key}",
        "authority_key": key,
        "number": number,
        "this_update": at,
        "problem": problem,
    }


def told(plan: Plan, device: str, crls: list[dict[str, Any]], problem: str = "") -> dict[str, Any]:
    """What a device says that has list 7, and whose mirrors have `crls`."""
    return {
        "crls": [listed(7)],
        "mirrors": {
            str(one.address): {"problem": problem, "crls": crls}
            for one in mirrors.verifiers(plan)[device].mirrors
        },
    }


def found(plan: Plan, fleet_of: Any, kept: Keep, said: Mapping[str, Any]) -> dict[str, Verdict]:
    def answer(device: str, _probe: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        assert parameters["commands"]["mirrors"][-2:] == ["credentials", "mirrors"]
        one = said.get(device, told(plan, device, [listed(7)]))
        out = one if isinstance(one, str) else json.dumps(one)
        return {"commands": {"mirrors": {"rc": 0, "out": out, "err": ""}}}

    return {one.subject: one for one in mirrors.verdicts(plan, fleet_of(answer), kept)}


def test_every_verifier_has_a_verdict(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    verdicts = found(plan, fleet_of, kept, {})
    assert set(verdicts) == {mirrors.subject(one.name) for one in plan.managed() if one.crl_source}
    assert {(one.requirement, one.result) for one in verdicts.values()} == {("R-THEFT", Result.PASS)}
    assert verdicts[mirrors.subject("namba-gw")].reason == "CN=aa: number 7, from hub-ce-a, hub-ce-b"


@pytest.mark.parametrize(
    ("crls", "problem", "reason"),
    [
        ([listed(6)], "", "hub-ce-a: its CRL of CN=aa has number 6, not 7"),
        (
            [listed(9, problem="its signature is not the CA's")],
            "",
            "hub-ce-a: its CRL of CN=aa: its sig",
        ),
        ([listed(7, key="bb")], "", "hub-ce-a: has no CRL of CN=aa"),
        ([], "no answer", "hub-ce-a gives no CRL: no answer"),
    ],
)
def test_a_mirror_with_another_list_fails(
    plan: Plan, fleet_of: Any, kept: Keep, crls: list[dict[str, Any]], problem: str, reason: str
) -> None:
    verdicts = found(plan, fleet_of, kept, {LATE: told(plan, LATE, crls, problem)})
    wrong = {name: one for name, one in verdicts.items() if one.result is not Result.PASS}
    assert wrong.keys() == {mirrors.subject(LATE)}
    assert wrong[mirrors.subject(LATE)].result is Result.FAIL
    assert reason in wrong[mirrors.subject(LATE)].reason


def test_a_list_that_another_verifier_has_is_expected_of_every_mirror(
    plan: Plan, fleet_of: Any, kept: Keep
) -> None:
    for age, result in ((OLD, Result.FAIL), (NEW, Result.UNKNOWN)):
        ahead = told(plan, LATE, [listed(8, age)]) | {"crls": [listed(8, age)]}
        verdicts = found(plan, fleet_of, kept, {LATE: ahead})
        assert verdicts[mirrors.subject(LATE)].result is Result.PASS
        assert {one.result for name, one in verdicts.items() if LATE not in name} == {result}


def test_a_list_that_only_a_mirror_tells_of_is_not_the_newest(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    forged = told(plan, LATE, [listed(99, problem="its signature is not the CA's")])
    verdicts = found(plan, fleet_of, kept, {LATE: forged})
    assert {name for name, one in verdicts.items() if one.result is Result.FAIL} == {mirrors.subject(LATE)}


def test_a_mirror_that_was_not_asked_fails(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    one = {"crls": [listed(7)], "mirrors": {}}
    verdict = found(plan, fleet_of, kept, {LATE: one})[mirrors.subject(LATE)]
    assert (verdict.result, verdict.reason) == (Result.FAIL, "hub-ce-a gives no CRL: it was not asked")


def test_no_list_anywhere_fails(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    nothing = {name: told(plan, name, []) | {"crls": []} for name in mirrors.verifiers(plan)}
    assert {one.result for one in found(plan, fleet_of, kept, nothing).values()} == {Result.FAIL}


@pytest.mark.parametrize("said", ["it is dead", "{}", "[]", '{"crls": [], "mirrors": 5}'])
def test_a_verifier_that_says_nothing_is_unknown(plan: Plan, fleet_of: Any, kept: Keep, said: str) -> None:
    verdicts = found(plan, fleet_of, kept, {LATE: said})
    assert verdicts[mirrors.subject(LATE)].result is Result.UNKNOWN


def test_a_revoked_verifier_is_not_expected(plan: Plan) -> None:
    devices = tuple(replace(one, revoked="stolen") if one.name == LATE else one for one in plan.devices)
    assert LATE not in mirrors.verifiers(replace(plan, devices=devices))
