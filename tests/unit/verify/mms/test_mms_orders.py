"""What becomes of an order of direct control, from three books."""

import json
from itertools import count
from random import SystemRandom
from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.requirements import Result, Verdict
from heiiki.transport import Completed
from heiiki.verify.mms import delays, orders


class Dras:
    """The MMS client's operator, as it answers."""

    def __init__(self, changes: dict[str, Any]) -> None:
        self._changes, self.asked = changes, []
        self.ordered: dict[str, str] = {}

    def run(self, device: str, _argv: Any, *, stdin: bytes = b"", timeout: float = 0.0) -> Completed:
        assert device == "dras"
        assert timeout
        question = json.loads(stdin)
        self.asked.append(question)
        answer = [getattr(self, question["do"])(site, question) for site in question["sites"]]
        return Completed(0, json.dumps(answer).encode(), b"")

    def show(self, site: str, _question: Any) -> dict[str, Any]:
        value = {"name": "MMXU1.TotW", "value": 40_000.0, "unit": "W", "good": True, "at": ""}
        shown = {
            "site": site,
            "problem": None,
            "values": [value],
            "set_point_w": 0.0,
            "set_point_order": self.ordered.get(site, ""),
            "schedule_order": "",
        }
        return shown | self._changes.get("show", {})

    def reports(self, site: str, _question: Any) -> dict[str, Any]:
        times = [{"made": at(2), "came": at(2.25), "asked_for": False}]
        report = {"name": "event", "every_s": 0, "times": times}
        return {"site": site, "problem": None, "reports": [report]} | self._changes.get("reports", {})

    def order(self, site: str, question: Any) -> dict[str, Any]:
        order_id = question["order"]["order_id"]
        if question["kind"] == "set":
            self.ordered[site] = order_id
        entry = {
            "order_id": order_id,
            "site": site,
            "kind": question["kind"],
            "body": json.dumps(question["order"]),
            "ordered": at(1),
            "state": "done",
            "cause": None,
            "reason": "",
            "answered": "",
        }
        return entry | self._changes.get("order", {})


def at(seconds: float) -> str:
    return f"2026-04-01T09:00:{seconds:09.6f}Z"


class Books:
    """Those of controller and resource, as what DRAS ordered makes them; `changes` of every entry."""

    def __init__(
        self, times: int = 1, done: int = 1, problem: str | None = None, received: float = 1.5
    ) -> None:
        self._times, self._done, self._problem, self._received = times, done, problem, received

    def of(self, names: list[str]) -> dict[str, Any]:
        entry = {"answered": "x", "cause": None, "received": at(self._received)}
        return {
            "orders": [entry | {"order_id": name} for name in names for _ in range(self._times)],
            "done": [{"key": name} for name in names for _ in range(self._done)],
            "problem": self._problem,
        }


def judged(
    plan: Plan, fleet_of: Any, kept: Any, books: Books, **changes: Any
) -> tuple[dict[str, Verdict], Dras]:
    """Return the verdicts by site, or by their subjects where they are of a kind of message."""
    dras = Dras(changes)

    def reply(device: str, _probe: str, _parameters: Any) -> dict[str, Any]:
        site = device.split("-", maxsplit=1)[0]
        given = [one for one in dras.asked if one["do"] == "order" and one["sites"] == [site]]
        names = list(dict.fromkeys(one["order"]["order_id"] for one in given))
        return {"commands": {"book": {"rc": 0, "out": json.dumps(books.of(names)), "err": ""}}}

    found = list(orders.verdicts(plan, fleet_of(reply), dras, kept, orders.drawn(plan, SystemRandom())))
    assert [one.subject for one in found] == [
        *orders.subjects(plan),
        "umeda battery: event",
        "sakai heat_storage: event",
        "umeda battery: control, setting",
        "umeda battery: schedule",
        "sakai heat_storage: control, setting",
    ]
    names = {one: one.split()[0] for one in orders.subjects(plan)}
    return {names.get(one.subject, one.subject): one for one in found}, dras


