"""Whether each site's VEN is served, from what both ends say of themselves."""

import json
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.plan.model import XmppLogin
from heiiki.requirements import Result, Verdict
from heiiki.verify import fleet
from heiiki.verify.events import served
from heiiki_agent.openadr.statuses import LOGGED_IN

VENS = ("umeda-bems", "sakai-bems", "namba-erc")


def vtn(problem: str | None = None, xmpp: str | None = None, **silent: float | None) -> dict[str, Any]:
    heard = dict.fromkeys(VENS, 2.0) | {name.replace("_", "-"): age for name, age in silent.items()}
    return {"pid": 7, "due": 1.0, "vtns": {"LAB": {"problem": problem, "silent_s": heard, "xmpp": xmpp}}}


def ven(ven_id: str | None, problem: str | None = None, xmpp: str | None = None) -> dict[str, Any]:
    return {"pid": 7, "due": 1.0, "ven_id": ven_id, "problem": problem, "xmpp": xmpp}


def over_xmpp(plan: Plan) -> Plan:
    """The plan with ends that speak XMPP."""
    login = XmppLogin("example", ((IPv4Address("192.0.2.1"), 5222),), "umeda@example", "dras@example")
    return replace(
        plan,
        devices=tuple(
            replace(
                one,
                vtn=replace(one.vtn, xmpp=login) if one.vtn else None,
                ven=replace(one.ven, xmpp=login) if one.ven else None,
            )
            for one in plan.devices
        ),
    )


