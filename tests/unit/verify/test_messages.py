"""R-DELAY/messages, live: how long each kind of message took, by the books of both ends."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from heiiki.design.volume import MESSAGES, OPT, REQUEST, RESULT
from heiiki.plan.model import Plan
from heiiki.report.samples import read
from heiiki.requirements import Result
from heiiki.requirements.verdict import Evidence
from heiiki.transport import Completed
from heiiki.verify import messages
from heiiki.verify.messages import Took, delays, longest, of_kind
from heiiki_agent.openadr.books import Answer, Received, Taken, VenBook, Version, VtnBook

VEN = "namba-erc"
NOW = datetime(2026, 4, 1, 9, 2, tzinfo=UTC)


def at(seconds: float) -> str:
    return f"2026-04-01T09:00:{seconds:09.6f}Z"


VTN = VtnBook(
    versions=(
        Version(event_id="e", modification=0, created=at(0), cancelled=False, test=True, vens=(VEN,)),
        Version(event_id="e", modification=1, created=at(9), cancelled=True, test=True, vens=(VEN,)),
    ),
    answers=(
        Taken(ven_id=VEN, event_id="e", modification=0, opt="optIn", received=at(2.5)),
        Taken(ven_id="other", event_id="e", modification=0, opt="optIn", received=at(50)),
        Taken(ven_id=VEN, event_id="e", modification=1, opt="optIn", received=at(12)),
    ),
    reports=(
        Received(ven_id=VEN, created=at(3), digest="a", received=at(3.25)),
        Received(ven_id=VEN, created=at(13), digest="b", received=at(13.75)),
        Received(ven_id="other", created=at(3), digest="a", received=at(40)),
    ),
)
OWN = VenBook(
    answers=(
        Answer(event_id="e", modification=0, opt="optIn", queued=at(2), state="done"),
        Answer(event_id="e", modification=1, opt="optIn", queued=at(11), state="done"),
    ),
    acts=(),
    reports=(),
    done=(),
    problem=None,
)


def test_the_times_are_those_of_the_order_and_not_of_its_cancellation() -> None:
    assert delays(VEN, VTN, OWN, NOW) == {
        REQUEST: Took(2.0, samples=(2.0,)),
        OPT: Took(0.5, samples=(0.5,)),
        RESULT: Took(0.75, samples=(0.25, 0.75)),
    }


def test_a_message_that_has_not_arrived() -> None:
    found = delays(VEN, replace(VTN, answers=(), reports=()), OWN, NOW)
    assert found[OPT] == Took(118.0, arrived=False)
    assert found[RESULT] == "no report has come to the VTN for 5 minutes"
    found = delays(VEN, VTN, replace(OWN, answers=()), NOW)
    assert found[REQUEST] == Took(120.0, arrived=False)
    assert found[OPT] == "there was nothing to send"


def test_clocks_that_differ_leave_it_unknown() -> None:
    found = delays(VEN, VTN, replace(OWN, answers=(replace(OWN.answers[0], queued=at(3)),)), NOW)
    assert found[REQUEST] == Took(3.0, samples=(3.0,))
    assert found[OPT] == "it came 0.500 s before it was sent: the clocks of both ends differ"


@pytest.mark.parametrize(("earlier", "known"), [((0.5, 9.0), (0.5, 9.0)), ((0.5, -0.1), ()), ((), ())])
def test_earlier_delays_count_where_the_clocks_agreed(
    earlier: tuple[float, ...], known: tuple[float, ...]
) -> None:
    assert longest((1.0, 2.0), earlier) == Took(2.0, samples=(1.0, 2.0), earlier=known)


def test_what_each_data_type_took_at_all_sites_is_kept_for_its_verdicts(plan: Plan) -> None:
    files: dict[str, bytes] = {}

    def keep(name: str, text: bytes) -> Evidence:
        files[name] = text
        return Evidence("", f"evidence/{name}", "", "")

    one, *others = messages.kinds(plan, "indirect")
    site = replace(one.site, name="nishi")
    second, third = replace(one, site=site), replace(one, site=replace(one.site, name="kita"))
    took: list[tuple[messages.Kind, Took | str]] = [
        (one, Took(2.0, samples=(1.0, 2.0), earlier=(9.0,))),
        (second, Took(7.0, arrived=False)),
        (third, "not reached"),
        *((other, "not reached") for other in others),
    ]
    raw = Evidence("", "evidence/raw.json", "", "")
    found = list(messages.judged(took, keep, {"nishi": (raw,)}, "by both books"))
    assert [one.subject for one in found] == [kind.subject for kind, _ in took]
    (name,) = files
    assert name == "messages/delays-heat-storage-indirect-event-request.json"
    samples = read(files[name])
    assert (samples.within_s, samples.how) == (60, "by both books")
    assert (samples.judged, samples.earlier) == ({one.site.name: (1.0, 2.0)}, {one.site.name: (9.0,)})
    assert samples.waiting == {"nishi": 7.0}
    mine = Evidence("", f"evidence/{name}", "", "")
    assert [verdict.evidence for verdict in found] == [
        (mine,),
        (raw, mine),
        (),
        *(() for _ in others),
    ]


@pytest.mark.parametrize(
    ("took", "result", "reason"),
    [
        (Took(60.0), Result.PASS, "from commit to commit, by the books of both ends"),
        (Took(60.001), Result.FAIL, "from commit to commit, by the books of both ends"),
        (Took(61.0, arrived=False), Result.FAIL, "it has not arrived"),
        (Took(59.0, arrived=False), Result.UNKNOWN, "it has not arrived"),
        ("not asked", Result.UNKNOWN, "not asked"),
    ],
)
def test_each_kind_has_its_own_bound(took: Took | str, result: Result, reason: str) -> None:
    (message, *_) = MESSAGES["heat_storage", "indirect"]
    verdict = of_kind("namba", message, took)
    assert (verdict.result, verdict.reason) == (result, reason)
    if isinstance(took, Took):
        assert (verdict.measured, verdict.bound, verdict.unit) == (took.seconds, 60.0, "s")


class Host:
    """The DRAS with its VTN, whose VENs answer when they are looked at for the second time."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, _device: str, argv: tuple[str, ...], **_how: Any) -> Completed:
        self.asked.append(next(word for word in argv if word in ("POST", "GET", "DELETE")))
        told = {"ven_id": VEN, "opt": "optIn", "acknowledged": self.asked.count("GET") > 1}
        event = {"event_id": "e", "modification": 0, "status": "far", "vens": [told]}
        return Completed(0, json.dumps(event).encode(), b"")


