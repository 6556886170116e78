"""The proof that the XMPP server's rules hold, against servers whose rules do and do not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from xmpp_fake import FakeServer, refused
from xmpp_world import DOMAIN, Authority, identity, jid

from heiiki_agent.errors import AgentError
from heiiki_agent.xmpp.prove import Settings, main, prove

Fake = Callable[..., FakeServer]


@pytest.fixture
def folder(authority: Authority, tmp_path: Path) -> Path:
    """Credentials of a host whose certificate names its JID."""
    own = authority.issue(identity("xmpp"))
    shutil.copy(own.file, tmp_path / "certificate.pem")
    shutil.copy(own.key, tmp_path / "key.pem")
    (tmp_path / "trust.pem").write_text(authority.trust)
    (tmp_path / "devices.txt").write_text(f"{jid('umeda')}\n{jid('namba')}\n")
    return tmp_path


def settings(server: FakeServer, folder: Path) -> Settings:
    return Settings(
        domain=DOMAIN,
        address="127.0.0.1",
        port=server.place.port,
        jid=jid("xmpp"),
        dras=jid("dras"),
        devices=folder / "devices.txt",
        credentials=folder,
    )


def test_it_holds_where_everything_comes_back(fake: Fake, folder: Path) -> None:
    said = prove(settings(fake(), folder))
    assert said == f"{jid('xmpp')} reaches none of {jid('umeda')}, {jid('dras')}"


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
@pytest.mark.parametrize("to", [jid("umeda"), jid("dras")])
def test_a_single_kind_that_would_get_through_fails(fake: Fake, folder: Path, kind: str, to: str) -> None:
    def rule(stanza: Element) -> str:
        through = stanza.tag.endswith(kind) and stanza.get("to") == to
        # As a server answers that has no such rule, of somebody who is not there.
        return refused(stanza, "service-unavailable" if through else "policy-violation")

    with pytest.raises(AgentError, match=rf"may send {kind} to {to} \(service-unavailable\): see the daemon"):
        prove(settings(fake(rule), folder))


def test_a_host_without_a_certificate_for_it_has_proven_nothing(
    fake: Fake, folder: Path, authority: Authority, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    expected = f"not proven: this host has no certificate that names {jid('xmpp')} yet"
    assert prove(settings(fake(), empty)) == expected
    shutil.copy(authority.issue(identity("other")).file, folder / "certificate.pem")
    assert prove(settings(fake(), folder)) == expected


def test_a_server_that_offers_no_tls_is_asked_again_and_then_told_of(fake: Fake, folder: Path) -> None:
    server = fake(offers="<stream:features/>")
    with pytest.raises(AgentError, match=r"cannot be proven: tls: it offers no TLS"):
        prove(settings(server, folder), ready_s=0.5)


def test_credentials_that_are_cut_off_are_told_of(fake: Fake, folder: Path) -> None:
    (folder / "devices.txt").unlink()
    with pytest.raises(AgentError, match=r"devices.txt: cannot be read.*apply the device's role"):
        prove(settings(fake(), folder))
    (folder / "key.pem").write_text("")
    with pytest.raises(AgentError, match=r"cannot be used for TLS.*enrol the host"):
        prove(settings(fake(), folder))
    (folder / "certificate.pem").write_text("-----BEGIN")
    with pytest.raises(AgentError, match="its certificate cannot be read"):
        prove(settings(fake(), folder))


def test_the_program_reads_what_is_compiled(
    fake: Fake, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "xmpp.json"
    server = fake()
    content = {
        "domain": DOMAIN,
        "address": "127.0.0.1",
        "port": server.place.port,
        "jid": jid("xmpp"),
        "dras": jid("dras"),
        "devices": str(folder / "devices.txt"),
        "credentials": str(folder),
    }
    file.write_text(json.dumps(content))
    (folder / "devices.txt").write_text("")
    assert main(["prove", str(file)]) == 0
    assert capsys.readouterr().out == f"{jid('xmpp')} reaches none of {jid('dras')}\n"
