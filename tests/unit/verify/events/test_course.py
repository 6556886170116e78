"""What is told of events that were under way while an end was killed."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from two_dras import HOSTS, with_two

from heiiki.plan import Plan
from heiiki.plan.model import ElementKind, FailureMode
from heiiki.report.faults import is_row
from heiiki.requirements import Stage
from heiiki.transport import Completed
from heiiki.verify.events import course
from heiiki.verify.events.course import Course
from heiiki.verify.faults.sample import sample
from heiiki_agent.openadr.books import Act, Answer, Taken, VenBook, Version, VtnBook
from heiiki_agent.resource_socket import Done

VENS = ("umeda-bems", "sakai-bems", "namba-erc")
AT = "2026-04-01T09:00:00.000000Z"


class Host:
    """The DRAS with its VTN: takes orders, and every VEN answers all of them at once."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.killed: list[str] = []
        self.refuses_kill = ""
        self.away = 0

    def run(self, device: str, argv: tuple[str, ...], **how: Any) -> Completed:
        if "operate" not in argv:
            self.killed.append(f"{device} {argv[-1]}")
            return Completed(1 if self.refuses_kill else 0, self.refuses_kill.encode(), b"")
        if self.away:
            self.away -= 1
            return Completed(1, b"", b"the VTN does not answer")
        _, _, _, method, *paths = argv
        ordered = [json.loads(how["stdin"])["event_id"]] if method == "POST" else []
        lines = [self.told(method, name) for name in ordered or [path.rpartition("/")[2] for path in paths]]
        return Completed(0, "\n".join(lines).encode(), b"")

    def told(self, method: str, name: str) -> str:
        self.versions[name] = 1 if method == "DELETE" else self.versions.get(name, 0)
        vens = [{"ven_id": ven, "opt": "optIn", "acknowledged": True} for ven in VENS]
        return json.dumps({"event_id": name, "modification": 0, "status": "far", "vens": vens})

    def names(self) -> list[tuple[str, int]]:
        return [(name, number) for name, last in self.versions.items() for number in range(last + 1)]

    def vtn(self) -> VtnBook:
        versions = [
            Version(
                event_id=name,
                modification=number,
                created=AT,
                cancelled=number == 1,
                test=False,
                vens=VENS,
            )
            for name, number in self.names()
        ]
        answers = [
            Taken(ven_id=ven, event_id=name, modification=number, opt="optIn", received=AT)
            for name, number in self.names()
            for ven in VENS
        ]
        return VtnBook(versions=tuple(versions), answers=tuple(answers), reports=())

    def ven(self, doing: int = 1) -> VenBook:
        kinds = [(name, number, ("perform", "withdraw")[number]) for name, number in self.names()]
        return VenBook(
            answers=tuple(
                Answer(event_id=name, modification=number, opt="optIn", queued=AT, state="done")
                for name, number, _ in kinds
            ),
            acts=tuple(
                Act(key=f"{name}/{number}", event_id=name, modification=number, kind=kind, done=True)
                for name, number, kind in kinds
            ),
            reports=(),
            done=tuple(
                Done(key=f"{name}/{number}", kind=kind, event_id=name, at=1.0)
                for name, number, kind in kinds
                for _ in range(doing)
            ),
            problem=None,
        )


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited for, seconds; it passes on the clock."""
    found: list[float] = []
    monkeypatch.setattr(course.time, "sleep", found.append)
    monkeypatch.setattr(course.time, "monotonic", lambda: sum(found))
    return found


def begun(plan: Plan, fleet_of: Any, host: Host, doing: int = 1, problem: str = "") -> Course:
    def reply(device: str, _probe: str, _parameters: Any) -> dict[str, Any]:
        book = host.vtn() if device == "dras" else host.ven(doing if device == "umeda-bems" else 1)
        told = asdict(book) | ({"problem": problem} if device == "umeda-bems" and problem else {})
        return {"commands": {"book": {"rc": 0, "out": json.dumps(told), "err": ""}}}

    return Course(plan, fleet_of(reply), host)  # type: ignore[arg-type]


def test_an_end_that_was_killed_and_lost_nothing(plan: Plan, fleet_of: Any) -> None:
    host = Host()
    events = begun(plan, fleet_of, host)
    events.accompany("a-p1/kill")
    found = events.killed("umeda-bems")
    assert host.killed == ["umeda-bems heiiki-openadr-ven"] * course.KILLS
    assert set(host.versions.values()) == {1}, "all are cancelled"
    assert (found.wrong, found.doubts) == ((), ())
    assert {step.site for step in found.steps} == {"umeda"}
    assert [step.what for step in found.steps if step.source == step.target] == ["ordered", "cancelled"]
    assert found.said == (
        "killed 3 times, faults before it: 1; 8 versions of events, 8 actions and 0 reports, "
        "each once in every book"
    )


def test_what_one_site_doubles_is_told_in_its_row_and_in_that_of_the_vtn(plan: Plan, fleet_of: Any) -> None:
    wrong = {
        device: begun(plan, fleet_of, Host(), doing=2).killed(device).wrong
        for device in ("umeda-bems", "sakai-bems", "dras")
    }
    assert all(one.endswith("2 times at the resource") for one in wrong["umeda-bems"])
    assert len(wrong["umeda-bems"]) == 2 * course.KILLS
    assert wrong["sakai-bems"] == ()
    assert len(wrong["dras"]) == len(wrong["umeda-bems"])


def test_a_book_that_cannot_be_read_and_a_program_that_cannot_be_killed_are_doubts(
    plan: Plan, fleet_of: Any
) -> None:
    host = Host()
    host.refuses_kill = "no such unit"
    found = begun(plan, fleet_of, host, problem="the resource keeps no book").killed("umeda-bems")
    assert found.wrong == ()
    assert "umeda-bems: the resource keeps no book" in found.doubts
    assert "umeda-bems: heiiki-openadr-ven cannot be killed: no such unit" in found.doubts


def test_an_order_is_sent_until_the_vtn_is_back(plan: Plan, fleet_of: Any) -> None:
    host = Host()
    host.away = 3
    found = begun(plan, fleet_of, host).killed("dras")
    assert found.doubts == ()
    host.away = 10_000
    found = begun(plan, fleet_of, host).killed("dras")
    assert "dras: the VTN does not answer" in found.doubts


def test_what_is_left_is_cancelled_at_the_end(plan: Plan, fleet_of: Any) -> None:
    host = Host()
    events = begun(plan, fleet_of, host)
    events.accompany("a-p1/kill")
    assert set(host.versions.values()) == {0}
    events.end()
    assert set(host.versions.values()) == {1}


class Pair(Host):
    """The two hosts of a VTN, one of which writes; a standby that is up has the whole book."""

    def __init__(self) -> None:
        super().__init__()
        self.writer, self.epoch, self.up = "dras", 1, set(HOSTS)
        self.takes_over = True

    def run(self, device: str, argv: tuple[str, ...], **how: Any) -> Completed:
        if argv[0] == "systemctl":
            self.killed.append(f"{device} {argv[1]}")
            (self.up.add if argv[1] in {"start", "kill"} else self.up.discard)(device)
            return Completed(0, b"", b"")
        if device not in self.up:
            return Completed(1, b"", b"the VTN does not answer")
        path = argv[4]
        if not path.startswith("/LAB/events"):
            return self.said(device, path)
        if device != self.writer:
            return Completed(1, b"", b"it is the standby")
        return super().run(device, argv, **how)

    def said(self, device: str, path: str) -> Completed:
        """Return what a host says of itself, after a takeover where that is asked for."""
        if path == "/health":
            return Completed(0, json.dumps({"LAB": {"doubled": self.state(device)}}).encode(), b"")
        if not self.takes_over:
            return Completed(1, b"", b"its book is not whole")
        if self.writer != device:
            self.writer, self.epoch = device, self.epoch + 1
        return Completed(0, json.dumps(self.state(device)).encode(), b"")

    def state(self, device: str) -> dict[str, Any]:
        (peer,) = (one for one in HOSTS if one != device)
        said = {"host": device, "peer": peer, "writer": self.writer, "epoch": self.epoch}
        return said | {"counts": self.up == set(HOSTS), "problem": None}


def begun_with_two(fleet_of: Any, pair: Pair, lost: str = "") -> Course:
    """Begin events at a VTN on two hosts, of which the second has lost the answers of a VEN."""

    def reply(device: str, _probe: str, _parameters: Any) -> dict[str, Any]:
        book = pair.vtn() if device in HOSTS else pair.ven()
        if device == "dras-2" and isinstance(book, VtnBook):
            book = replace(book, answers=tuple(one for one in book.answers if one.ven_id != lost))
        return {"commands": {"book": {"rc": 0, "out": json.dumps(asdict(book)), "err": ""}}}

    return Course(with_two(), fleet_of(reply), pair)  # type: ignore[arg-type]


@pytest.mark.parametrize(("device", "other"), [HOSTS, HOSTS[::-1]])
def test_the_other_host_takes_over_from_the_one_that_writes(fleet_of: Any, device: str, other: str) -> None:
    pair = Pair()
    found = begun_with_two(fleet_of, pair).failover(device)
    assert pair.killed == [f"{device} kill", f"{device} stop", f"{device} start"]
    assert (pair.writer, pair.up) == (other, set(HOSTS))
    assert (found.wrong, found.doubts) == ((), ())
    assert set(pair.versions.values()) == {1}, "all are answered and cancelled"
    assert {step.source for step in found.steps} >= {other, *VENS}
    assert device not in {step.source for step in found.steps}
    assert found.said.startswith(f"{device} was killed, and {other} took over; 12 versions of events, ")


def test_a_host_that_does_not_take_over_is_a_doubt_and_the_killed_one_is_started(fleet_of: Any) -> None:
    pair = Pair()
    pair.takes_over = False
    found = begun_with_two(fleet_of, pair).failover("dras")
    assert "dras-2: its book is not whole" in found.doubts
    assert pair.killed[-1] == "dras start"


def test_what_the_standby_has_not_got_is_lost(fleet_of: Any) -> None:
    found = begun_with_two(fleet_of, Pair(), lost="umeda-bems").killed("dras")
    assert len(found.wrong) == 2 * course.KILLS
    assert all(
        one.startswith("dras-2: optIn of umeda-bems to ") and one.endswith(": not at dras-2")
        for one in found.wrong
    )
    found = begun_with_two(fleet_of, Pair(), lost="umeda-bems").killed("umeda-bems")
    assert found.wrong == (), "it is told in the rows of the VTN"


def test_a_plan_with_two_has_a_row_for_each_host_that_fails_over() -> None:
    rows = {one.name for one in with_two().faults if one.kind is ElementKind.EVENTS}
    assert {"dras/vtn-killed", "dras-2/vtn-killed", "dras/vtn-failover", "dras-2/vtn-failover"} < rows
    assert all(is_row("R-EVENT/books", Stage.LIVE, name) for name in rows)
    assert "dras/vtn-failover" in {one.name for one in sample(with_two())}


def test_a_plan_with_one_has_none(plan: Plan) -> None:
    assert [one.name for one in plan.faults if one.mode is FailureMode.FAILOVER] == []
