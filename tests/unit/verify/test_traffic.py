"""One look at the lines while a test event, reports and orders are under way: which verdicts come of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from random import Random, SystemRandom
from typing import Any

import pytest

from heiiki.control import Arrival, Reported
from heiiki.design.sessions import REPORT_EVERY_S
from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.transport import Completed
from heiiki.verify import messages, octets, tapped, traffic
from heiiki.verify.mms import orders
from heiiki_agent.openadr.books import Received, VenBook, VtnBook

SEEDED = Random(1)  # noqa: S311 - which sites are drawn is no secret
POLL_S, MARGIN_S = 3, traffic._MARGIN_S


class Dras:
    """The host of the VTN and of the MMS client, both of which say what they are told to."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[str] = []
        self._answers = answers

    def run(self, _device: str, argv: Sequence[str], *, stdin: bytes = b"", **_how: Any) -> Completed:
        do = json.loads(stdin)["do"] if stdin.startswith(b'{"do"') else "event"
        self.asked.append(do)
        if do not in self._answers:
            return Completed(1, b"", f"nobody answers {do}".encode())
        return Completed(0, json.dumps(self._answers[do](argv, stdin)).encode(), b"")


def event(*_: Any) -> Any:
    vens = [{"ven_id": ven, "opt": "optIn", "acknowledged": True} for ven in ("umeda-bems", "namba-erc")]
    return {"event_id": "e", "modification": 0, "status": "far", "vens": vens}


def reports(_argv: Any, stdin: bytes) -> Any:
    return [{"site": site, "problem": None, "reports": []} for site in json.loads(stdin)["sites"]]


class Gateways:
    """Gateways that saw nothing, and books in which there is nothing."""

    def __init__(self, book: VtnBook | None = None) -> None:
        self.looked: dict[str, Mapping[str, Any]] = {}
        self._book = book or VtnBook(versions=(), answers=(), reports=())

    def reply(self, device: str, probe: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if probe == "tap":
            self.looked[device] = parameters
            return {"dropped": 0, "began": 0.0, "ended": parameters["seconds"], "packets": []}
        own = VenBook(answers=(), acts=(), reports=(), done=(), problem=None)
        book = self._book if device == "dras" else own
        return {"commands": {"book": {"rc": 0, "out": json.dumps(asdict(book)), "err": ""}}}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tapped, "BEGIN_S", 0.0)


def by_requirement(found: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    return {
        name: [one for one in found if one.requirement == name] for name in {f.requirement for f in found}
    }


def test_every_kind_of_message_has_a_verdict_whether_orders_are_given_or_not(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    gateways, host = Gateways(), Dras(event=event, reports=reports, interrogate=reports)
    found = by_requirement([*traffic.verdicts(plan, fleet_of(gateways.reply), host, kept, SEEDED)])  # type: ignore[arg-type]
    unasked = by_requirement([*traffic.not_ordered(plan)])
    subjects = [one.subject for name in (found, unasked) for one in name[octets.REQUIREMENT]]
    assert sorted(subjects) == sorted(messages.subjects(plan))
    assert {one.result for one in found[octets.REQUIREMENT]} == {Result.UNKNOWN}
    assert {one.reason for one in unasked[octets.REQUIREMENT]} == {orders.NOT_ASKED}
    assert host.asked.count("interrogate") == 1


def test_the_gateways_of_primary_paths_look_at_tunnel_and_line(plan: Plan, fleet_of: Any, kept: Any) -> None:
    gateways = Gateways()
    list(traffic.verdicts(plan, fleet_of(gateways.reply), Dras(event=event), kept, SEEDED))  # type: ignore[arg-type]
    assert {name: (one["tunnel"], one["outer"]) for name, one in gateways.looked.items()} == {
        "umeda-ce-a": ("tun-a", "access-a"),
        "namba-gw": ("tun-a", "access-a"),
        "sakai-gw-b": ("tun-b", "wwan0"),
    }
    assert {(*one["ports"],) for one in gateways.looked.values()} == {(8443, 3782)}


def ago(*seconds: float) -> VtnBook:
    """A book in which the last report of each VEN was made so long ago."""
    vens = ("umeda-bems", "namba-erc")
    made = [f"{datetime.now(UTC) - timedelta(seconds=one):%Y-%m-%dT%H:%M:%S.%fZ}" for one in seconds]
    those = [
        Received(ven_id=ven, created=at, digest="d", received=at) for ven, at in zip(vens, made, strict=False)
    ]
    return VtnBook(versions=(), answers=(), reports=tuple(those))


@pytest.mark.parametrize(
    ("reported", "seconds"),
    [
        ((30.0, 50.0), REPORT_EVERY_S - 30 + POLL_S + MARGIN_S),
        ((59.9, 59.9), 2 * POLL_S + MARGIN_S),
        ((30.0,), REPORT_EVERY_S + POLL_S + MARGIN_S),
    ],
)
def test_it_is_looked_until_each_ven_has_reported(
    plan: Plan, fleet_of: Any, kept: Any, reported: Sequence[float], seconds: float
) -> None:
    gateways, host = Gateways(ago(*reported)), Dras(event=event, reports=reports, interrogate=reports)
    list(traffic.verdicts(plan, fleet_of(gateways.reply), host, kept, SEEDED))  # type: ignore[arg-type]
    (looked,) = {round(one["seconds"]) for one in gateways.looked.values()}
    assert looked == pytest.approx(seconds, abs=1)


def test_a_dras_that_is_away_leaves_all_unknown(plan: Plan, fleet_of: Any, kept: Any) -> None:
    gateways = Gateways()
    found = [*traffic.verdicts(plan, fleet_of(gateways.reply), Dras(), kept, SEEDED)]  # type: ignore[arg-type]
    ordered = [*traffic.ordered(plan, fleet_of(gateways.reply), Dras(), kept, SystemRandom())]  # type: ignore[arg-type]
    assert {one.result for one in (*found, *ordered)} == {Result.UNKNOWN}
    reasons = {one.reason for one in (*found, *ordered) if one.requirement == octets.REQUIREMENT}
    assert reasons == {
        "dras: nobody answers event",
        "dras: nobody answers interrogate",
        "nothing was ordered",
    }


def test_what_was_asked_for_stands_beside_what_came_by_itself() -> None:
    def told(problem: str, seconds: int) -> Reported:
        moment = datetime(2026, 4, 1, 9, 0, seconds, tzinfo=UTC)
        return Reported("umeda", problem, {}, {"schedule": (Arrival(moment, moment, asked_for=True),)})

    joined = traffic._joined({"umeda": told("no report in time", 2)}, {"umeda": told("", 1)})
    assert not isinstance(joined, str)
    assert [one.made.second for one in joined["umeda"].arrivals["schedule"]] == [1, 2]
    assert joined["umeda"].problem == "no report in time"
    assert traffic._joined("it is away", {}) == "it is away"
