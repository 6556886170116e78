"""The books of a VTN, a VEN and its resource: what is lost, doubled or pending, and how each is told."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from heiiki.verify.events.books import compared
from heiiki.verify.events.steps import steps
from heiiki_agent.openadr.books import Act, Answer, Received, Sent, Taken, VenBook, Version, VtnBook
from heiiki_agent.resource_socket import Done

VEN, OTHER = "umeda-bems", "sakai-bems"
AT = "2026-04-01T09:00:00.000000Z"


def version(number: int, *, cancelled: bool = False, test: bool = False) -> Version:
    return Version(
        event_id="e", modification=number, created=AT, cancelled=cancelled, test=test, vens=(VEN, OTHER)
    )


def taken(number: int, ven: str = VEN, opt: str = "optIn") -> Taken:
    return Taken(ven_id=ven, event_id="e", modification=number, opt=opt, received=AT)


def received(ven: str, digest: str) -> Received:
    return Received(ven_id=ven, created=AT, digest=digest, received=AT)


def answer(number: int, opt: str = "optIn", state: str = "done") -> Answer:
    return Answer(event_id="e", modification=number, opt=opt, queued=AT, state=state)


def act(number: int, kind: str, *, done: bool = True) -> Act:
    return Act(key=f"e/{number}/{kind}/0", event_id="e", modification=number, kind=kind, done=done)


def done(kind: str, key: str = "") -> Done:
    return Done(key=key or f"e/0/{kind}/0", kind=kind, event_id="e", at=1.0)


VTN = VtnBook(
    versions=(version(0), version(1, cancelled=True)),
    answers=(taken(0), taken(1), taken(0, OTHER)),
    reports=(received(VEN, "ab"), received(OTHER, "cd")),
)
HERE = VenBook(
    answers=(answer(0), answer(1)),
    acts=(act(0, "perform"), act(1, "withdraw")),
    reports=(Sent(created=AT, digest="ab", state="done"),),
    done=(done("perform"), done("withdraw")),
    problem=None,
)


def test_books_that_agree() -> None:
    found = compared(VEN, VTN, HERE)
    assert (found.lost, found.doubled, found.pending) == ((), (), ())
    assert (found.versions, found.acts, found.reports) == (2, 2, 1)


@pytest.mark.parametrize(
    ("vtn", "ven", "lost", "doubled", "pending"),
    [
        ({"answers": (taken(1),)}, {}, ("answer to e version 0: not at the VTN",), (), ()),
        (
            {"answers": (taken(0), taken(0), taken(1))},
            {},
            (),
            ("answer to e version 0: 2 times at the VTN",),
            (),
        ),
        (
            {},
            {"answers": (answer(1),), "acts": (act(1, "withdraw"),)},
            ("e version 0: not at the VEN",),
            (),
            (),
        ),
        (
            {"answers": (taken(0, opt="optOut"), taken(1))},
            {},
            ("e version 0: optIn at the VEN, optOut at the VTN",),
            (),
            (),
        ),
        (
            {},
            {"answers": (answer(0, state="refused"), answer(1))},
            ("answer to e version 0: refused",),
            (),
            (),
        ),
        ({}, {"answers": (answer(0), answer(1, state="pending"))}, (), (), ("e version 1: its answer",)),
        (
            {"versions": (version(0), version(1, cancelled=True), version(2))},
            {},
            (),
            (),
            ("e version 2: its answer",),
        ),
        ({"versions": (version(0),), "answers": (taken(0),)}, {}, ("e version 1: not at the VTN",), (), ()),
        ({}, {"acts": (act(1, "withdraw"),)}, ("perform e: not at the VEN",), (), ()),
        ({}, {"done": (done("withdraw"),)}, ("perform e: not at the resource",), (), ()),
        (
            {},
            {"done": (done("perform"), done("perform", "e/0/perform/1"), done("withdraw"))},
            (),
            ("perform e: 2 times at the resource",),
            (),
        ),
        (
            {},
            {"acts": (act(0, "perform"), act(1, "withdraw", done=False)), "done": (done("perform"),)},
            (),
            (),
            ("withdraw e: at the resource",),
        ),
        (
            {"versions": (version(0, test=True), version(1, cancelled=True, test=True))},
            {},
            (),
            ("perform e: done, and was not to be", "withdraw e: done, and was not to be"),
            (),
        ),
        ({"reports": ()}, {}, (f"report of {AT}: not at the VTN",), (), ()),
        ({}, {"reports": ()}, (f"report of {AT}: not at the VEN",), (), ()),
        ({"reports": VTN.reports[:1] * 2}, {}, (), (f"report of {AT}: 2 times at the VTN",), ()),
        (
            {"reports": ()},
            {"reports": (Sent(created=AT, digest="ab", state="pending"),)},
            (),
            (),
            (f"report of {AT}: its confirmation",),
        ),
    ],
)
def test_what_books_say_of_one_another(
    vtn: dict[str, Any],
    ven: dict[str, Any],
    lost: tuple[str, ...],
    doubled: tuple[str, ...],
    pending: tuple[str, ...],
) -> None:
    found = compared(VEN, replace(VTN, **vtn), replace(HERE, **ven))
    # What follows from a wrong line, such as an action without its answer, may be told as well.
    assert set(lost) <= set(found.lost)
    assert set(doubled) <= set(found.doubled)
    assert set(pending) <= set(found.pending)
    assert bool(lost) == bool(found.lost)
    assert bool(doubled) <= bool(found.doubled)
    assert bool(pending) == bool(found.pending)


def test_the_way_of_the_last_event_from_the_order_to_the_last_confirmation() -> None:
    def at(second: float) -> str:
        return f"2026-04-01T09:00:{second:09.6f}Z"

    vtn = replace(
        VTN,
        versions=(replace(version(0), created=at(0)), replace(version(1, cancelled=True), created=at(5))),
        answers=(replace(taken(0), received=at(2)), replace(taken(1), received=at(8)), taken(0, OTHER)),
    )
    zero = datetime.fromisoformat(at(0)).timestamp()
    ven = replace(
        HERE,
        answers=(replace(answer(0), queued=at(1.5)), replace(answer(1), queued=at(7))),
        done=(replace(done("perform"), at=zero + 2.25), replace(done("withdraw"), at=zero + 7.5)),
    )
    found = steps("umeda", "dras", VEN, vtn, ven)
    assert [(one.at, one.source, one.target, one.what) for one in found] == [
        (0.0, "dras", "dras", "ordered"),
        (1.5, "dras", VEN, "event"),
        (2.0, VEN, "dras", "optIn"),
        (2.25, VEN, "resource", "perform"),
        (5.0, "dras", "dras", "cancelled"),
        (7.0, "dras", VEN, "cancellation"),
        (7.5, VEN, "resource", "withdraw"),
        (8.0, VEN, "dras", "acknowledged"),
    ]
    assert steps("umeda", "dras", "another", vtn, ven) == ()


def test_an_event_that_is_declined_is_not_done() -> None:
    vtn = replace(VTN, answers=(taken(0, opt="optOut"), taken(1)))
    ven = replace(HERE, answers=(answer(0, "optOut"), answer(1)), acts=(), done=())
    found = compared(VEN, vtn, ven)
    assert (found.lost, found.doubled, found.pending) == ((), (), ())
    again = compared(VEN, vtn, replace(ven, done=(done("perform"),)))
    assert again.doubled == ("perform e: done, and was not to be",)
