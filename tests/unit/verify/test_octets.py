"""R-COST/messages: what messages take of a site's line, by what its gateway saw and what the books say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from heiiki.control import Arrival, Entry, Reported
from heiiki.design.volume import ALARM, CONTROL, MEASUREMENT, OPT, REQUEST, RESULT, RUNNING, SCHEDULE
from heiiki.plan.model import Plan
from heiiki.plan.sizes import in_esp
from heiiki.requirements import Result
from heiiki.verify import octets
from heiiki.verify.messages import DIRECT, INDIRECT, Books, Kind, Trial, kinds
from heiiki.verify.octets import Sizes
from heiiki.verify.tapped import View, mtu, view
from heiiki_agent.openadr.books import Answer, Received, Taken, VenBook, Version, VtnBook

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC).timestamp()
SITE, DRAS = "10.16.1.18", "10.15.0.2"
VEN, ANOTHER = "umeda-bems", "namba-erc"
ACK, HEAD = 52, 52
Row = dict[str, Any]


def text(seconds: float) -> str:
    return f"{datetime.fromtimestamp(NOON + seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


class Connection:
    """Packets of one connection of the site's controller, as the probe tells them."""

    def __init__(self, own: int, hub: int) -> None:
        self._site, self._hub = f"{SITE}:{own}", f"{DRAS}:{hub}"
        self.rows: list[Row] = []
        # Numbers of TCP begin again while it lasts.
        self._next = {True: (1 << 32) - 300, False: 7}

    def add(self, at: float, *, up: bool, records: Sequence[int] = (), data: int = 0, **other: Any) -> None:
        ends = (self._site, self._hub) if up else (self._hub, self._site)
        carried = data or sum(records)
        row = {"at": NOON + at, "from": ends[0], "to": ends[1], "octets": HEAD + carried, "data": carried}
        if not other.get("again"):
            self._next[up] = (self._next[up] + carried) % (1 << 32)
        row |= {"on_line": in_esp(HEAD + carried), "records": [*records]}
        row |= {"until": self._next[up], "acknowledges": self._next[not up]}
        self.rows.append(row | {"begins": False, "ends": False, "again": False} | other)

    def ask(self, at: float, up: Sequence[int], down: Sequence[int]) -> None:
        """A request in records of their own, its answer, and what acknowledges that."""
        for record in up:
            self.add(at, up=True, records=[record])
        self.add(at + 0.01, up=False, records=down)
        self.add(at + 0.02, up=True)


def seen(*those: Connection, began: float = -10.0, ended: float = 60.0) -> View:
    rows = sorted((row for one in those for row in one.rows), key=lambda row: row["at"])
    found = view({"dropped": 0, "began": NOON + began, "ended": NOON + ended, "packets": rows}, SITE)
    assert isinstance(found, View)
    return found


def test_what_is_said_in_a_row_is_a_message_with_its_acknowledgements() -> None:
    line = Connection(41000, 8443)
    line.ask(1.0, (170, 375), (753,))
    line.ask(4.0, (170, 375), (2184,))
    (connection,) = seen(line).openadr
    found = [(one.up, one.records, one.octets, one.whole) for one in connection.messages()]
    request = in_esp(222) + in_esp(427)
    assert found == [
        (True, [170, 375], request, True),
        (False, [753], in_esp(805) + in_esp(ACK), True),
        (True, [170, 375], request, True),
        (False, [2184], in_esp(2236) + in_esp(ACK), True),
    ]


def test_a_message_in_several_packets_is_whole_when_all_of_its_records_are() -> None:
    line = Connection(41000, 8443)
    line.add(1.0, up=False, records=[2184], data=1288)
    assert [one.whole for one in seen(line).openadr[0].messages()] == [False]
    line.add(1.0, up=False, data=896)
    (message,) = seen(line).openadr[0].messages()
    assert (message.whole, message.octets) == (True, 1400 + in_esp(HEAD + 896))