def test_a_test_event_is_sent_waited_for_and_cancelled(
    plan: Plan, fleet_of: Any, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_AGAIN_S", 0.0)
    host = Host()

    def reply(device: str, _probe: str, _parameters: Any) -> Any:
        book: VtnBook | VenBook = VTN if device == "dras" else OWN
        return {"commands": {"book": {"rc": 0, "out": json.dumps(asdict(book)), "err": ""}}}

    trial = messages.tried(plan, host)  # type: ignore[arg-type]
    books = messages.read(fleet_of(reply), trial, kept)
    found = {one.subject: one for one in messages.verdicts(plan, books, kept)}
    assert host.asked == ["POST", "GET", "GET", "DELETE"]
    assert list(found) == [one.subject for one in messages.kinds(plan, "indirect")]
    assert found["namba heat_storage: event request"].measured == 2.0
    assert not any("battery" in subject for subject in found), "direct control has no VEN"


def test_a_vtn_that_takes_no_order_leaves_all_unknown(plan: Plan, fleet_of: Any, kept: Any) -> None:
    class Away:
        def run(self, *_: Any, **__: Any) -> Completed:
            return Completed(1, b"", b"the VTN does not answer")

    books = messages.read(fleet_of(lambda *_: {}), messages.tried(plan, Away()), kept)  # type: ignore[arg-type]
    found = list(messages.verdicts(plan, books, kept))
    assert {one.result for one in found} == {Result.UNKNOWN}
    assert "dras: the VTN does not answer" in {one.reason for one in found}
