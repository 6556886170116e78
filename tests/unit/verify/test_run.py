"""The examination: what a busy machine left unknown is examined again, with more time each time."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest
from probe_times import TIMES

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import run as verification
from heiiki.verify.ipsec import refusals
from heiiki.verify.isolation.packets import ProbePacket, send_probes
from heiiki.verify.network import Exit
from heiiki.verify.verdicts import live, unknown

from .conftest import FakeTransport

PACKET = ProbePacket(
    "topic", Exit("dras", "lan", "lan0", None), IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), "xmpp"
)


def needing(patience: int, asked: list[int]) -> Callable[[Any], Iterator[Verdict]]:
    """A check of devices that can only be examined by who has so much patience."""

    def check(scene: Any) -> Iterator[Verdict]:
        asked.append(scene.patience)
        if scene.patience < patience:
            yield unknown("R-DUAL", "umeda over A", "umeda-ce-a stopped listening")
        else:
            yield live("R-DUAL", "umeda over A", Result.PASS, "answered", ())

    return check


@pytest.mark.parametrize(
    ("patience", "asked", "result"),
    [(1, [1], Result.PASS), (4, [1, 2, 4], Result.PASS), (8, [1, 2, 4], Result.UNKNOWN)],
)
def test_what_is_unknown_is_examined_again_with_twice_the_time(
    plan: Plan,
    kept: Callable[[str, bytes], Evidence],
    monkeypatch: pytest.MonkeyPatch,
    patience: int,
    asked: list[int],
    result: Result,
) -> None:
    tried: list[int] = []
    monkeypatch.setattr(verification, "_HARMLESS", (("access", needing(patience, tried)),))
    mute = FakeTransport(lambda *_: {}, dead=[device.name for device in plan.devices])
    monkeypatch.setattr(verification, "SETTLE_LIMIT_S", 0.0)
    seen = verification.verify(plan, (), mute, kept, checks=["access"])
    assert tried == asked
    assert [verdict.result for verdict in seen.verdicts] == [result]


def test_patience_gives_a_volley_more_time_before_between_and_after_its_packets(fleet_of: Any) -> None:
    told: list[dict[str, Any]] = []

    def reply(_device: str, _probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        told.append(parameters)
        return {"sent": [], "unsent": {}, "heard": {}, "answers": {}, **TIMES}

    fleet = fleet_of(reply)
    send_probes(fleet, [PACKET], ())
    send_probes(fleet, [PACKET], (), patience=4)
    usual, patient = told
    timed = ("start_s", "listen_s", "pace_s")
    assert [patient[name] / usual[name] for name in timed] == [4, 4, 4]
    assert usual["listen_s"] > usual["start_s"]


@pytest.mark.parametrize("may", [False, True])
def test_connections_that_must_be_refused_are_tried_only_where_they_may_be(
    plan: Plan, kept: Callable[[str, bytes], Evidence], monkeypatch: pytest.MonkeyPatch, *, may: bool
) -> None:
    monkeypatch.setattr(verification, "_HARMLESS", ())
    monkeypatch.setattr(verification, "SETTLE_LIMIT_S", 0.0)
    mute = FakeTransport(lambda *_: {}, dead=[device.name for device in plan.devices])
    seen = verification.verify(plan, (), mute, kept, checks=["trust"], may_be_refused=may)
    reasons = {verdict.reason for verdict in seen.verdicts if verdict.subject.startswith("foreign CA")}
    assert (reasons == {refusals.OUTSIDE_LAB}) is not may
    assert {verdict.result for verdict in seen.verdicts} == {Result.UNKNOWN}
