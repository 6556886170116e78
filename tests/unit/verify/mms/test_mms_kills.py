"""What is told of orders and reports that were under way while an end of direct control was killed."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.transport import Completed
from heiiki.verify.faults.lived import Lived
from heiiki.verify.mms import kills
from heiiki.verify.mms.kills import KILLS, Kills
from heiiki_agent.mms.books import ClientBook, Event, Given, Heard, ServerBook, Taken
from heiiki_agent.resource_socket import Done

SITES = {"umeda": "umeda-bems", "sakai": "sakai-bems"}
AT = "2026-04-01T09:00:00.000000Z"


class Host:
    """The DRAS with its client, by which every site does at once what it is ordered."""

    def __init__(self) -> None:
        self.orders: list[Given] = []
        self.killed: list[str] = []
        self.refuses_kill = ""
        self.away = 0
        self.unwell = ""
        self.state = "done"

    def run(self, device: str, argv: tuple[str, ...], **how: Any) -> Completed:
        if "operate" not in argv:
            self.killed.append(f"{device} {argv[-1]}")
            return Completed(1 if self.refuses_kill else 0, self.refuses_kill.encode(), b"")
        if self.away:
            self.away -= 1
            return Completed(1, b"", b"the client does not answer")
        question = json.loads(how["stdin"])
        answer = [getattr(self, question["do"])(site, question) for site in question["sites"]]
        return Completed(0, json.dumps(answer).encode(), b"")

    def show(self, site: str, _question: Any) -> dict[str, Any]:
        return {
            "site": site,
            "problem": self.unwell if site == "sakai" else None,
            "values": [{"name": "MMXU1.TotW", "value": 40_000.0, "unit": "W", "good": True, "at": ""}],
            "set_point_w": 0.0,
            "set_point_order": "",
            "schedule_order": "",
        }

    def order(self, site: str, question: Any) -> dict[str, Any]:
        one = Given(
            order_id=question["order"]["order_id"],
            site=site,
            kind=question["kind"],
            state=self.state,
            reason=None,
        )
        if one not in self.orders:
            self.orders.append(one)
        more = {
            "reason": "",
            "body": json.dumps(question["order"]),
            "ordered": AT,
            "cause": None,
            "answered": AT,
        }
        return asdict(one) | more

    def of(self, site: str) -> list[Given]:
        return [one for one in self.orders if one.site == site]

    def client(self) -> ClientBook:
        heard = [
            Heard(site=site, entry_id=event.entry_id, made=event.made, digest=event.digest)
            for site in SITES
            for event in self.server(site).events
        ]
        return ClientBook(orders=tuple(self.orders), events=tuple(heard))

    def server(self, site: str) -> ServerBook:
        mine = self.of(site)
        return ServerBook(
            orders=tuple(
                Taken(
                    order_id=one.order_id,
                    kind=one.kind,
                    body="{}",
                    received=AT,
                    answered=AT,
                    cause=None,
                    reason=None,
                )
                for one in mine
            ),
            events=tuple(
                Event(entry_id=number, made=AT, digest=f"{number:064}", order_id=one.order_id)
                for number, one in enumerate(mine)
            ),
            done=tuple(Done(key=one.order_id, kind=one.kind, event_id=one.order_id, at=1.0) for one in mine),
            problem=None,
        )


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited for, seconds; it passes on the clock."""
    found: list[float] = []
    monkeypatch.setattr(kills.time, "sleep", found.append)
    monkeypatch.setattr(kills.time, "monotonic", lambda: sum(found))
    return found


Change = Callable[[Any], Any]


def killed(
    plan: Plan, fleet_of: Any, host: Host, device: str, changes: dict[str, Change] | None = None
) -> Lived:
    """Kill an end; `changes` are made to the books of devices before they are read."""
    sites = {device: site for site, device in SITES.items()}

    def reply(name: str, _probe: str, _parameters: Any) -> dict[str, Any]:
        book = host.client() if name == "dras" else host.server(sites[name])
        told = (changes or {}).get(name, lambda same: same)(book)
        return {"commands": {"book": {"rc": 0, "out": json.dumps(asdict(told)), "err": ""}}}

    return Kills(plan, fleet_of(reply), host).killed(device)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "unit", "orders"),
    [("umeda-bems", "server", 2), ("sakai-bems", "server", 1), ("dras", "client", 3)],
)
def test_an_end_that_was_killed_and_lost_nothing(
    plan: Plan, fleet_of: Any, device: str, unit: str, orders: int
) -> None:
    host = Host()
    found = killed(plan, fleet_of, host, device)
    assert host.killed == [f"{device} heiiki-mms-{unit}"] * KILLS
    assert (found.wrong, found.doubts) == ((), ())
    # The battery is given a schedule besides.
    number = KILLS * orders
    assert found.said == (
        f"killed 3 times; {number} orders and {number} reports of events, each once in every book"
    )
    assert {one.kind for one in host.of("umeda")} == {"set", "schedule"}
    assert {one.kind for one in host.of("sakai")} == {"set"}
    assert len({one.order_id for one in host.orders}) == 3 * KILLS
    assert len(host.of("umeda")) == 2 * KILLS
    assert device == "dras" or host.orders[-1].site == device.split("-", maxsplit=1)[0]