def test_what_was_sent_again_counts_for_none_and_what_was_not_on_the_line_is_not_known() -> None:
    line = Connection(41000, 8443)
    line.add(1.0, up=True, records=[170])
    line.add(1.3, up=True, data=170, again=True)
    (message,) = seen(line).openadr[0].messages()
    assert message.octets == in_esp(222)
    line.add(1.4, up=True, records=[375], on_line=None)
    (message,) = seen(line).openadr[0].messages()
    assert message.octets is None


def test_connections_are_those_of_the_controller_by_its_services() -> None:
    openadr, mms, other = Connection(41000, 8443), Connection(3782, 52000), Connection(41001, 5222)
    for one in (openadr, mms, other):
        one.add(1.0, up=True, records=[170])
    strange = [{**row, "from": "10.16.1.34:1", "to": f"{DRAS}:8443"} for row in openadr.rows]
    found = seen(openadr, mms, other)
    assert (len(found.openadr), len(found.mms)) == (1, 1)
    other.rows += strange
    assert len(seen(openadr, mms, other).openadr) == 1


def test_a_gateway_that_missed_packets_saw_nothing() -> None:
    assert view({"dropped": 3, "packets": []}, SITE) == "3 packets went by unseen"


def books(**changes: Any) -> Books:
    version = {"event_id": "e", "cancelled": False, "test": True, "vens": (VEN,)}
    vtn = VtnBook(
        versions=(
            Version(modification=0, created=text(2.0), **version),
            Version(modification=1, created=text(7.0), **version),
        ),
        answers=(Taken(ven_id=VEN, event_id="e", modification=0, opt="optIn", received=text(4.1)),),
        reports=(
            Received(ven_id=VEN, created=text(-30.0), digest="a", received=text(-29.9)),
            Received(ven_id=VEN, created=text(30.0), digest="b", received=text(30.1)),
            Received(ven_id=ANOTHER, created=text(4.0), digest="c", received=text(4.1)),
        ),
    )
    answer = Answer(event_id="e", modification=0, opt="optIn", queued=text(4.05), state="done")
    own = VenBook(answers=(answer,), acts=(), reports=(), done=(), problem=None)
    trial = Trial("e", {"umeda": VEN}, "dras")
    return replace(Books(trial, vtn, {"umeda": own}, datetime.now(UTC), {}), **changes)


def polled() -> Connection:
    """A VEN that polls, is sent an event, answers it, reports, and is sent a longer cancellation."""
    line = Connection(41000, 8443)
    line.ask(1.0, (170, 375), (753,))
    line.ask(4.0, (170, 375), (2184,))
    line.ask(4.06, (168, 966), (795,))
    line.ask(7.5, (170, 375), (2250,))
    line.ask(30.05, (170, 1385), (795,))
    return line


def test_an_event_is_the_largest_before_its_answer_and_opt_what_follows_it() -> None:
    assert octets.of_events(books(), "umeda", seen(polled())) == {
        REQUEST: Sizes((in_esp(2236) + in_esp(ACK),)),
        OPT: Sizes((in_esp(220) + in_esp(1018),)),
        RESULT: Sizes((in_esp(222) + in_esp(1437),)),
    }


def test_a_connection_that_said_nothing_while_it_was_looked_changes_nothing() -> None:
    silent = Connection(41001, 8443)
    silent.add(3.0, up=True)
    found = seen(polled(), silent)
    assert [not one.messages() for one in found.openadr] == [False, True]
    assert octets.of_events(books(), "umeda", found) == octets.of_events(books(), "umeda", seen(polled()))