def test_an_order_that_is_once_in_every_book_passes(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, dras = judged(plan, fleet_of, kept, Books())
    assert {one.result for one in found.values()} == {Result.PASS}
    given = [one["order"] for one in dras.asked if one["do"] == "order"]
    assert [one["power_w"] for one in given if "power_w" in one] == [40_000.0] * 4, "each is told twice"
    assert [one["powers_w"] for one in given if "powers_w" in one] == [[40_000.0]], "the battery alone"
    assert len({one["order_id"] for one in given}) == 3


def test_each_kind_of_message_took_as_long_as_the_books_say(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, Books())
    assert {name: (one.measured, one.bound) for name, one in found.items() if ":" in name} == {
        "umeda battery: event": (0.25, 1.0),
        "umeda battery: control, setting": (0.5, 1.0),
        "umeda battery: schedule": (0.5, 60.0),
        "sakai heat_storage: event": (0.25, 60.0),
        "sakai heat_storage: control, setting": (0.5, 60.0),
    }


def test_an_order_that_is_late_fails(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, Books(received=2.5))
    late = found["umeda battery: control, setting"]
    assert (late.result, late.measured) == (Result.FAIL, 1.5)
    assert found["sakai heat_storage: control, setting"].result is Result.PASS


def test_clocks_that_differ_leave_it_unknown(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, Books(received=0.5))
    one = found["umeda battery: control, setting"]
    assert one.result is Result.UNKNOWN
    assert one.reason == "it came 0.500 s before it was sent: the clocks of both ends differ"


def test_an_event_that_does_not_come_is_late(
    plan: Plan, fleet_of: Any, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delays.time, "sleep", lambda _s: None)
    clock = count(0.0, 30.0)
    monkeypatch.setattr(delays.time, "monotonic", lambda: next(clock))
    found, _ = judged(plan, fleet_of, kept, Books(), reports={"reports": []})
    one = found["umeda battery: event"]
    assert (one.result, one.reason) == (Result.FAIL, "it has not arrived")
    found, _ = judged(plan, fleet_of, kept, Books(), reports={"reports": [], "problem": "umeda: no answer"})
    assert (found["umeda battery: event"].result, found["umeda battery: event"].reason) == (
        Result.UNKNOWN,
        "umeda: no answer",
    )


@pytest.mark.parametrize(
    ("book", "said"),
    [
        (Books(done=2), "the resource's book has the set point 2 times"),
        (Books(done=0), "the resource's book has the set point 0 times"),
        (Books(times=0), "the controller's book has the set point 0 times"),
    ],
)
def test_what_is_lost_or_doubled_fails(plan: Plan, fleet_of: Any, kept: Any, book: Books, said: str) -> None:
    found, _ = judged(plan, fleet_of, kept, book)
    assert (found["sakai"].result, found["sakai"].reason) == (Result.FAIL, said)
    assert found["umeda"].reason == f"{said}; {said.replace('set point', 'schedule')}"


def test_an_order_that_is_not_done_fails(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, Books(), order={"state": "expired", "reason": "no answer"})
    assert found["umeda"].result is Result.FAIL
    assert found["umeda"].reason.startswith("the book of DRAS: expired (no answer)")


def test_what_is_not_read_back_fails(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, Books(), show={"set_point_order": "another"})
    assert found["umeda"].reason == "read back: the last order is another"


def test_a_site_that_cannot_be_asked_fails(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, Books(), show={"problem": "umeda: no answer"})
    assert (found["umeda"].result, found["umeda"].reason) == (Result.FAIL, "umeda: no answer")
    assert found["umeda battery: schedule"].reason == "umeda: no answer"


def test_a_resource_whose_book_cannot_be_read_is_unknown(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, Books(problem="it is away"))
    assert (found["umeda"].result, found["umeda"].reason) == (Result.UNKNOWN, "umeda-bems: it is away")


def test_nothing_is_ordered_unasked(plan: Plan) -> None:
    assert {one.reason for one in orders.not_tried(plan)} == {orders.NOT_ASKED}