def judged(
    plan: Plan, fleet_of: Any, kept: Any, said: dict[str, Any], rc: int = 0
) -> tuple[dict[str, Verdict], list[list[str]]]:
    asked: list[list[str]] = []

    def reply(device: str, _probe: str, parameters: Any) -> dict[str, Any]:
        asked.append(parameters["commands"]["health"])
        found = said.get(device, ven(device) if device in VENS else vtn())
        out = found if isinstance(found, str) else json.dumps(found)
        return {"commands": {"health": {"rc": rc if isinstance(found, str) else 0, "out": out, "err": ""}}}

    verdicts = served.verdicts(plan, fleet_of(reply), kept)
    found = {one.subject.split()[0]: one for one in verdicts if one.requirement == served.REQUIREMENT}
    return found, asked


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited for, seconds; there are two looks."""
    found: list[float] = []
    monkeypatch.setattr(fleet.time, "sleep", found.append)
    monkeypatch.setattr(served, "LOOKS", fleet.Looks(most=2, every_s=served.LOOKS.every_s))
    return found


def test_a_ven_that_is_registered_and_heard_is_served(
    plan: Plan, fleet_of: Any, kept: Any, slept: list[float]
) -> None:
    found, asked = judged(plan, fleet_of, kept, {})
    assert set(found) == set(VENS)
    one = found["umeda-bems"]
    assert (one.requirement, one.result, one.reason) == (
        "R-EVENT",
        Result.PASS,
        "registered, and heard by dras",
    )
    assert (one.measured, one.bound) == (2.0, 15.0)
    assert {argv[-1] for argv in asked} == {"vtn", "ven"}
    assert slept == []


@pytest.mark.parametrize(
    ("said", "failed", "reason"),
    [
        ({"dras": vtn(umeda_bems=None)}, {"umeda-bems"}, "dras has not heard it"),
        ({"dras": vtn(umeda_bems=31.0)}, {"umeda-bems"}, "dras has not heard it for 31 s"),
        ({"dras": vtn("no CRL")}, set(VENS), "dras: no CRL"),
        (
            {"umeda-bems": ven(None)},
            {"umeda-bems"},
            "umeda-bems is registered as no VEN",
        ),
        (
            {"umeda-bems": ven("sakai-bems")},
            {"umeda-bems"},
            "umeda-bems is registered as sakai-bems",
        ),
        (
            {"umeda-bems": ven("umeda-bems", "/run/socket: the resource does not answer")},
            {"umeda-bems"},
            "umeda-bems: /run/socket: the resource does not answer",
        ),
    ],
)
def test_what_keeps_an_event_from_a_ven_fails(
    plan: Plan, fleet_of: Any, kept: Any, slept: list[float], said: Any, failed: set[str], reason: str
) -> None:
    found, _ = judged(plan, fleet_of, kept, said)
    assert {name for name, one in found.items() if one.result is Result.FAIL} == failed
    assert found["umeda-bems"].reason == reason
    assert len(slept) == 1, "it is asked again"


def test_ends_that_are_logged_in_are_reached_at_once(plan: Plan, fleet_of: Any, kept: Any) -> None:
    said = {"dras": vtn(xmpp=LOGGED_IN), **{name: ven(name, xmpp=LOGGED_IN) for name in VENS}}
    found, _ = judged(over_xmpp(plan), fleet_of, kept, said)
    one = found["umeda-bems"]
    assert (one.result, one.reason) == (
        Result.PASS,
        "registered, and heard by dras; both are logged in at the XMPP server",
    )


@pytest.mark.parametrize(
    ("said", "failed", "reason"),
    [
        (
            {"dras": vtn(xmpp="does not take the certificate")},
            set(VENS),
            "dras: XMPP: does not take the certificate",
        ),
        ({"dras": vtn()}, set(VENS), "dras does not speak XMPP"),
        ({"umeda-bems": ven("umeda-bems")}, {"umeda-bems"}, "umeda-bems does not speak XMPP"),
        ({"umeda-bems": ven("umeda-bems", xmpp="hung up")}, {"umeda-bems"}, "umeda-bems: XMPP: hung up"),
    ],
)
def test_an_end_that_has_the_second_way_alone_fails(
    plan: Plan, fleet_of: Any, kept: Any, said: Any, failed: set[str], reason: str
) -> None:
    every = {"dras": vtn(xmpp=LOGGED_IN), **{name: ven(name, xmpp=LOGGED_IN) for name in VENS}}
    found, _ = judged(over_xmpp(plan), fleet_of, kept, every | said)
    assert {name for name, one in found.items() if one.result is Result.FAIL} == failed
    assert found["umeda-bems"].reason == reason


@pytest.mark.parametrize(("device", "unknown"), [("dras", set(VENS)), ("umeda-bems", {"umeda-bems"})])
def test_an_end_that_says_nothing_leaves_it_unknown(
    plan: Plan, fleet_of: Any, kept: Any, device: str, unknown: set[str]
) -> None:
    found, _ = judged(plan, fleet_of, kept, {device: "status.json: nothing has been reported yet"}, rc=1)
    assert {name for name, one in found.items() if one.result is Result.UNKNOWN} == unknown
    assert found["umeda-bems"].reason == f"{device}: status.json: nothing has been reported yet"


def test_a_status_that_cannot_be_read_is_no_pass(
    plan: Plan, fleet_of: Any, kept: Any, slept: list[float]
) -> None:
    found, _ = judged(plan, fleet_of, kept, {"umeda-bems": {"vtns": {}}})
    assert found["umeda-bems"].result is Result.UNKNOWN
    assert "umeda-bems: ven_id: is missing" in found["umeda-bems"].reason
    assert found["sakai-bems"].result is Result.PASS
    assert slept == [], "no time mends it"


@pytest.mark.parametrize("dead", ["dras", "umeda-bems"])
def test_an_end_that_cannot_be_asked_is_not_waited_for(
    plan: Plan, fleet_of: Any, kept: Any, slept: list[float], dead: str
) -> None:
    def reply(device: str, *_: Any) -> dict[str, Any]:
        out = json.dumps(ven(device) if device in VENS else vtn())
        return {"commands": {"health": {"rc": 0, "out": out, "err": ""}}}

    found = {one.subject: one for one in served.verdicts(plan, fleet_of(reply, [dead]), kept)}
    assert found["umeda-bems is served"].reason == f"{dead}: not reachable"
    assert slept == []