def test_what_did_not_cross_while_it_was_looked_is_not_known() -> None:
    none = "none was seen to cross the primary line in 70 s"
    assert set(octets.of_events(books(), "umeda", seen()).values()) == {none, octets._UNSEEN}
    late = octets.of_events(books(), "umeda", seen(polled(), began=-10.0, ended=20.0))
    assert late[RESULT] == "none was seen to cross the primary line in 30 s"
    away = octets.of_events(books(vtn="it does not answer"), "umeda", seen(polled()))
    assert set(away.values()) == {"it does not answer"}
    unanswered = replace(books().vens["umeda"], answers=())  # type: ignore[type-var]
    assert octets.of_events(books(vens={"umeda": unanswered}), "umeda", seen(polled()))[OPT] == (
        "the event was not answered"
    )


def reporting(*others: tuple[float, int]) -> Connection:
    """A site that reports each second, and something else right after some measurement.

    That is acknowledged after both were sent, and the other one a little later.
    """
    line = Connection(3782, 52000)
    for second in range(10):
        line.add(second + 0.01, up=True, records=[214])
        measured = line.rows[-1]["until"]
        more = [(at, size) for at, size in others if int(at) == second]
        for at, size in more:
            line.add(at, up=True, records=[size])
        line.add(second + 0.05, up=False, acknowledges=measured)
        for at, _ in more:
            line.add(at + 0.06, up=False)
    return line


def reported(**kinds: Sequence[tuple[float, float]]) -> Reported:
    arrivals = {
        name: tuple(
            Arrival(*(datetime.fromisoformat(text(one)) for one in moment), asked_for=True)
            for moment in times
        )
        for name, times in kinds.items()
    }
    return Reported("umeda", "", {}, arrivals)


EACH_SECOND = [(second, second + 0.02) for second in range(10)]


def test_reports_are_told_apart_by_when_they_came_and_by_their_size() -> None:
    line = seen(reporting((3.02, 886), (6.015, 226)))
    told = reported(measurement=EACH_SECOND, schedule=[(3.0, 3.03)], event=[(6.0, 6.02), (-20.0, -19.9)])
    assert octets.of_reports(told, line, (MEASUREMENT, RUNNING, ALARM)) == {
        MEASUREMENT: Sizes((in_esp(266) + in_esp(ACK),) * 10),
        RUNNING: Sizes((in_esp(938) + in_esp(ACK),)),
        ALARM: Sizes((in_esp(278) + in_esp(ACK),)),
    }


def test_the_measurement_is_the_median_of_many() -> None:
    line = seen(reporting())
    found = octets.of_reports(reported(measurement=EACH_SECOND), line, (MEASUREMENT, RUNNING))
    assert found == {
        MEASUREMENT: Sizes((in_esp(266) + in_esp(ACK),) * 10),
        RUNNING: "none was seen to cross the primary line in 70 s",
    }


def session(at: float, *requests: int, closed: bool = True) -> Connection:
    """An order's session: TLS, the association, its requests, goodbye."""
    line = Connection(3782, 50000 + int(at * 100))
    line.add(at, up=False, begins=True)
    for number, size in enumerate((517, 949, 253, *requests)):
        line.add(at + 0.01 * number, up=False, records=[size])
        line.add(at + 0.01 * number + 0.005, up=True, records=[100])
    if closed:
        line.add(at + 0.1, up=False, records=[24], ends=True)
    return line


def entry(first: float, last: float) -> Entry:
    return Entry("o", "umeda", "set", "", text(first), "done", "", text(last))


def test_an_order_is_what_its_session_has_before_it_ends() -> None:
    looks = session(0.2, 700), session(9.0, 700)
    line = seen(looks[0], session(1.0, 2402, 151), session(2.0, 152), looks[1], reporting())
    requests, rest = in_esp(HEAD + 152), 0
    found = octets.of_order(entry(2.0, 2.1), line, CONTROL)
    assert isinstance(found, Sizes)
    whole = [row["on_line"] for row in session(2.0, 152).rows]
    rest = sum(whole) - requests
    assert (found.octets, found.session) == ((requests,), rest)
    written = octets.of_order(entry(1.0, 1.1), line, SCHEDULE)
    assert isinstance(written, Sizes)
    assert written.octets == (in_esp(HEAD + 2402) + in_esp(HEAD + 151),)


