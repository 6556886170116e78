"""Our client against a server that says what the test wants."""

import ssl
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from free_ports import free_port
from xmpp_fake import FakeServer, refused
from xmpp_world import DOMAIN, jid

from heiiki_agent.xmpp.client import SASL, Client, Place, RefusedError, refusals

Fake = Callable[..., FakeServer]


def test_it_logs_in_as_the_certificate_says_or_as_it_asks(fake: Fake, trusting: ssl.SSLContext) -> None:
    server = fake()
    with Client(server.place, trusting) as client:
        assert client.log_in("test") == f"{jid('umeda')}/test" == client.jid
    with Client(server.place, trusting) as client:
        client.log_in("test", jid("namba"))
    assert server.asked == ["=", "bmFtYmFAdGVzdC5pbnRlcm5hbA=="]


def test_each_kind_of_stanza_is_sent_and_its_refusal_read(fake: Fake, trusting: ssl.SSLContext) -> None:
    def rule(stanza: Element) -> str:
        kind = stanza.tag.rpartition("}")[2]
        if kind == "presence":
            return "<message from='somebody else'/>"
        return refused(stanza) if kind == "message" else f"<iq type='result' id='{stanza.get('id')}'/>"

    with Client(fake(rule).place, trusting, 0.5) as client:
        client.log_in("test")
        found = refusals(client, jid("namba"))
    assert found == {"message": "policy-violation", "presence": "no answer", "iq": "answered: result"}


@pytest.mark.parametrize(
    ("options", "stage", "cause"),
    [
        ({"offers": "<stream:features/>"}, "tls", "it offers no TLS: the server has no certificate yet"),
        ({"features": "<stream:features/>"}, "login", "it offers no mechanism"),
        (
            {
                "features": f"<stream:features><mechanisms xmlns='{SASL}'><mechanism>PLAIN</mechanism>"
                "<mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"
            },
            "login",
            "it offers PLAIN, EXTERNAL",
        ),
        (
            {"success": f"<failure xmlns='{SASL}'><text>no</text><not-authorized/></failure>"},
            "login",
            "not-authorized",
        ),
        (
            {"features": "<stream:error><host-unknown xmlns='urn:x'/></stream:error>"},
            "login",
            "host-unknown",
        ),
        ({"features": "<!-- -->"}, "login", "holds a declaration, a comment or a processing instruction"),
    ],
)
def test_a_refusal_says_how_far_it_got_and_why(
    fake: Fake, trusting: ssl.SSLContext, options: dict[str, str], stage: str, cause: str
) -> None:
    with pytest.raises(RefusedError) as error, Client(fake(**options).place, trusting) as client:
        client.log_in("test")
    assert (error.value.stage, error.value.cause) == (stage, cause)
    assert str(error.value) == f"{stage}: {cause}"


def test_a_server_that_is_not_ours_is_not_spoken_with(fake: Fake) -> None:
    with pytest.raises(RefusedError) as error:
        Client(fake().place, ssl.create_default_context())
    assert (error.value.stage, error.value.cause) == ("tls", "certificate verify failed")


def test_where_nothing_listens_it_says_where() -> None:
    port = free_port()
    place = Place(domain=DOMAIN, address="127.0.0.1", port=port)
    with pytest.raises(RefusedError, match=f"connect: 127.0.0.1:{port}: .*refused"):
        Client(place, ssl.create_default_context())
