"""What becomes of an order of direct control, from three books."""

import json
from random import SystemRandom
from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.requirements import Result, Verdict
from heiiki.transport import Completed
from heiiki.verify.mms import orders


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

    def order(self, site: str, question: Any) -> dict[str, Any]:
        self.ordered[site] = question["order"]["order_id"]
        entry = {
            "order_id": self.ordered[site],
            "site": site,
            "kind": "set",
            "body": json.dumps(question["order"]),
            "ordered": "",
            "state": "done",
            "cause": None,
            "reason": "",
            "answered": "",
        }
        return entry | self._changes.get("order", {})


ONCE = {"orders": [{"answered": "x", "cause": None}], "done": [{"key": "x"}], "problem": None}


def judged(
    plan: Plan, fleet_of: Any, kept: Any, book: dict[str, Any], **changes: Any
) -> tuple[dict[str, Verdict], Dras]:
    dras = Dras(changes)

    def reply(_device: str, _probe: str, _parameters: Any) -> dict[str, Any]:
        return {"commands": {"book": {"rc": 0, "out": json.dumps(book), "err": ""}}}

    found = list(orders.verdicts(plan, fleet_of(reply), dras, kept, SystemRandom()))
    assert [one.subject for one in found] == list(orders.subjects(plan))
    return {one.subject.split()[0]: one for one in found}, dras


def test_an_order_that_is_once_in_every_book_passes(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, dras = judged(plan, fleet_of, kept, ONCE)
    assert {site: one.result for site, one in found.items()} == {"umeda": Result.PASS, "sakai": Result.PASS}
    given = [one["order"] for one in dras.asked if one["do"] == "order"]
    assert [one["power_w"] for one in given] == [40_000.0] * 4, "each goes on as it is, and is told twice"
    assert len({one["order_id"] for one in given}) == 2


@pytest.mark.parametrize(
    ("book", "said"),
    [
        (ONCE | {"done": [{}, {}]}, "the resource's book has it 2 times"),
        (ONCE | {"done": []}, "the resource's book has it 0 times"),
        (ONCE | {"orders": []}, "the controller's book has it 0 times"),
    ],
)
def test_what_is_lost_or_doubled_fails(
    plan: Plan, fleet_of: Any, kept: Any, book: dict[str, Any], said: str
) -> None:
    found, _ = judged(plan, fleet_of, kept, book)
    assert (found["umeda"].result, found["umeda"].reason) == (Result.FAIL, said)


def test_an_order_that_is_not_done_fails(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, ONCE, order={"state": "expired", "reason": "no answer"})
    assert found["umeda"].result is Result.FAIL
    assert found["umeda"].reason.startswith("the book of DRAS: expired (no answer)")


def test_what_is_not_read_back_fails(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, ONCE, show={"set_point_order": "another"})
    assert found["umeda"].reason == "read back: the last order is another"


def test_a_site_that_cannot_be_asked_fails(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, ONCE, show={"problem": "umeda: no answer"})
    assert (found["umeda"].result, found["umeda"].reason) == (Result.FAIL, "umeda: no answer")


def test_a_resource_whose_book_cannot_be_read_is_unknown(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, ONCE | {"problem": "it is away"})
    assert (found["umeda"].result, found["umeda"].reason) == (Result.UNKNOWN, "umeda-bems: it is away")


def test_nothing_is_ordered_unasked(plan: Plan) -> None:
    assert {one.reason for one in orders.not_tried(plan)} == {orders.NOT_ASKED}