@pytest.mark.parametrize("those", [(), (session(2.0, 152, closed=False),), (session(5.0, 152),)])
def test_an_order_whose_session_was_not_seen_whole_is_not_known(those: Sequence[Connection]) -> None:
    assert octets.of_order(entry(2.0, 2.1), seen(*those), CONTROL) == (
        "no whole session was seen while it was ordered, in 70 s"
    )


def kind_of(plan: Plan, site: str, what: str, control: str = DIRECT) -> Kind:
    return next(one for one in kinds(plan, control) if (one.site.name, one.message.what) == (site, what))


def judged(plan: Plan, kind: Kind, sizes: Sizes | str, views: Mapping[str, View | str] | None = None) -> Any:
    given: Callable[[Kind, View], Sizes | str] = lambda *_: sizes  # noqa: E731
    (found,) = octets.verdicts(plan, [kind], {kind.site.name: seen()} if views is None else views, given)
    return found


@pytest.mark.parametrize(("more", "result"), [(0, Result.PASS), (1, Result.FAIL)])
def test_a_message_may_take_what_the_bill_counts(plan: Plan, more: int, result: Result) -> None:
    kind = kind_of(plan, "umeda", MEASUREMENT)
    most = in_esp(422) + in_esp(ACK)
    found = judged(plan, kind, Sizes((most + more, 1, 9999)))
    assert (found.result, found.measured, found.bound, found.unit) == (result, most + more, most, "octets")


def test_the_reason_says_the_table_the_month_and_what_the_line_costs(plan: Plan) -> None:
    found = judged(plan, kind_of(plan, "sakai", MEASUREMENT), Sizes((in_esp(266) + in_esp(ACK),)))
    assert found.reason == (
        "one, on the line with what acknowledges it; 160 octets by its table; a month of 44,640 like that is "
        "19.5 of 21.6 MB that count; with it the line is 600 yen of 600, timers production"
    )


def test_of_an_order_the_reason_says_its_session_and_how_many_the_bill_covers(plan: Plan) -> None:
    kind = kind_of(plan, "umeda", CONTROL)
    found = judged(plan, kind, Sizes((300,), 9700))
    covered = kind.message.a_month * (in_esp(252) + in_esp(ACK)) // 10_000
    assert found.result is Result.PASS
    assert found.reason.endswith(
        f"; its session takes 9,700 more, so what is counted is enough for {covered:,} orders"
    )


def test_a_signature_is_counted_where_messages_have_one(plan: Plan) -> None:
    kind = kind_of(plan, "namba", OPT, INDIRECT)
    bare = octets.counted(plan, kind)
    controller = plan.device(kind.site.controller)
    assert controller.ven
    signing = replace(controller, ven=replace(controller.ven, signed=True))
    devices = tuple(signing if one.name == signing.name else one for one in plan.devices)
    signed = octets.counted(replace(plan, devices=devices), kind)
    packets = 3000 // (mtu(plan, kind.site) - HEAD) + 1
    assert packets * in_esp(ACK) + 3000 < signed - bare < packets * (60 + HEAD + in_esp(ACK)) + 3012


@pytest.mark.parametrize(
    ("sizes", "views", "reason"),
    [
        ("it was not there", None, "it was not there"),
        (Sizes((1,)), {}, "not among the sites whose lines were looked at"),
        (Sizes((1,)), {"umeda": "it does not answer"}, "it does not answer"),
    ],
)
def test_what_was_not_seen_is_unknown(
    plan: Plan, sizes: Sizes | str, views: Mapping[str, View | str] | None, reason: str
) -> None:
    found = judged(plan, kind_of(plan, "umeda", MEASUREMENT), sizes, views)
    assert (found.result, found.reason) == (Result.UNKNOWN, reason)