def doubled(book: ServerBook) -> ServerBook:
    """The planted case: the resource has done an order twice."""
    return replace(book, done=(*book.done, book.done[0]))


def unheard(book: ClientBook) -> ClientBook:
    """The planted case: a report of the first site has not come."""
    return replace(book, events=book.events[1:])


def untold(book: ServerBook) -> ServerBook:
    """The planted case: an order was done, and no event made of it."""
    return replace(book, events=book.events[1:])


def not_done(book: ServerBook) -> ServerBook:
    """The planted case: the controller has answered an order that its resource has not done."""
    return replace(book, done=book.done[1:])


def unknown_there(book: ServerBook) -> ServerBook:
    """The planted case: the resource did what DRAS knows nothing of."""
    return replace(book, done=(*book.done, Done(key="x", kind="set", event_id="x", at=1.0)))


def never_came(book: ServerBook) -> ServerBook:
    """The planted case: the controller knows nothing of an order."""
    return replace(book, orders=book.orders[1:])


@pytest.mark.parametrize(
    ("device", "change", "said"),
    [
        ("umeda-bems", doubled, "2 times at the resource"),
        ("umeda-bems", not_done, "not at the resource"),
        ("umeda-bems", unknown_there, "set x: done, and was not ordered"),
        ("umeda-bems", never_came, "not at the controller"),
        ("umeda-bems", untold, "not at the controller"),
        ("dras", unheard, "report 0 of 2026-04-01T09:00:00.000000Z: not at DRAS"),
    ],
)
def test_what_is_lost_or_doubled_is_told_in_the_rows_that_concern_it(
    plan: Plan, fleet_of: Any, device: str, change: Change, said: str
) -> None:
    found = {one: killed(plan, fleet_of, Host(), one, {device: change}) for one in ("dras", *SITES.values())}
    for one in ("dras", "umeda-bems"):
        assert any(wrong.startswith("umeda: ") and wrong.endswith(said) for wrong in found[one].wrong)
        assert not found[one].doubts
    assert found["sakai-bems"].wrong == ()


def test_a_book_that_cannot_be_read_and_a_program_that_cannot_be_killed_are_doubts(
    plan: Plan, fleet_of: Any
) -> None:
    host = Host()
    host.refuses_kill = "no such unit"
    silent = {"umeda-bems": lambda book: replace(book, problem="the resource keeps no book")}
    found = killed(plan, fleet_of, host, "umeda-bems", silent)
    assert found.wrong == ()
    assert "umeda-bems: the resource keeps no book" in found.doubts
    assert "umeda-bems: heiiki-mms-server cannot be killed: no such unit" in found.doubts


def test_an_order_without_an_answer_is_a_doubt_and_one_whose_time_is_over_is_lost(
    plan: Plan, fleet_of: Any
) -> None:
    host = Host()
    host.state = "pending"
    found = killed(plan, fleet_of, host, "sakai-bems")
    assert (found.wrong, len(found.doubts)) == ((), KILLS)
    host = Host()
    host.state = "expired"
    found = killed(plan, fleet_of, host, "sakai-bems")
    assert all("expired" in wrong for wrong in found.wrong)
    assert len(found.wrong) == KILLS


def test_an_order_is_given_until_the_client_is_back(plan: Plan, fleet_of: Any) -> None:
    host = Host()
    host.away = 3
    assert killed(plan, fleet_of, host, "dras").doubts == ()
    host.away = 10_000
    assert "dras: the client does not answer" in killed(plan, fleet_of, host, "dras").doubts


def test_a_site_that_cannot_be_ordered_is_a_doubt(plan: Plan, fleet_of: Any) -> None:
    host = Host()
    host.unwell = "sakai: no answer within 20 s"
    found = killed(plan, fleet_of, host, "sakai-bems")
    assert found.doubts == ("sakai: nothing was ordered: sakai: no answer within 20 s",) * KILLS
