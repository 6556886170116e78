"""The VTN: each version of an event until it is acknowledged, and nothing twice."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from openadr_world import NOW, Clock, RunningVtn, identity, order

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import LIMIT, decode, encode
from heiiki_agent.openadr.parts import EiResponse, EventResponse, OptType, QualifiedEventId
from heiiki_agent.openadr.reports import (
    PayloadFloat,
    Report,
    ReportDescription,
    ReportInterval,
    ReportPayload,
)
from heiiki_agent.openadr.vtn import engine
from heiiki_agent.openadr.vtn.engine import Request
from heiiki_agent.openadr.vtn.operator import EventState, OrderError, VenState, parse


@pytest.fixture
def vtn(tmp_path: Path) -> Iterator[RunningVtn]:
    running = RunningVtn(tmp_path / "vtn.sqlite", identity("umeda", "tenma"), Clock())
    running.register("umeda")
    yield running
    running.stop()


def created(event_id: str, modification: int, opt: OptType = "optIn", ven: str = "umeda") -> m.CreatedEvent:
    about = QualifiedEventId(event_id=event_id, modification=modification)
    response = EventResponse(request_id="d-1", event=about, opt=opt)
    return m.CreatedEvent(response=EiResponse(), events=(response,), ven_id=ven)


def polled(vtn: RunningVtn, ven: str = "umeda") -> list[tuple[str, int, str]]:
    """Return the events that a poll brings: name, version, state; nothing for oadrResponse."""
    answer = vtn.ask(ven, m.Poll(ven_id=ven))
    if isinstance(answer, m.Response):
        assert answer.response.code == "200"
        return []
    assert isinstance(answer, m.DistributeEvent)
    descriptors = [one.descriptor for one in answer.events]
    return [(one.event_id, one.modification, one.status) for one in descriptors]


def book(vtn: RunningVtn, event_id: str = "e-1") -> list[tuple[str, str, bool]]:
    return [(one.ven_id, one.opt, one.acknowledged) for one in vtn.operator.show(event_id).vens]


def test_a_ven_reads_of_no_other(vtn: RunningVtn) -> None:
    vtn.operator.order(order(vens=("umeda", "tenma")))
    reply = vtn.reply("umeda", m.Poll(ven_id="umeda"))
    assert b"tenma" not in reply.body
    answer = decode(reply.body)
    assert isinstance(answer, m.DistributeEvent)
    assert answer.events[0].target.vens == ("umeda",)


def test_an_event_comes_in_every_poll_until_it_is_acknowledged(vtn: RunningVtn) -> None:
    assert polled(vtn) == []
    vtn.operator.order(order())
    assert [polled(vtn) for _ in range(3)] == [[("e-1", 0, "far")]] * 3
    assert book(vtn) == [("umeda", "", False)]
    assert vtn.ask("umeda", created("e-1", 0)).response.code == "200"
    assert polled(vtn) == []
    assert book(vtn) == [("umeda", "optIn", True)]


def test_all_live_events_come_while_one_is_not_acknowledged(vtn: RunningVtn) -> None:
    vtn.operator.order(order("e-1"))
    vtn.ask("umeda", created("e-1", 0))
    vtn.operator.order(order("e-2", priority=1))
    assert polled(vtn) == [("e-2", 0, "far"), ("e-1", 0, "far")]


def test_a_request_for_events_gets_all_live_ones(vtn: RunningVtn) -> None:
    vtn.operator.order(order())
    vtn.ask("umeda", created("e-1", 0))
    answer = vtn.ask("umeda", m.RequestEvent(request_id="q-1", ven_id="umeda", limit=0))
    assert answer.response.request_id == "q-1"
    assert [one.descriptor.event_id for one in answer.events] == ["e-1"]


def test_a_new_version_and_a_cancellation_must_be_acknowledged_too(vtn: RunningVtn) -> None:
    vtn.operator.order(order())
    vtn.ask("umeda", created("e-1", 0))
    assert vtn.operator.modify(order(duration="PT2H")) == 1
    assert polled(vtn) == [("e-1", 1, "far")]
    assert vtn.ask("umeda", created("e-1", 0)).response.code == "200"
    assert polled(vtn) == [("e-1", 1, "far")]
    vtn.ask("umeda", created("e-1", 1))
    assert polled(vtn) == []
    vtn.operator.cancel("e-1")
    assert polled(vtn) == [("e-1", 2, "cancelled")]
    vtn.ask("umeda", created("e-1", 2))
    assert polled(vtn) == []
    answer = vtn.ask("umeda", m.RequestEvent(request_id="q-1", ven_id="umeda"))
    assert answer.events == ()


def test_orders_that_come_twice_count_once(vtn: RunningVtn) -> None:
    for _ in range(2):
        vtn.operator.order(order())
    assert [vtn.operator.modify(order(duration="PT2H")) for _ in range(2)] == [1, 1]
    for _ in range(2):
        vtn.operator.cancel("e-1")
    assert vtn.operator.events() == (
        EventState(
            event_id="e-1",
            modification=2,
            status="cancelled",
            vens=(VenState(ven_id="umeda", opt="", acknowledged=False, code=""),),
        ),
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda vtn: vtn.operator.order(order(duration="PT3H")),
            "event e-1 is there already; modify it, or give another name",
        ),
        (
            lambda vtn: vtn.operator.order(order("e-2", ("namba",))),
            "vens: namba: not known to this VTN; see its configuration",
        ),
        (
            lambda vtn: vtn.operator.order(order(vens=("umeda", "tenma"))),
            "event e-1 is there already; modify it, or give another name",
        ),
        (lambda vtn: vtn.operator.modify(order("e-2")), "event e-2 is not known; list the events"),
        (
            lambda vtn: vtn.operator.modify(order(vens=("umeda", "tenma"))),
            "event e-1: the VENs cannot be changed; order another",
        ),
        (lambda vtn: vtn.operator.cancel("e-2"), "event e-2 is not known; list the events"),
        (
            lambda vtn: vtn.operator.order(order("e-2", market_context="a b")),
            "event e-2: `a b` is not one of the values that the schema has",
        ),
    ],
)
def test_an_order_that_cannot_be_taken_changes_nothing(
    vtn: RunningVtn, change: Callable[[RunningVtn], None], problem: str
) -> None:
    vtn.operator.order(order())
    before = vtn.operator.events()
    with pytest.raises(OrderError) as error:
        change(vtn)
    assert str(error.value) == problem
    assert vtn.operator.events() == before


def test_an_order_is_read_from_json() -> None:
    text = (
        '{"event_id": "e-1", "vens": ["umeda"], "start": "2026-04-01T10:00:00Z", "duration": "PT60M", '
        '"signals": [{"name": "LOAD_DISPATCH", "kind": "setpoint", '
        '"steps": [{"duration": "PT1H", "value": -5}]}]}'
    )
    assert parse(text, "order") == order()


@pytest.mark.parametrize(("after", "state"), [(30, "far"), (50, "near"), (60, "active"), (119, "active")])
def test_the_state_of_an_event_follows_the_clock(vtn: RunningVtn, after: int, state: str) -> None:
    vtn.operator.order(order(ramp_up="PT15M"))
    vtn.clock.now = NOW + timedelta(minutes=after)
    assert polled(vtn) == [("e-1", 0, state)]


def test_an_event_that_is_over_is_not_sent_but_its_answer_counts(vtn: RunningVtn) -> None:
    vtn.operator.order(order())
    vtn.clock.now = NOW + timedelta(hours=2)
    assert polled(vtn) == []
    assert vtn.ask("umeda", created("e-1", 0)).response.code == "200"
    assert vtn.operator.show("e-1").status == "completed"
    assert book(vtn) == [("umeda", "optIn", True)]


def test_the_first_answer_counts_and_another_needs_an_opt(vtn: RunningVtn) -> None:
    vtn.operator.order(order())
    assert vtn.ask("umeda", created("e-1", 0)).response.code == "200"
    assert vtn.ask("umeda", created("e-1", 0)).response.code == "200"
    refused = vtn.ask("umeda", created("e-1", 0, "optOut")).response
    assert (refused.code, refused.description) == (
        "451",
        "event e-1 version 0 has another answer; send an oadrCreateOpt to change it",
    )
    assert book(vtn) == [("umeda", "optIn", True)]
    opt = m.CreateOpt(
        opt_id="o-1",
        opt="optOut",
        reason="overrideStatus",
        ven_id="umeda",
        created=NOW,
        request_id="q-1",
        event=QualifiedEventId(event_id="e-1", modification=0),
    )
    first, again = vtn.reply("umeda", opt), vtn.reply("umeda", opt)
    assert first == again
    assert book(vtn) == [("umeda", "optOut", True)]
    assert (
        vtn.ask("umeda", m.CancelOpt(request_id="q-2", opt_id="o-1", ven_id="umeda")).response.code == "200"
    )
    assert book(vtn) == [("umeda", "optIn", True)]


def test_one_wrong_answer_does_not_take_the_others_with_it(vtn: RunningVtn) -> None:
    vtn.operator.order(order())
    both = m.CreatedEvent(
        response=EiResponse(), events=created("e-9", 0).events + created("e-1", 0).events, ven_id="umeda"
    )
    refused = vtn.ask("umeda", both).response
    assert (refused.code, refused.description) == ("452", "event e-9 version 0 is not known")
    # Refused as a whole, so that what the answer says and what is kept are the same.
    assert book(vtn) == [("umeda", "", False)]


def test_who_speaks_is_who_the_certificate_says(vtn: RunningVtn) -> None:
    vtn.register("tenma")
    vtn.operator.order(order(vens=("umeda", "tenma")))
    forged = vtn.ask("tenma", created("e-1", 0, "optOut", ven="umeda")).response
    assert (forged.code, forged.description) == (
        "463",
        "the certificate for tenma.example does not speak for that venID",
    )
    unknown = vtn.ask("namba", m.Poll(ven_id="umeda")).response
    assert (unknown.code, unknown.description) == (
        "463",
        "no VEN of this VTN has a certificate for namba.example",
    )
    assert book(vtn) == [("tenma", "", False), ("umeda", "", False)]


def test_the_event_of_another_cannot_be_answered(vtn: RunningVtn) -> None:
    vtn.register("tenma")
    vtn.operator.order(order())
    assert polled(vtn, "tenma") == []
    assert vtn.ask("tenma", created("e-1", 0, ven="tenma")).response.code == "452"


def test_two_vtns_share_nothing(vtn: RunningVtn, tmp_path: Path) -> None:
    other = RunningVtn(tmp_path / "other.sqlite", identity("umeda", vtn_id="OTHER"), Clock())
    vtn.operator.order(order())
    assert isinstance(other.ask("umeda", m.Poll(ven_id="umeda")), m.RequestReregistration)
    other.register("umeda")
    assert polled(other) == []
    assert other.operator.events() == ()
    other.stop()


def test_a_ven_that_is_not_registered_is_asked_to(vtn: RunningVtn) -> None:
    assert vtn.ask("tenma", m.Poll(ven_id="tenma")) == m.RequestReregistration(ven_id="tenma")


def test_registration_is_kept_and_repeated_and_ended(vtn: RunningVtn) -> None:
    first = vtn.ask("umeda", m.CreatePartyRegistration(request_id="r-1", pull=True))
    assert (first.ven_id, first.vtn_id, first.response.request_id) == ("umeda", "DRAS", "r-1")
    again = vtn.ask(
        "umeda", m.CreatePartyRegistration(request_id="r-2", registration_id=first.registration_id, pull=True)
    )
    assert again.registration_id == first.registration_id
    end = m.CancelPartyRegistration(request_id="r-3", registration_id=first.registration_id, ven_id="umeda")
    assert vtn.reply("umeda", end) == vtn.reply("umeda", end)
    assert isinstance(vtn.ask("umeda", m.Poll(ven_id="umeda")), m.RequestReregistration)
    query = vtn.ask("umeda", m.QueryRegistration(request_id="r-4"))
    assert (query.registration_id, query.profiles[0].name) == (None, "2.0b")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (m.CreatePartyRegistration(request_id="x", profile="2.0a", pull=True), "451"),
        (m.CreatePartyRegistration(request_id="x", transport="xmpp", pull=True), "451"),
        (m.CreatePartyRegistration(request_id="x", pull=False), "451"),
        (m.CreatePartyRegistration(request_id="x", registration_id="other", pull=True), "452"),
        (m.CancelPartyRegistration(request_id="x", registration_id="other"), "452"),
        (m.CancelOpt(request_id="x", opt_id="o-9", ven_id="umeda"), "452"),
        (m.CreatePartyRegistration(request_id="r-0", ven_name="another", pull=True), "452"),
    ],
)
def test_what_is_refused_is_told_by_the_answer_of_its_kind(
    vtn: RunningVtn, message: m.Message, code: str
) -> None:
    answer = vtn.ask("umeda", message)
    assert (answer.response.code, answer.response.request_id) == (code, getattr(message, "request_id", ""))
    assert (
        answer.NAME.lower() == message.NAME.replace("Create", "Created").replace("Cancel", "Canceled").lower()
    )


def test_a_message_at_the_wrong_service_is_refused(vtn: RunningVtn) -> None:
    refused = vtn.ask("umeda", m.Poll(ven_id="umeda"), service="EiOpt").response
    assert (refused.code, refused.description) == ("459", "oadrPoll is not for service EiOpt")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b" " * (LIMIT + 1), HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "454"),
        (b"<!DOCTYPE a []><a/>", HTTPStatus.BAD_REQUEST, "454"),
        (encode(m.Poll(ven_id="umeda")).replace(b"oadrPoll", b"oadrPull"), HTTPStatus.OK, "453"),
        (encode(m.Poll(ven_id="umeda")).replace(b"ei:venID", b"ei:vtnID"), HTTPStatus.OK, "454"),
    ],
    ids=["large", "doctype", "unknown", "schema"],
)
def test_what_cannot_be_read_gets_the_protocols_own_error(
    vtn: RunningVtn, body: bytes, status: HTTPStatus, code: str
) -> None:
    (reply,) = vtn.engine.answer([Request("umeda.example", "OadrPoll", body)])
    answer = decode(reply.body)
    assert isinstance(answer, m.Response)
    assert (reply.status, answer.response.code) == (status, code)


def report(request_id: str, value: float = 1.0) -> Report:
    payload = ReportPayload(r_id="power", value=PayloadFloat(value=value))
    return Report(
        intervals=(ReportInterval(start=NOW, payloads=(payload,)),),
        request_id=request_id,
        specifier_id="s-1",
        name="TELEMETRY_USAGE",
        created=NOW,
    )


def offered(vtn: RunningVtn, request_id: str) -> str:
    description = ReportDescription(r_id="power", kind="usage", reading="Direct Read")
    metadata = Report(
        descriptions=(description,),
        request_id="0",
        specifier_id="s-1",
        name="METADATA_TELEMETRY_USAGE",
        created=NOW,
    )
    answer = vtn.ask("umeda", m.RegisterReport(request_id=request_id, reports=(metadata,), ven_id="umeda"))
    (request,) = answer.requests
    assert (request.specifier_id, [one.r_id for one in request.payloads]) == ("s-1", ["power"])
    return str(request.request_id)


def reports(vtn: RunningVtn) -> list[str]:
    return [row["report_request_id"] for row in vtn.context.database.rows("SELECT * FROM report")]


def test_what_is_offered_is_asked_for_and_each_report_is_kept_once(vtn: RunningVtn) -> None:
    wanted = offered(vtn, "q-1")
    assert offered(vtn, "q-2") == wanted
    update = m.UpdateReport(request_id="u-1", reports=(report(wanted),), ven_id="umeda")
    assert vtn.reply("umeda", update) == vtn.reply("umeda", update)
    # The same report under another requestID, as a VEN sends it that forgot which one it had given.
    vtn.ask("umeda", m.UpdateReport(request_id="u-2", reports=(report(wanted),), ven_id="umeda"))
    assert reports(vtn) == [wanted]
    vtn.ask("umeda", m.UpdateReport(request_id="u-3", reports=(report(wanted, 2.0),), ven_id="umeda"))
    assert reports(vtn) == [wanted, wanted]


def test_a_requestid_that_is_used_for_something_else_is_refused(vtn: RunningVtn) -> None:
    wanted = offered(vtn, "q-1")
    vtn.ask("umeda", m.UpdateReport(request_id="u-1", reports=(report(wanted),), ven_id="umeda"))
    refused = vtn.ask(
        "umeda", m.UpdateReport(request_id="u-1", reports=(report(wanted, 2.0),), ven_id="umeda")
    )
    assert (refused.response.code, refused.response.description) == (
        "452",
        "requestID u-1 was used for another oadrUpdateReport",
    )
    assert reports(vtn) == [wanted]


def test_reports_of_which_one_was_not_asked_for_are_refused_whole(vtn: RunningVtn) -> None:
    wanted = offered(vtn, "q-1")
    update = m.UpdateReport(request_id="u-1", reports=(report(wanted), report("other")), ven_id="umeda")
    assert vtn.ask("umeda", update).response.code == "452"
    assert reports(vtn) == []


def test_state_outlives_the_process(vtn: RunningVtn) -> None:
    vtn.operator.order(order())
    vtn.operator.order(order("e-2"))
    vtn.ask("umeda", created("e-1", 0))
    vtn.stop()
    vtn.start()
    assert polled(vtn) == [("e-1", 0, "far"), ("e-2", 0, "far")]
    assert book(vtn) == [("umeda", "optIn", True)]


def test_one_message_that_fails_here_takes_no_other_with_it(
    vtn: RunningVtn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> m.Message:
        raise ZeroDivisionError

    vtn.operator.order(order())
    monkeypatch.setattr(engine, "HANDLERS", {**engine.HANDLERS, m.Poll: fail})
    requests = [
        Request("umeda.example", "OadrPoll", encode(m.Poll(ven_id="umeda"))),
        Request("umeda.example", "EiEvent", encode(created("e-1", 0))),
    ]
    with caplog.at_level(logging.ERROR):
        failed, done = vtn.engine.answer(requests)
    assert (failed.status, done.status) == (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.OK)
    assert [record.message for record in caplog.records] == ["umeda.example: oadrPoll failed"]
    assert book(vtn) == [("umeda", "optIn", True)]


def test_what_is_old_is_forgotten(vtn: RunningVtn) -> None:
    wanted = offered(vtn, "q-1")
    vtn.ask("umeda", m.UpdateReport(request_id="u-1", reports=(report(wanted),), ven_id="umeda"))
    assert vtn.operator.forget(timedelta(days=30)) == 0
    vtn.clock.now = NOW + timedelta(days=8)
    # Three answers; a report that comes again all the same is still the one that is kept.
    assert vtn.operator.forget(timedelta(days=30)) == 3
    vtn.ask("umeda", m.UpdateReport(request_id="u-1", reports=(report(wanted),), ven_id="umeda"))
    assert reports(vtn) == [wanted]
    vtn.clock.now = NOW + timedelta(days=31)
    assert vtn.operator.forget(timedelta(days=30)) == 2
    assert reports(vtn) == []
