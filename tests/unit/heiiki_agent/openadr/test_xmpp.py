"""Both programs, and a stock client of slixmpp, over a real prosody: where there is one to be had."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openleadr.messaging
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from free_ports import free_port
from openadr_loopback import Battery, event
from tls_relay import relayed
from waiting import awaited
from xmpp_openadr import Service, Stock
from xmpp_world import Authority, Prosody, jid, newest_root

from heiiki.design.sessions import BLANK_EVERY_S, HANDSHAKE, LOG_IN, POLL_BY_XMPP, REPORT_BY_XMPP
from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.envelope import envelope
from heiiki_agent.openadr.errors import Malformed
from heiiki_agent.openadr.names import OADR
from heiiki_agent.openadr.xmpp import read, written
from heiiki_agent.openadr.xmpp_stream import KEEP_ALIVE_S
from heiiki_agent.xmpp.client import error_of

VENS = ("umeda", "tenma")
_ROOT = None if shutil.which("prosody") else newest_root()
pytestmark = pytest.mark.skipif(
    shutil.which("prosody") is None and (_ROOT is None or os.geteuid() != 0),
    reason="prosody is neither on this machine nor, as root, in a root of the lab: `make demo` makes one",
)


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    folder = tmp_path_factory.mktemp("prosody")
    made = Prosody(folder / "server", Authority(folder / "authority"), VENS, _ROOT)
    made.enrol()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def service(tmp_path: Path, prosody: Prosody) -> Iterator[Service]:
    made = Service(tmp_path, prosody, VENS)
    made.vtn.start()
    yield made
    for program in made.programs:
        if program.process:
            program.end(signal.SIGKILL)


@pytest.fixture
def battery(tmp_path: Path) -> Iterator[Battery]:
    made = Battery(tmp_path / "umeda-battery.sock")
    yield made
    made.close()


def order(service: Service, name: str, *vens: str) -> None:
    status, text = service.vtn.operate("POST", "/DRAS/events", event(name, *vens))
    assert status == 200, text


def registered(service: Service) -> int:
    return int(json.loads(service.vtn.operate("GET", "/health")[1])["DRAS"]["registered"])


def message(answer: Any) -> Any:
    """Return the message in the result of an iq."""
    assert answer["type"] == "result", str(answer)
    return decode(read(answer.xml[0]))


def poll(ven: str) -> str:
    return written(encode(m.Poll(ven_id=ven)))


def registration(number: str = "r-1") -> str:
    return written(encode(m.CreatePartyRegistration(request_id=number, transport="xmpp")))


def opt(ven: str, name: str, choice: Any = "optIn") -> str:
    """Return an oadrCreatedEvent as openleadr writes it."""
    answer = {
        "response_code": 200,
        "response_description": "OK",
        "request_id": "q-1",
        "event_id": name,
        "modification_number": 0,
        "opt_type": choice,
    }
    response = {"response_code": 200, "response_description": "OK", "request_id": "q-1"}
    made = openleadr.messaging.create_message(
        "oadrCreatedEvent", response=response, event_responses=[answer], ven_id=ven
    )
    return written(made.encode())


def test_an_event_is_pushed_answered_and_done_and_the_book_says_so(
    service: Service, battery: Battery
) -> None:
    """HTTP leads nowhere: all of it goes by XMPP."""
    service.vtn.config.write_text(
        service.vtn.config.read_text().replace('"poll_every_s": 1', '"poll_every_s": 600')
    )
    service.vtn.end()
    service.vtn.start()
    ven = service.ven("umeda", http_port=free_port())
    ven.start()
    awaited("it is registered", lambda: registered(service) == 1)
    for name in ("e-1", "e-2"):
        before = time.monotonic()
        order(service, name, "umeda")
        awaited("it is answered", lambda name=name: service.vtn.show(name) == {"umeda": ("optIn", True)})  # type: ignore[misc]
        assert time.monotonic() - before < 60, "no poll brought it: the next is minutes away"
    awaited("it is done", lambda: battery.book == ["e-1/0/perform/0", "e-2/0/perform/0"])
    awaited("reports come", lambda: _reports(service) >= 1)
    assert ven.end() == 0


def _reports(service: Service) -> int:
    with closing(sqlite3.connect(service.folder / "vtn.sqlite")) as database:
        return int(database.execute("SELECT count(*) FROM report").fetchone()[0])


def test_nothing_is_lost_or_doubled_when_an_end_or_the_server_goes(
    service: Service, battery: Battery, prosody: Prosody
) -> None:
    ven = service.ven("umeda")
    ven.start()
    awaited("it is registered", lambda: registered(service) == 1)

    def kill(number: int) -> None:
        if number == 2:
            prosody.stop()
            order(service, f"e-{number}", "umeda")
            prosody.start()
            return
        killed = (service.vtn, ven)[number]
        order(service, f"e-{number}", "umeda")
        killed.end(signal.SIGKILL)
        killed.start()

    names = [f"e-{number}" for number in range(3)]
    for number, name in enumerate(names):
        kill(number)
        awaited("it is answered", lambda name=name: service.vtn.show(name) == {"umeda": ("optIn", True)})  # type: ignore[misc]
    awaited("every event is done", lambda: len(battery.book) == len(names))
    assert battery.book == [f"{name}/0/perform/0" for name in names]


def test_without_a_server_the_pull_brings_it(service: Service, battery: Battery, prosody: Prosody) -> None:
    prosody.stop()
    try:
        service.ven("umeda").start()
        awaited("it is registered", lambda: registered(service) == 1)
        order(service, "e-1", "umeda")
        awaited("it is answered", lambda: service.vtn.show("e-1") == {"umeda": ("optIn", True)})
        awaited("it is done", lambda: battery.book == ["e-1/0/perform/0"])
    finally:
        prosody.start()


def test_what_one_server_does_not_carry_the_other_does(
    tmp_path: Path, battery: Battery, prosody: Prosody
) -> None:
    """Both serve the domain by themselves; HTTP leads nowhere."""
    second = Prosody(tmp_path / "second", prosody.authority, VENS, _ROOT)
    second.enrol()
    second.start()
    service = Service(tmp_path, prosody, VENS, second)
    ven = service.ven("umeda", http_port=free_port())
    try:
        service.vtn.start()
        ven.start()
        awaited("it is registered", lambda: registered(service) == 1)
        awaited("it is logged in at both", lambda: ven.log.read_text().count("logged in as") == 2)
        prosody.stop()
        order(service, "e-1", "umeda")
        awaited("it is answered", lambda: service.vtn.show("e-1") == {"umeda": ("optIn", True)})
        awaited("it is done", lambda: battery.book == ["e-1/0/perform/0"])
    finally:
        for program in service.programs:
            if program.process:
                program.end(signal.SIGKILL)
        second.stop()
        prosody.start()


def test_new_lists_lose_nothing_and_a_revoked_certificate_is_out(
    service: Service, battery: Battery, prosody: Prosody
) -> None:
    ven = service.ven("umeda", http_port=free_port())
    ven.start()
    awaited("it is registered", lambda: registered(service) == 1)
    for number in range(3):
        prosody.publish()
        assert service.vtn.process
        service.vtn.process.send_signal(signal.SIGHUP)
        order(service, f"e-{number}", "umeda")
    for number in range(3):
        awaited(
            "it is answered",
            lambda number=number: service.vtn.show(f"e-{number}") == {"umeda": ("optIn", True)},  # type: ignore[misc]
        )
    awaited("every event is done", lambda: len(battery.book) == 3)
    gone = x509.load_pem_x509_certificate(ven.credentials.certificate.read_bytes())
    prosody.authority.revoked.append(gone)
    prosody.publish()
    prosody.reload()
    awaited("its session ends", lambda: "umeda@test.internal/ven ended" in prosody.log.read_text())
    order(service, "e-3", "umeda")
    awaited("the VTN says so", lambda: "service-unavailable" in service.vtn.log.read_text())
    awaited("the VEN says so", lambda: "certificate revoked" in ven.log.read_text())
    assert service.vtn.show("e-3") == {"umeda": ("", False)}


def test_a_stock_client_registers_is_sent_an_event_until_it_answers_and_answers_once(
    service: Service,
) -> None:
    async def spoken() -> None:
        async with service.stock("umeda") as stock:
            stock.result = written(encode(m.Response(response=_well(), ven_id="umeda")))
            answer = message(await stock.ask(registration()))
            assert isinstance(answer, m.CreatedPartyRegistration)
            assert answer.ven_id == "umeda"
            assert [one.name for one in answer.profiles[0].transports] == ["simpleHttp", "xmpp"]
            await asyncio.to_thread(order, service, "e-1", "umeda")
            await _until(lambda: len(stock.asked) >= 3)
            events = [decode(read(one)) for one in stock.asked]
            assert {one.events[0].descriptor.event_id for one in events} == {"e-1"}  # type: ignore[attr-defined]
            assert events[0].events[0].target.vens == ("umeda",)  # type: ignore[attr-defined]
            for _ in range(2):
                assert message(await stock.ask(opt("umeda", "e-1"))).response.code == "200"
            refused = message(await stock.ask(opt("umeda", "e-1", "optOut")))
            assert refused.response.code == "451"

    asyncio.run(spoken())
    assert service.vtn.show("e-1") == {"umeda": ("optIn", True)}


def test_an_answer_in_the_result_counts(service: Service) -> None:
    async def spoken() -> None:
        async with service.stock("umeda") as stock:
            stock.result = opt("umeda", "e-1")
            await stock.ask(registration())
            await asyncio.to_thread(order, service, "e-1", "umeda")
            await _until(lambda: service.vtn.show("e-1") == {"umeda": ("optIn", True)})
            assert len(stock.asked) == 1

    asyncio.run(spoken())


def test_a_ven_that_nests_without_end_ends_nothing_of_others(service: Service) -> None:
    nested = f"<{{0}} xmlns='{{1}}'>{'<a>' * 3000}{'</a>' * 3000}</{{0}}>"

    async def spoken() -> None:
        async with service.stock("umeda") as umeda, service.stock("tenma") as tenma:
            tenma.result = opt("tenma", "e-1")
            umeda.result = nested.format("oadrPayload", OADR)
            for one in (umeda, tenma):
                await one.ask(registration())
            umeda.send_raw(f"<iq type='set' id='x' to='{jid('dras')}/vtn'>{nested.format('x', 'urn:x')}</iq>")
            await asyncio.to_thread(order, service, "e-1", "umeda", "tenma")
            await _until(lambda: umeda.asked and service.vtn.show("e-1")["tenma"] == ("optIn", True))
            assert message(await umeda.ask(poll("umeda"))).events[0].descriptor.event_id == "e-1"

    asyncio.run(spoken())
    assert service.vtn.is_up()
    log = service.vtn.log.read_text()
    assert log.count("nested more deeply") >= 2
    assert log.count("logged in as") == 1, "no session has ended"


def test_the_vtn_tells_what_it_has(service: Service) -> None:
    async def spoken() -> None:
        async with service.stock("umeda") as stock:
            to = f"{jid('dras')}/vtn"
            info = await stock.plugin["xep_0030"].get_info(jid=to)
            assert "http://openadr.org/openadr2" in info["disco_info"]["features"]
            items = await stock.plugin["xep_0030"].get_items(
                jid=to, node="http://openadr.org/openadr2#services"
            )
            found = {(str(who), node) for who, node, _ in items["disco_items"]["items"]}
            services = ("EiEvent", "EiRegisterParty", "EiReport", "EiOpt", "OadrPoll")
            assert found == {(to, f"http://openadr.org/OpenADR2/{one}") for one in services}

    asyncio.run(spoken())


def test_who_speaks_is_the_jid_of_the_certificate(service: Service) -> None:
    async def spoken() -> None:
        async with service.stock("umeda") as umeda:
            assert message(await umeda.ask(registration())).ven_id == "umeda"
            for payload in (poll("tenma"), opt("tenma", "e-1", "optOut")):
                assert message(await umeda.ask(payload)).response.code == "463"
            assert message(await umeda.ask(poll("umeda"))).response.code == "200"
            other = await umeda.ask(poll("umeda"), to=f"{jid('tenma')}/ven")
            assert error_of(other.xml) == "policy-violation"

    asyncio.run(spoken())


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("<oadrPayload xmlns='http://openadr.org/oadr-2.0b/2012/07'/>", "454"),
        (poll("umeda").replace("venID", "venid"), "454"),
        (poll("umeda").replace("oadrPoll", "oadrPull"), "453"),
        (poll("x" * 40_000), "463"),
    ],
)
def test_what_is_no_message_is_answered_with_its_code(service: Service, payload: str, code: str) -> None:
    async def spoken() -> None:
        async with service.stock("umeda") as stock:
            assert message(await stock.ask(payload)).response.code == code
            assert message(await stock.ask(registration())).ven_id == "umeda", "the session goes on"

    asyncio.run(spoken())


def test_what_is_no_payload_is_no_request(service: Service) -> None:
    async def spoken() -> None:
        async with service.stock("umeda") as stock:
            for payload, kind in (
                ("<x xmlns='urn:x'/>", "set"),
                (poll("umeda") * 2, "set"),
                (poll("umeda"), "get"),
            ):
                answer = await stock.ask(payload, kind=kind)
                assert error_of(answer.xml) in {"bad-request", "feature-not-implemented"}
            assert message(await stock.ask(registration())).ven_id == "umeda"

    asyncio.run(spoken())


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>",
        f"<iq type='set' id='big' to='{jid('dras')}/vtn'>{poll('x' * 70_000)}</iq>",
        "<iq type='set'><oadrPayload></iq>",
    ],
)
def test_the_server_ends_the_session_of_who_sends_what_no_stream_holds(service: Service, text: str) -> None:
    async def spoken() -> None:
        async with service.stock("umeda") as stock:
            ended = asyncio.ensure_future(stock.wait_until("disconnected", 20))
            stock.send_raw(text)
            await ended
        async with service.stock("tenma") as other:
            assert message(await other.ask(registration())).ven_id == "tenma", "others are served"

    asyncio.run(spoken())


def test_a_ven_takes_events_of_its_vtn_and_nothing_else(service: Service, battery: Battery) -> None:
    """A client that has the JID of DRAS speaks with our VEN: what is wrong is answered by its code."""
    ven = service.ven("umeda")
    ven.start()
    awaited("it is registered", lambda: registered(service) == 1)
    service.vtn.end()

    async def spoken() -> None:
        async with service.stock("dras", "vtn") as stock:
            to = f"{jid('umeda')}/ven"
            await _until(lambda: _is_there(stock, to))
            wrong = m.DistributeEvent(request_id="q-1", vtn_id="OTHER")
            assert message(await stock.ask(written(encode(wrong)), to)).response.code == "452"
            for payload in (poll("umeda"), "<oadrPayload xmlns='http://openadr.org/oadr-2.0b/2012/07'/>"):
                assert message(await stock.ask(payload, to)).response.code in {"453", "454"}
            good = m.DistributeEvent(request_id="q-2", vtn_id="DRAS")
            answer = message(await stock.ask(written(encode(good)), to)).response
            assert (answer.code, answer.request_id) == ("200", "q-2")

    asyncio.run(spoken())
    assert battery.book == []


async def _is_there(stock: Stock, to: str) -> bool:
    return (await stock.ask(poll("umeda"), to))["type"] == "result"


async def _until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)


def _well() -> Any:
    return m.EiResponse(code="200", description="OK", request_id="")


def test_no_signature_outlives_the_server(service: Service) -> None:
    """Why security level high has no XMPP: what arrives means the same, and is written otherwise."""
    service.vtn.end()
    own = service.issuer.issue("umeda.example")
    certificate = x509.load_pem_x509_certificate(own.certificate.read_bytes()).public_bytes(Encoding.DER)
    signer = envelope("high")
    signer.renew(own)
    verifiers = envelope("high"), envelope("high")
    sealed = signer.sealed(encode(m.Poll(ven_id="umeda")))
    assert decode(verifiers[0].opened(sealed, certificate)) == m.Poll(ven_id="umeda")

    async def spoken() -> bytes:
        async with service.stock("dras", "vtn") as dras, service.stock("umeda") as umeda:
            assert (await umeda.ask(written(sealed)))["type"] == "result"
            return dras.raw[dras.raw.index(b"<oadrPayload") :].partition(b"</iq>")[0]

    arrived = asyncio.run(spoken())
    assert decode(arrived) == m.Poll(ven_id="umeda")
    with pytest.raises(Malformed, match="is not valid"):
        verifiers[1].opened(arrived, certificate)


def test_a_stream_says_no_more_than_is_counted(service: Service, battery: Battery) -> None:
    """R-COST: records of log-in, polls and reports, each with what answers it."""
    with relayed(service.server.port) as relay:
        ven = service.ven("umeda", free_port(), relay.port)
        config = json.loads(ven.config.read_text())
        config["offers"].append({**config["offers"][0], "r_id": "stored"})
        ven.config.write_text(json.dumps(config))
        ven.start()
        awaited("two reports were measured", lambda: battery.measured >= 6)
        ven.end()
    up, down = relay.passed[0].up, relay.passed[0].down
    polls, reports = (sorted(up.encrypted[-4:])[at : at + 2] for at in (0, 2))
    for sent, bound in ((polls, POLL_BY_XMPP), (reports, REPORT_BY_XMPP)):
        assert 0.7 * bound.records[0] < max(sent) <= bound.records[0], up.encrypted
        assert 0.7 * bound.records[1] < max(down.encrypted[-4:]) <= bound.records[1], down.encrypted
    # After the client's three records of the handshake and the server's five, and two tickets: streams,
    # mechanism and resource, two records of each end for a stream.
    log_in = up.plain + down.plain + sum(up.encrypted[3:7]) + sum(down.encrypted[7:11])
    wanted = sum(LOG_IN.records) - sum(HANDSHAKE.records)
    assert 0.7 * wanted < log_in <= wanted


def test_blanks_are_counted_as_often_as_they_are_sent() -> None:
    assert KEEP_ALIVE_S == BLANK_EVERY_S
