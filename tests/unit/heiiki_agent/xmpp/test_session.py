"""A session that lasts, at a server that says what the test wants."""

import asyncio
import shutil
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree.ElementTree import Element

import pytest
from xmpp_fake import FakeServer
from xmpp_world import DOMAIN, Authority, identity, jid, server_identity

from heiiki_agent.openadr.session import LARGEST, Login, RefusalError, Served, Session, UnansweredError
from heiiki_agent.tls import Credentials
from heiiki_agent.xmpp.client import CLIENT, STREAMS, TIMED_OUT, Place
from heiiki_agent.xmpp.stream import LIMIT

Start = Callable[..., FakeServer]
DRAS = f"{jid('dras')}/vtn"


@pytest.fixture
def credentials(authority: Authority, tmp_path: Path) -> Credentials:
    made = authority.issue(identity("umeda"))
    trust, lists = tmp_path / "trust.pem", tmp_path / "crl.pem"
    trust.write_text(authority.trust)
    lists.write_text("".join(authority.lists()))
    return Credentials(certificate=made.file, key=made.key, trust=trust, crls=lists)


def session(
    server: FakeServer | SimpleNamespace, credentials: Credentials, asked: list[Element] | None = None
) -> Session:
    async def answer(_sender: str, payload: Element) -> str:
        if asked is None:
            raise RefusalError("auth", "forbidden")
        asked.append(payload)
        return "<answer xmlns='urn:test'/>"

    login = Login(place=server.place, jid=jid("umeda"), resource="ven", credentials=credentials)
    return Session(login, Served(tag="{urn:test}ask", answer=answer, begun=lambda: None))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)


def reason(server: FakeServer | SimpleNamespace, credentials: Credentials) -> str:
    """Return why there is no session."""

    async def kept() -> str:
        made = session(server, credentials)
        running = asyncio.create_task(made.run())
        await until(lambda: made.problem and made.problem != "has not logged in yet")
        found = str(made.problem)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return found

    return asyncio.run(kept())


def spoken(
    server: FakeServer,
    credentials: Credentials,
    work: Callable[[Session], object],
    asked: list[Element] | None = None,
) -> None:
    """Do `work` in a session."""

    async def kept() -> None:
        made = session(server, credentials, asked)
        running = asyncio.create_task(made.run())
        await until(lambda: made.is_up)
        try:
            await work(made)  # type: ignore[misc]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(kept())


def result(stanza: Element, content: str = "<answer xmlns='urn:test'/>", sender: str = DRAS) -> str:
    return f"<iq type='result' id='{stanza.get('id')}' from='{sender}'>{content}</iq>"


def test_a_request_has_its_answer(fake: Start, credentials: Credentials) -> None:
    async def work(made: Session) -> None:
        assert (await made.ask(DRAS, "<ask xmlns='urn:test'/>", 10)).tag == "{urn:test}answer"

    spoken(fake(result), credentials, work)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda one: result(one, sender=f"{jid('namba')}/vtn"), TIMED_OUT),
        (lambda one: result(one).replace("id='", "id='x"), TIMED_OUT),
        (lambda one: result(one, ""), "an answer without a payload"),
        (
            lambda one: (
                f"<iq type='error' id='{one.get('id')}' from='{DRAS}'><error type='cancel'>"
                "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            ),
            "service-unavailable",
        ),
    ],
)
def test_what_is_no_answer_to_a_request_is_none(
    fake: Start, credentials: Credentials, rule: Callable[[Element], str], said: str
) -> None:
    async def work(made: Session) -> None:
        with pytest.raises(UnansweredError, match=said):
            await made.ask(DRAS, "<ask xmlns='urn:test'/>", 1)

    spoken(fake(rule), credentials, work)


