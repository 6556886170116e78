"""The verdict on a clock, from what its device answered."""

import json
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.requirements import Result
from heiiki.verify import fleet, time
from heiiki.verify.config.programs import runs_otherwise
from heiiki.verify.fleet import Answer
from heiiki.verify.time import of_clock

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
ADDRESSES = ("10.96.3.252", "10.96.3.251")
KEY = 273


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def status(**others: Any) -> dict[str, Any]:
    sources = [{"address": one, "key": KEY, "state": "*", "answered": True} for one in ADDRESSES]
    return {
        "synchronised": True,
        "offset_s": -0.02,
        "error_s": 0.005,
        "stratum": 9,
        "source": ADDRESSES[0],
        "sources": sources,
    } | others


def answer(found: dict[str, Any], rc: int = 0, err: str = "") -> Answer:
    said = {"commands": {"clock": {"rc": rc, "out": json.dumps(found) if not rc else "", "err": err}}}
    return Answer("umeda-gw-b", said, b"", "")


@pytest.mark.parametrize(
    ("found", "result", "reason"),
    [
        (status(), Result.PASS, "it follows 10.96.3.252; 2 of its 2 sources answer"),
        (status(offset_s=0.999), Result.FAIL, "it follows 10.96.3.252; 2 of its 2 sources answer"),
        (status(offset_s=-1.2), Result.FAIL, "it follows 10.96.3.252; 2 of its 2 sources answer"),
        (status(error_s=1.1), Result.FAIL, "it follows 10.96.3.252; 2 of its 2 sources answer"),
        (
            status(synchronised=False, source=None, sources=[]),
            Result.FAIL,
            "it is not synchronised: 0 of its 2 sources answer",
        ),
        (status(source="192.0.2.1"), Result.FAIL, "it follows 192.0.2.1, which is not in the plan"),
    ],
)
def test_a_clock_is_judged_by_what_its_daemon_says(
    plan: Plan, found: dict[str, Any], result: Result, reason: str
) -> None:
    verdict = of_clock(plan.device("umeda-gw-b"), answer(found), ())
    assert (verdict.subject, verdict.result, verdict.reason) == ("clock of umeda-gw-b", result, reason)


def test_the_figure_is_the_offset_with_its_possible_error(plan: Plan) -> None:
    verdict = of_clock(plan.device("umeda-gw-b"), answer(status()), ())
    assert (verdict.measured, verdict.bound, verdict.unit) == (0.025, 1.0, "s")


def test_a_daemon_that_does_not_answer_leaves_the_offset_unknown(plan: Plan) -> None:
    verdict = of_clock(plan.device("umeda-gw-b"), answer({}, 1, "chronyd does not answer: 506\n"), ())
    assert verdict.result is Result.UNKNOWN
    assert verdict.reason == "umeda-gw-b: chronyd does not answer: 506"


def test_the_clock_that_is_the_service_s_time_is_judged_by_none(plan: Plan) -> None:
    verdict = of_clock(plan.device("dras"), answer(status(sources=[], source=None)), ())
    assert verdict.result is Result.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"address": "192.0.2.1"}, ["it does not ask 10.96.3.252 for the time", "192.0.2.1"]),
        ({"key": 0}, ["it asks 10.96.3.252 by key 0, not 273"]),
    ],
)
def test_what_runs_asks_whom_the_plan_says(plan: Plan, change: dict[str, Any], told: list[str]) -> None:
    found = status()
    found["sources"][0] |= change
    said = {"out": json.dumps(found)}
    wrong = list(runs_otherwise(plan.device("umeda-gw-b"), "/etc/chrony/chrony.conf", said))
    assert len(wrong) == len(told)
    assert all(text in one for text, one in zip(told, wrong, strict=True))


def test_a_declared_source_has_no_key(plan: Plan) -> None:
    device = plan.device("dras")
    assert device.clock is not None
    source = IPv4Address("10.15.0.9")
    declared = replace(device, clock=replace(device.clock, references=(source,)))
    found = status(sources=[{"address": str(source), "key": 0, "state": "*", "answered": True}])
    assert list(runs_otherwise(declared, "/etc/chrony/chrony.conf", {"out": json.dumps(found)})) == []


def test_a_clock_that_is_not_right_yet_has_the_time_to_be(
    plan: Plan, fleet_of: Any, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a first provisioning: one has heard no server, one is sure of nothing yet."""
    slept: list[float] = []
    monkeypatch.setattr(fleet.time, "sleep", slept.append)
    early = {"umeda-gw-b": status(synchronised=False), "umeda-ce-a": status(error_s=30.0)}

    def said(device: str, _probe: str, parameters: Any) -> dict[str, Any]:
        assert parameters["commands"]["clock"][-1] == ("ask" if slept else "status")
        found = status(source=str(plan.device(device).clock.servers[0]))  # type: ignore[union-attr]
        return answer(early.get(device, found) if not slept else found).data

    verdicts = list(time.verdicts(plan, fleet_of(said), kept))
    assert len(slept) == 1
    assert {one.result for one in verdicts if one.subject != "clock of dras"} == {Result.PASS}
