"""R-DELAY/messages of what sites report by themselves."""

import json
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.report.samples import Samples, read
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.transport import Completed
from heiiki.verify.mms import delays

UMEDA, RUNNING, SAKAI = (
    "umeda battery: measurement",
    "umeda battery: running schedule",
    "sakai heat_storage: measurement",
)
NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
SINCE = NOW - timedelta(seconds=6)


class Clock(datetime):
    """It is always nine."""

    @classmethod
    def now(cls, tz: Any = None) -> "Clock":
        return cls.fromtimestamp(NOW.timestamp(), tz)


def report(name: str, every_s: int, *times: tuple[float, float]) -> dict[str, Any]:
    """A report by how many seconds ago each was made, and how long it took."""
    said = [
        {
            "made": str(NOW - timedelta(seconds=ago)),
            "came": str(NOW - timedelta(seconds=ago - took)),
            "asked_for": False,
        }
        for ago, took in times
    ]
    return {"name": name, "every_s": every_s, "times": said}


EACH_SECOND = [(ago + 0.5, 0.02) for ago in range(20, -1, -1)]


class Store:
    """Remembers what it is given."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def __call__(self, name: str, text: bytes) -> Evidence:
        self.files[name] = text
        return Evidence("", f"evidence/{name}", "", "")

    def samples(self, data: str) -> Samples:
        return read(self.files[f"messages/delays-{data}.json"])


def judged(
    plan: Plan,
    kept: Any,
    monkeypatch: pytest.MonkeyPatch,
    measurement: list[tuple[float, float]],
    problem: str = "",
) -> dict[str, Verdict]:
    monkeypatch.setattr(delays, "datetime", Clock)

    class Dras:
        def run(self, device: str, _argv: Any, *, stdin: bytes = b"", timeout: float = 0.0) -> Completed:
            assert (device, json.loads(stdin)["do"], timeout > 0) == ("dras", "reports", True)
            schedule = report("schedule", 1800, (1700.0, 0.3))
            found = {
                "umeda": [report("measurement", 1, *measurement), schedule],
                "sakai": [report("measurement", 60, (70.0, 9.0), (10.0, 0.5))],
            }
            said = [
                {"site": site, "problem": problem or None, "reports": found[site]}
                for site in json.loads(stdin)["sites"]
            ]
            return Completed(0, json.dumps(said).encode(), b"")

    dras: Any = Dras()
    found = {one.subject: one for one in delays.reported(plan, dras, kept, SINCE, SystemRandom())}
    assert set(found) == {UMEDA, RUNNING, SAKAI}
    return found


def test_reports_that_come_in_time(plan: Plan, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(plan, kept, monkeypatch, EACH_SECOND)
    assert {name: (str(one.result), one.measured, one.bound) for name, one in found.items()} == {
        UMEDA: ("pass", 0.02, 1.0),
        RUNNING: ("pass", 0.3, 60.0),
        SAKAI: ("pass", 0.5, 60.0),
    }


@pytest.mark.parametrize(
    ("measurement", "result", "reason"),
    [
        (
            [*EACH_SECOND[:-2], (1.9, 1.2), (0.5, 0.02)],
            "fail",
            "from the report's making to its coming to DRAS",
        ),
        (EACH_SECOND[:-3], "fail", "it has not arrived"),
        ([(2.5, 0.02)], "fail", "it has not arrived"),
        ([(0.5, 0.02)], "unknown", "1 came in 6 s: too few to judge by"),
        ([], "unknown", "no measurement has been reported"),
        (
            [*EACH_SECOND[:-1], (0.5, -0.25)],
            "unknown",
            "it came 0.250 s before it was sent: the clocks of both ends differ",
        ),
    ],
)
def test_what_speaks_against_it(
    plan: Plan, kept: Any, monkeypatch: pytest.MonkeyPatch, measurement: Any, result: str, reason: str
) -> None:
    one = judged(plan, kept, monkeypatch, measurement)[UMEDA]
    assert (str(one.result), one.reason) == (result, reason)


def test_what_came_before_is_not_judged(plan: Plan, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(plan, kept, monkeypatch, [(12.0, 5.0), *EACH_SECOND[-6:]])
    assert found[UMEDA].measured == 0.02


def test_what_is_drawn_is_what_is_judged_and_beside_it_what_came_before(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store()
    found = judged(plan, store, monkeypatch, [(12.0, 5.0), *EACH_SECOND[-3:]])
    measurement = store.samples("battery-direct-measurement")
    assert (measurement.judged, measurement.earlier) == ({"umeda": (0.02, 0.02, 0.02)}, {"umeda": (5.0,)})
    seldom = store.samples("heat-storage-direct-measurement")
    assert (seldom.judged, seldom.earlier) == ({"sakai": (0.5,)}, {"sakai": (9.0,)})
    assert [one.file for one in found[UMEDA].evidence] == [
        "evidence/messages/reports-umeda.json",
        "evidence/messages/delays-battery-direct-measurement.json",
    ]


@pytest.mark.parametrize(("took", "judged_ones", "earlier"), [(0.02, (0.02,), (0.5,)), (-0.25, (), ())])
def test_a_report_that_is_overdue_is_not_among_those_that_arrived(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, took: float, judged_ones: Any, earlier: Any
) -> None:
    store = Store()
    judged(plan, store, monkeypatch, [(9.0, 0.5), (3.0, took)])
    samples = store.samples("battery-direct-measurement")
    assert samples.waiting == {"umeda": 2.0}
    assert samples.judged.get("umeda", ()) == judged_ones
    assert samples.earlier.get("umeda", ()) == earlier


def test_a_site_that_is_not_heard_says_why(plan: Plan, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(plan, kept, monkeypatch, [], "umeda: its certificate: certificate revoked")
    assert (found[UMEDA].result, found[UMEDA].reason) == (
        Result.UNKNOWN,
        "umeda: its certificate: certificate revoked",
    )


def test_a_dras_that_does_not_answer_leaves_all_unknown(plan: Plan, kept: Any) -> None:
    class Away:
        def run(self, *_: Any, **__: Any) -> Completed:
            return Completed(1, b"", b"the MMS client does not answer")

    away: Any = Away()
    found = list(delays.reported(plan, away, kept, SINCE, SystemRandom()))
    assert {(one.result, one.reason) for one in found} == {
        (Result.UNKNOWN, "dras: the MMS client does not answer")
    }