def test_what_no_stanza_holds_is_not_sent(fake: Start, credentials: Credentials) -> None:
    async def work(made: Session) -> None:
        with pytest.raises(UnansweredError, match="octets"):
            await made.ask(DRAS, f"<ask xmlns='urn:test'>{'x' * LARGEST}</ask>", 1)

    spoken(fake(result), credentials, work)


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><message/>",
        "<!-- a comment --><message/>",
        f"<message><body>{'x' * (LIMIT + 1)}</body></message>",
        "<message></iq>",
    ],
)
def test_what_no_stream_holds_ends_the_session_and_it_begins_again(
    fake: Start, credentials: Credentials, text: str
) -> None:
    texts = [text]
    server = fake(lambda one: texts.pop() if texts else result(one))

    async def work(made: Session) -> None:
        with pytest.raises(UnansweredError):
            await made.ask(DRAS, "<ask xmlns='urn:test'/>", 10)
        await until(lambda: made.is_up)
        assert (await made.ask(DRAS, "<ask xmlns='urn:test'/>", 10)).tag == "{urn:test}answer"

    spoken(server, credentials, work)
    assert len(server.asked) == 2, "it has logged in twice"


def test_what_is_nested_too_deeply_is_dropped_and_ends_nothing(fake: Start, credentials: Credentials) -> None:
    deep = f"<answer xmlns='urn:test'>{'<a>' * 3000}{'</a>' * 3000}</answer>"
    rules = [
        lambda one: result(one, deep),
        lambda _: f"<iq type='set' id='x' from='{DRAS}'>{deep}</iq>",
    ]
    server = fake(lambda one: rules.pop()(one) if rules else result(one))

    async def work(made: Session) -> None:
        for _ in range(2):
            with pytest.raises(UnansweredError, match=TIMED_OUT):
                await made.ask(DRAS, "<ask xmlns='urn:test'/>", 1)
        assert (await made.ask(DRAS, "<ask xmlns='urn:test'/>", 10)).tag == "{urn:test}answer"

    spoken(server, credentials, work)
    assert len(server.asked) == 1, "it has logged in once"


def test_a_declaration_in_utf_16_is_refused_before_tls(credentials: Credentials) -> None:
    header = f"<stream:stream xmlns:stream='{STREAMS}' xmlns='{CLIENT}' version='1.0'>"
    text = f"\ufeff<!DOCTYPE x [<!ENTITY a 'aaaa'>]>{header}".encode("utf-16-le")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak() -> None:
            client, _ = listening.accept()
            with client:
                client.sendall(text)
                while client.recv(4096):
                    pass

        speaking = threading.Thread(target=speak)
        speaking.start()
        place = Place(domain=DOMAIN, address="127.0.0.1", port=listening.getsockname()[1])
        assert "sent a declaration" in reason(SimpleNamespace(place=place), credentials)
        speaking.join()


def test_a_server_of_another_name_is_refused(
    fake: Start, authority: Authority, credentials: Credentials
) -> None:
    other = FakeServer(authority.issue(replace(server_identity(), dns=("xmpp.test.internal",))))
    try:
        assert "not valid for 'test.internal'" in reason(other, credentials)
    finally:
        other.stop()


def test_a_revoked_server_is_refused(authority: Authority, credentials: Credentials, tmp_path: Path) -> None:
    own = authority.issue(server_identity())
    server = FakeServer(own)
    lists = tmp_path / "revoked.pem"
    authority.revoked.append(own.certificate)
    try:
        lists.write_text("".join(authority.lists()))
        assert "revoked" in reason(server, replace(credentials, crls=lists))
    finally:
        authority.revoked.remove(own.certificate)
        server.stop()


def test_a_server_without_tls_gets_no_session(fake: Start, credentials: Credentials) -> None:
    assert reason(fake(plain=True), credentials).endswith("it logs in without TLS")


def test_new_credentials_are_taken_by_the_next_session(
    fake: Start, authority: Authority, credentials: Credentials
) -> None:
    server = fake(result)
    newer = authority.issue(identity("umeda"))

    async def work(made: Session) -> None:
        shutil.copy(newer.file, credentials.certificate)
        shutil.copy(newer.key, credentials.key)
        made.renew()
        await until(lambda: not made.is_up)
        await until(lambda: made.is_up)
        assert (await made.ask(DRAS, "<ask xmlns='urn:test'/>", 10)).tag == "{urn:test}answer"

    spoken(server, credentials, work)
    assert len(server.asked) == 2
