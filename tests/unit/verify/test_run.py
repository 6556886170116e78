"""The examination: what a busy machine left unknown is examined again, with more time each time."""

import json
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from probe_times import TIMES

import heiiki.render
from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan
from heiiki.report.store import EvidenceStore
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import equipment as allowed
from heiiki.verify import run as verification
from heiiki.verify.ipsec import refusals
from heiiki.verify.isolation.packets import ProbePacket, send_probes
from heiiki.verify.named import CHECKS
from heiiki.verify.network import Exit, gateways
from heiiki.verify.overlap import Needs
from heiiki.verify.part import Part
from heiiki.verify.routing import sessions
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


def only(monkeypatch: pytest.MonkeyPatch, **checks: Callable[[Any], Iterator[Verdict]]) -> None:
    """Have a verification consist of these checks, each with one part."""
    found = tuple(Part(name, check, Needs()) for name, check in checks.items())
    monkeypatch.setattr(verification, "parts", lambda *_, **__: found)


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
    only(monkeypatch, access=needing(patience, tried))
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
    monkeypatch.setattr(verification, "SETTLE_LIMIT_S", 0.0)
    monkeypatch.setattr(verification, "AGAIN", 0)
    mute = FakeTransport(lambda *_: {}, dead=[device.name for device in plan.devices])
    equipment = allowed.TestEquipment(refused_certificates=may)
    seen = verification.verify(plan, (), mute, kept, checks=["trust"], equipment=equipment)
    reasons = {verdict.reason for verdict in seen.verdicts if verdict.subject.startswith("foreign CA")}
    assert (reasons == {refusals.OUTSIDE_LAB}) is not may
    assert {verdict.result for verdict in seen.verdicts} == {Result.UNKNOWN}


def test_a_fault_that_is_none_is_told_before_anything_is_asked(plan: Plan, kept: Any) -> None:
    class Untouched:
        def run(self, *_: Any, **__: Any) -> None:
            pytest.fail("a device was asked")

    untouched: Any = Untouched()
    with pytest.raises(
        HeiikiError,
        match=r"no such fault: a-p9/kill; name an element or one of its faults, such as a-p1/kill",
    ):
        verification.verify(plan, (), untouched, kept, faults=("a-p9/kill", "load"))


def test_a_check_that_cannot_read_an_answer_is_unknown_and_the_others_go_on(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it broke is kept: the mistake may be the check's own."""

    def breaks(_scene: Any) -> Iterator[Verdict]:
        yield live("R-DELAY", "umeda over A", Result.PASS)
        raise KeyError("listening")

    def works(_scene: Any) -> Iterator[Verdict]:
        yield live("R-ISO-CARRIER", "b-enb", Result.PASS)

    only(monkeypatch, paths=breaks, access=works)
    monkeypatch.setattr(verification, "SETTLE_LIMIT_S", 0.0)
    mute = FakeTransport(lambda *_: {}, dead=[device.name for device in plan.devices])
    keep = EvidenceStore(tmp_path).keep
    seen = verification.verify(plan, (), mute, keep, checks=["paths", "access"])
    assert [(one.subject, one.result, one.reason) for one in seen.verdicts] == [
        ("umeda over A", Result.PASS, ""),
        (
            "check paths",
            Result.UNKNOWN,
            "check paths: the answer cannot be read: KeyError: 'listening'; see evidence/paths/traceback.txt",
        ),
        ("b-enb", Result.PASS, ""),
    ]
    (trace,) = seen.verdicts[1].evidence
    text = (tmp_path / trace.file).read_text(encoding="utf-8")
    assert ", in breaks\n" in text
    assert "KeyError: 'listening'" in text


IPV6 = [{"dst": "fe80::/64", "dev": "eth0", "protocol": "kernel"}, {"dst": "default", "dev": "eth0"}]


@pytest.mark.parametrize(
    "printed", [json.dumps(IPV6), "no JSON", "[1]", '{"dst": 1}', "null", '[{"dev": "lan0"}]', ""]
)
def test_no_answer_ends_the_whole_run(
    plan: Plan, kept: Callable[[str, bytes], Evidence], monkeypatch: pytest.MonkeyPatch, printed: str
) -> None:
    """Every command of every device prints what nothing here expects; so does every other probe."""

    def reply(_device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        said = {"rc": 0, "out": printed, "err": ""}
        asked = parameters.get("commands", {})
        return {"commands": dict.fromkeys(asked, said), "files": {}} if probe == "read" else {"odd": printed}

    monkeypatch.setattr(verification, "SETTLE_LIMIT_S", 0.0)
    builds = tuple(heiiki.render.compile_plan(plan))
    checks = [name for name in CHECKS if name != "access"]
    seen = verification.verify(plan, builds, FakeTransport(reply), kept, checks=checks)
    tables = [one for one in seen.verdicts if one.subject.startswith("routes of ")]
    assert len(tables) == len(tuple(gateways(plan)))
    assert {one.result for one in tables} == {Result.UNKNOWN}
    assert Result.PASS not in {one.result for one in seen.verdicts}


def test_an_ipv6_route_leaves_the_tables_of_its_device_alone_unknown(
    plan: Plan, kept: Callable[[str, bytes], Evidence], fleet_of: Any
) -> None:
    first, *others = (device.name for device in gateways(plan))

    def reply(device: str, _probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        routes = IPV6 if device == first else IPV6[1:]
        return {"commands": dict.fromkeys(parameters["commands"], said(json.dumps(routes)))}

    found = {one.subject: one for one in sessions.verdicts(plan, (), fleet_of(reply), kept)}
    assert found[f"routes of {first}"].result is Result.UNKNOWN
    assert found[f"routes of {first}"].reason == (
        f"{first}: the answer cannot be read: AddressValueError: Expected 4 octets in 'fe80::'"
    )
    assert {found[f"routes of {name}"].result for name in others} == {Result.PASS}


def said(text: str) -> dict[str, Any]:
    return {"rc": 0, "out": text, "err": ""}
