"""The configuration that the XMPP server is sent, in a real prosody: where the machine has one."""

import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import awaited
from xmpp_world import DOMAIN, Authority, Issued, Prosody, identity, jid

from heiiki_agent.xmpp.client import KINDS, Client, RefusedError, refusals

pytestmark = pytest.mark.skipif(
    shutil.which("prosody") is None, reason="this machine has no prosody: the lab's tests have one"
)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def prosody(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    made = Prosody(tmp_path_factory.mktemp("prosody") / "server", authority)
    made.enrol()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Callable[[str], Issued]:
    known: dict[str, Issued] = {}
    return lambda name: known.setdefault(name, authority.issue(identity(name)))


Issue = Callable[[str], Issued]


def refused(attempt: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(RefusedError) as error:
        attempt()
    return error.value.stage, error.value.cause


@pytest.mark.parametrize("newest", VERSIONS)
def test_only_a_good_certificate_gets_in_and_only_as_itself(
    prosody: Prosody, authority: Authority, issued: Issue, newest: ssl.TLSVersion, tmp_path: Path
) -> None:
    def stage(who: Issued | None) -> str:
        return refused(lambda: prosody.logged_in(who, newest=newest))[0]

    gone = authority.issue(identity("umeda"))
    authority.revoked.append(gone.certificate)
    prosody.publish()
    prosody.reload()
    awaited("the list is read", lambda: "Certificates reloaded" in prosody.log.read_text())
    foreign = Authority(tmp_path, "foreign").issue(identity("umeda"))
    assert [stage(one) for one in (None, gone, foreign)] == ["tls"] * 3
    assert stage(authority.issue(identity("umeda"), days=-1)) == "tls"
    assert stage(issued("sakai")) == "login", "its certificate is good, and it is no device in service"
    with prosody.client(issued("umeda"), newest=newest) as client:
        assert refused(lambda: client.log_in("x", jid("dras"))) == ("login", "not-authorized")
    with prosody.client(issued("umeda"), newest=newest) as client:
        assert client.log_in("x", jid("umeda")) == f"{jid('umeda')}/x"


def test_a_device_reaches_dras_and_nobody_else(prosody: Prosody, issued: Issue) -> None:
    with (
        prosody.logged_in(issued("dras")) as dras,
        prosody.logged_in(issued("umeda")) as umeda,
        prosody.logged_in(issued("namba")) as namba,
    ):
        everybody = (namba.jid, jid("namba"), DOMAIN, "somebody@example.org", jid("xmpp"))
        for to in everybody:
            assert refusals(umeda, to) == dict.fromkeys(KINDS, "policy-violation")
        for one, other in ((umeda, dras), (dras, umeda)):
            one.wait_s = 0.3
            assert set(refusals(one, other.jid).values()) == {"no answer"}
            came = [other.read() for _ in KINDS]
            assert [(stanza.tag.rpartition("}")[2], stanza.get("from")) for stanza in came] == [
                (kind, one.jid) for kind in KINDS
            ]
        namba.wait_s = 0.5
        with pytest.raises(RefusedError, match="session: timed out"):
            namba.read()


def test_presence_for_nobody_in_particular_is_taken_and_a_subscription_is_not(
    prosody: Prosody, issued: Issue
) -> None:
    with prosody.logged_in(issued("umeda")) as umeda:
        umeda.send(f"<presence/><presence id='1' type='subscribe' to='{jid('dras')}'/>")
        answer = umeda.read(lambda one: one.get("id") == "1")
        assert answer.get("type") == "error"
        assert umeda.ask("get", "", "<query xmlns='jabber:iq:roster'/>").get("type") == "error"


def test_a_revoked_device_loses_its_session_and_the_others_keep_theirs(
    prosody: Prosody, authority: Authority, issued: Issue
) -> None:
    stolen = authority.issue(identity("namba"))
    with prosody.logged_in(stolen) as gone, prosody.logged_in(issued("umeda")) as kept:
        # Logged in, and without a session: what a sweep of sessions does not see.
        half = prosody.client(stolen)
        _authenticated(half)
        authority.revoked.append(stolen.certificate)
        prosody.publish()
        prosody.reload()
        assert refused(gone.read) == ("session", "not-authorized")
        assert refused(lambda: _bound(half)) == ("login", "not-allowed")
        half.close()
        assert refusals(kept, jid("namba")) == dict.fromkeys(KINDS, "policy-violation")
        assert refused(lambda: prosody.logged_in(stolen))[0] == "tls"


def _authenticated(client: Client) -> None:
    """Stop between log-in and session."""
    bound = client.ask
    client.ask = _stop  # type: ignore[method-assign]
    with pytest.raises(_StoppedError):
        client.log_in("half")
    client.ask = bound  # type: ignore[method-assign]


class _StoppedError(Exception):
    pass


def _stop(*_: object) -> None:
    raise _StoppedError


def _bound(client: Client) -> None:
    answer = client.ask("set", "", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
    found = answer.find(".//{urn:ietf:params:xml:ns:xmpp-stanzas}not-allowed")
    if found is not None:
        raise RefusedError("login", "not-allowed")


def test_certificates_of_a_ca_that_is_trusted_no_more_lose_their_sessions(
    prosody: Prosody, authority: Authority, issued: Issue, tmp_path: Path
) -> None:
    with prosody.logged_in(issued("umeda")) as client:
        trust = prosody.credentials / "trust.pem"
        before = trust.read_text()
        try:
            trust.write_text(Authority(tmp_path, "next").trust)
            prosody.reload()
            assert refused(client.read) == ("session", "not-authorized")
        finally:
            trust.write_text(before)


def test_a_new_device_is_let_in_and_one_that_left_is_shut_out_and_the_others_stay(
    prosody: Prosody, issued: Issue
) -> None:
    before = prosody.devices.read_text()
    with prosody.logged_in(issued("umeda")) as umeda, prosody.logged_in(issued("namba")) as namba:
        assert refused(lambda: prosody.logged_in(issued("sakai"))) == ("login", "not-authorized")
        try:
            prosody.devices.write_text(f"{jid('umeda')}\n{jid('sakai')}\n")
            prosody.reload()
            assert refused(namba.read) == ("session", "not-authorized")
            with prosody.logged_in(issued("sakai")) as sakai, prosody.logged_in(issued("dras")) as dras:
                sakai.wait_s = 0.3
                assert refusals(sakai, jid("umeda")) == dict.fromkeys(KINDS, "policy-violation")
                sakai.send(f"<message to='{dras.jid}'/>")
                assert dras.read().get("from") == sakai.jid
            assert refusals(umeda, jid("sakai")) == dict.fromkeys(KINDS, "policy-violation")
            prosody.devices.unlink()
            prosody.reload()
            assert refused(umeda.read) == ("session", "not-authorized")
        finally:
            prosody.devices.write_text(before)
            prosody.reload()


@pytest.fixture
def broken(authority: Authority, tmp_path: Path) -> Iterator[Callable[[str], Prosody]]:
    """A daemon whose module fails before a certain text of it."""
    made = Prosody(tmp_path / "server", authority)
    made.enrol()
    module = tmp_path / "server" / "modules" / "mod_auth_heiiki.lua"

    def start(before: str) -> Prosody:
        text = module.read_text()
        assert before in text
        module.write_text(text.replace(before, f"error('broken')\n{before}") if before else f"{text}error()")
        made.start()
        return made

    yield start
    made.stop()


@pytest.mark.parametrize("before", ["local jid", 'module:hook("pre-stanza"', 'module:provides("auth"'])
def test_a_module_that_does_not_load_lets_nobody_in(
    broken: Callable[[str], Prosody], issued: Issue, before: str
) -> None:
    """A daemon goes on without a module that fails, as it would without rules that stood in another."""
    server = broken(before)
    assert "broken" in server.log.read_text()
    assert refused(lambda: server.logged_in(issued("umeda")))[0] == "login"


def test_a_module_that_fails_at_its_end_has_its_rules_in_force(
    broken: Callable[[str], Prosody], issued: Issue
) -> None:
    with broken("").logged_in(issued("umeda")) as client:
        assert refusals(client, jid("namba")) == dict.fromkeys(KINDS, "policy-violation")


def test_dras_is_not_throttled_and_a_device_is(prosody: Prosody, issued: Issue) -> None:
    """80 kB: at once for DRAS; at 10 kB a second, of which two seconds count as a burst, 6 s for a device."""
    body = f"<message to='{{}}'><body>{'x' * 4000}</body></message>"
    took = {}
    with prosody.logged_in(issued("dras")) as dras, prosody.logged_in(issued("umeda")) as umeda:
        for one, other in ((dras, umeda), (umeda, dras)):
            other.wait_s = 60.0
            began = time.monotonic()
            one.send(body.format(other.jid) * 20)
            for _ in range(20):
                other.read()
            took[one.jid.partition("@")[0]] = time.monotonic() - began
    assert took["umeda"] > 3.0, took
    assert took["dras"] < took["umeda"] / 2, took
