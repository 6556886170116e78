"""Security level high: what is signed, and what is refused and why."""

import random
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openleadr.messaging
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from openadr_loopback import Authority

from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.envelope import Bare, envelope
from heiiki_agent.openadr.errors import Code, Malformed, NotXml
from heiiki_agent.openadr.messages import Message, Poll
from heiiki_agent.openadr.names import DS, DSP, OADR
from heiiki_agent.openadr.signatures import WINDOW, Signatures
from heiiki_agent.tls import Credentials

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
POLL = Poll(ven_id="umeda")
FORGED = Poll(ven_id="namba")
OBJECT, SIGNATURE = f"{{{OADR}}}oadrSignedObject", f"{{{DS}}}Signature"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def der(credentials: Credentials) -> bytes:
    return x509.load_pem_x509_certificate(credentials.certificate.read_bytes()).public_bytes(Encoding.DER)


class End:
    """One end, with its certificate and a clock that a test moves."""

    def __init__(self, credentials: Credentials) -> None:
        self.clock, self.credentials, self.certificate = Clock(), credentials, der(credentials)
        self.signatures = Signatures(self.clock)
        self.signatures.renew(credentials)

    def sealed(self, message: Message = POLL) -> bytes:
        return self.signatures.sealed(encode(message))


@pytest.fixture
def ven(authority: Authority) -> End:
    return End(authority.issue("umeda.example"))


@pytest.fixture
def vtn(authority: Authority) -> End:
    return End(authority.issue("dras.example"))


def refusal(vtn: End, data: bytes, certificate: bytes) -> str:
    with pytest.raises(Malformed) as refused:
        vtn.signatures.opened(data, certificate)
    assert refused.value.code == Code.NOT_AUTHORIZED
    return refused.value.description


def test_what_is_signed_comes_out_as_it_went_in(ven: End, vtn: End) -> None:
    assert decode(vtn.signatures.opened(ven.sealed(), ven.certificate)) == POLL
    assert ven.sealed() != ven.sealed(), "each has a nonce of its own"


def test_xmlsec_and_the_schema_find_nothing_wrong(ven: End, tmp_path: Path) -> None:
    signed = ven.sealed()
    openleadr.messaging.XML_SCHEMA.assertValid(etree.fromstring(signed))
    if shutil.which("xmlsec1") is None:
        pytest.skip("no xmlsec1 here (Debian: xmlsec1); the schema and openleadr hold it")
    file = tmp_path / "signed.xml"
    file.write_bytes(signed)
    command = ["xmlsec1", "--verify", "--trusted-pem", str(ven.credentials.trust)]
    ids = ["--id-attr:Id", f"{OADR}:oadrSignedObject", "--id-attr:Id", f"{DS}:Object"]
    subprocess.run([*command, *ids, str(file)], check=True, capture_output=True)
    file.write_bytes(signed.replace(b">umeda<", b">namba<"))
    assert subprocess.run([*command, *ids, str(file)], check=False, capture_output=True).returncode != 0


def test_stock_openleadr_takes_ours_and_we_take_its(ven: End, vtn: End) -> None:
    ven.clock.now = vtn.clock.now = datetime.now(UTC) + timedelta(milliseconds=1)
    openleadr.messaging.validate_xml_signature(etree.fromstring(ven.sealed()))
    files = ven.credentials.certificate.read_bytes(), ven.credentials.key.read_bytes()
    stock = openleadr.messaging.create_message("oadrPoll", cert=files[0], key=files[1], ven_id="umeda")
    vtn.signatures = Signatures(lambda: datetime.now(UTC) - timedelta(seconds=1))
    assert decode(vtn.signatures.opened(stock.encode(), ven.certificate)) == POLL
    assert refusal(vtn, stock.replace(">umeda<", ">namba<").encode(), ven.certificate).startswith(
        "ds:Signature: is not valid"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace(b">umeda<", b">namba<"), "is not valid"),
        (lambda text: re.sub(rb"<dsp:nonce>..", b"<dsp:nonce>zz", text), "is not valid"),
        (lambda text: text.replace(b"2026-04-01T12:00:00Z", b"2026-04-01T12:00:01Z"), "is not valid"),
        (lambda text: re.sub(rb"<ds:SignatureValue>....", b"<ds:SignatureValue>AAAA", text), "is not valid"),
        (lambda text: text.replace(b"xmlenc#sha256", b"xmldsig#sha1"), "is not valid"),
        (lambda text: text.replace(b"ecdsa-sha256", b"hmac-sha256"), "is not valid"),
        (lambda text: text.replace(b'URI="#prop"', b'URI="#oadrSignedObject"'), "is not valid"),
        (
            lambda text: re.sub(rb"<ds:KeyInfo>.*</ds:KeyInfo>", b"", text, flags=re.DOTALL),
            "another certificate",
        ),
        (lambda text: text.replace(b"<ds:X509Certificate>", b"<ds:X509Certificate>*"), "is not base64"),
        (
            lambda text: re.sub(rb"<ds:Signature .*</ds:Signature>", b"", text, flags=re.DOTALL),
            "has no ds:Signature",
        ),
    ],
)
def test_what_was_changed_on_its_way_is_refused(
    ven: End, vtn: End, change: Callable[[bytes], bytes], reason: str
) -> None:
    changed = change(ven.sealed())
    assert changed != ven.sealed()
    assert reason in refusal(vtn, changed, ven.certificate)
    assert decode(vtn.signatures.opened(ven.sealed(), ven.certificate)) == POLL, "and the next is taken"


def test_a_signature_of_another_device_is_refused(authority: Authority, ven: End, vtn: End) -> None:
    """Its certificate is as good, but it is not the one that the peer proved to have."""
    other = End(authority.issue("namba.example"))
    assert "another certificate" in refusal(vtn, other.sealed(), ven.certificate)
    # With the peer's certificate shown in place of its own the key does not fit.
    shown = re.search(rb"<ds:X509Certificate>.*</ds:X509Certificate>", ven.sealed(), re.DOTALL)
    assert shown
    pretended = re.sub(
        rb"<ds:X509Certificate>.*</ds:X509Certificate>", lambda _: shown[0], other.sealed(), flags=re.DOTALL
    )
    assert "is not valid" in refusal(vtn, pretended, ven.certificate)


def forged() -> Any:
    return etree.fromstring(encode(FORGED))[0]


def moved_into_the_signature(root: Any) -> None:
    """The signed object stands in a ds:Object, and another at its place."""
    signed, wrapper = root[1], etree.SubElement(root[0], f"{{{DS}}}Object")
    wrapper.append(signed)
    other = forged()
    del other.attrib[f"{{{OADR}}}Id"]
    root.append(other)


def moved_and_named_the_same(root: Any) -> None:
    signed, wrapper = root[1], etree.SubElement(root[0], f"{{{DS}}}Object")
    wrapper.append(signed)
    root.append(forged())


def beside(root: Any) -> None:
    root.append(forged())


def around(root: Any) -> None:
    outer = forged()
    outer.append(root[1])
    root.append(outer)


def two_signatures(root: Any) -> None:
    root.insert(0, etree.fromstring(etree.tostring(root[0])))


@pytest.mark.parametrize(
    ("wrap", "reason"),
    [
        (moved_into_the_signature, "what is signed is not the oadrSignedObject of the message"),
        (moved_and_named_the_same, "is not valid"),
    ],
)
def test_a_signature_about_an_object_elsewhere_is_refused(
    ven: End, vtn: End, wrap: Callable[[Any], None], reason: str
) -> None:
    root = etree.fromstring(ven.sealed())
    wrap(root)
    assert reason in refusal(vtn, etree.tostring(root), ven.certificate)


@pytest.mark.parametrize("wrap", [beside, around, two_signatures])
def test_a_message_has_one_object_and_one_signature(ven: End, vtn: End, wrap: Callable[[Any], None]) -> None:
    root = etree.fromstring(ven.sealed())
    wrap(root)
    with pytest.raises(Malformed):
        vtn.signatures.opened(etree.tostring(root), ven.certificate)


def test_a_message_that_was_there_before_is_refused(authority: Authority, ven: End, vtn: End) -> None:
    sent = ven.sealed()
    vtn.signatures.opened(sent, ven.certificate)
    assert "was here already" in refusal(vtn, sent, ven.certificate)
    vtn.clock.now = NOON + WINDOW
    assert "was here already" in refusal(vtn, sent, ven.certificate)
    vtn.clock.now = NOON + WINDOW + timedelta(seconds=1)
    assert "was signed 6 s away from now" in refusal(vtn, sent, ven.certificate)
    again = End(authority.issue("dras.example"))
    again.clock.now = NOON + timedelta(seconds=1)
    again.signatures = Signatures(again.clock)
    assert "signed before this end began" in refusal(again, sent, ven.certificate)


@pytest.mark.parametrize(("seconds", "taken"), [(-6, False), (-5, True), (5, True), (6, False)])
def test_the_clocks_may_be_some_seconds_apart(ven: End, vtn: End, seconds: int, taken: bool) -> None:
    vtn.clock.now = NOON - timedelta(minutes=1)
    vtn.signatures = Signatures(vtn.clock)
    vtn.clock.now = NOON
    ven.clock.now = NOON + timedelta(seconds=seconds)
    if taken:
        assert decode(vtn.signatures.opened(ven.sealed(), ven.certificate)) == POLL
    else:
        assert "away from now; see the clocks" in refusal(vtn, ven.sealed(), ven.certificate)


def test_a_nonce_from_the_future_is_remembered_as_long_as_it_counts(ven: End, vtn: End) -> None:
    ven.clock.now = NOON + WINDOW
    sent = ven.sealed()
    vtn.signatures.opened(sent, ven.certificate)
    vtn.clock.now = NOON + 2 * WINDOW
    vtn.signatures.opened(ven_at(ven, vtn.clock.now), ven.certificate)
    assert "was here already" in refusal(vtn, sent, ven.certificate)


def ven_at(ven: End, moment: datetime) -> bytes:
    ven.clock.now = moment
    return ven.sealed()


@pytest.mark.parametrize("what", ["nonce", "timestamp"])
def test_a_replay_protection_without_a_part_is_refused(
    ven: End, vtn: End, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    whole = Signatures._replay_protect

    def less(signatures: Signatures) -> Any:
        protection = whole(signatures)
        protection.remove(protection.find(f"{{{DSP}}}{what}"))
        return protection

    monkeypatch.setattr(Signatures, "_replay_protect", less)
    assert f"dsp:{what}" in refusal(vtn, ven.sealed(), ven.certificate)


def test_a_declaration_meets_no_parser(ven: End, vtn: End) -> None:
    bomb = ven.sealed().replace(b"<oadr:oadrPayload", b'<!DOCTYPE x [<!ENTITY a "b">]><oadr:oadrPayload', 1)
    with pytest.raises(NotXml, match="has no DOCTYPE"):
        vtn.signatures.opened(bomb, ven.certificate)


def test_whatever_is_changed_nothing_but_a_refusal_comes_of_it(ven: End, vtn: End) -> None:
    """A thousand messages with a byte or a piece of them gone, doubled or another."""
    chance, whole = random.Random(20), ven.sealed()  # noqa: S311 - the same each time
    signature = range(whole.index(b"<ds:Signature"), whole.index(b"</ds:Signature>"))
    for _ in range(1000):
        place, length = chance.choice(signature), chance.choice((1, 1, 7, 60))
        piece = chance.choice((b"", b"A", b"<", whole[place : place + length] * 2, b"#", b"9"))
        changed = whole[:place] + piece + whole[place + length :]
        try:
            opened = vtn.signatures.opened(changed, ven.certificate)
        except Malformed:
            continue
        # Something that means nothing was changed, such as a blank in base64.
        assert decode(opened) == POLL
        vtn.signatures = Signatures(vtn.clock)


def test_without_a_certificate_nothing_is_sealed(authority: Authority, tmp_path: Path) -> None:
    signatures = Signatures()
    with pytest.raises(AgentError, match="no certificate to sign with"):
        signatures.sealed(encode(POLL))
    mine, other = authority.issue("umeda.example"), authority.issue("namba.example")
    mixed = Credentials(certificate=mine.certificate, key=other.key, trust=mine.trust, crls=mine.crls)
    with pytest.raises(AgentError, match="not a key on a curve with its certificate"):
        signatures.renew(mixed)
    missing = Credentials(certificate=tmp_path / "none.pem", key=mine.key, trust=mine.trust)
    with pytest.raises(AgentError, match="cannot be used for signatures"):
        signatures.renew(missing)


def test_the_standard_level_has_no_envelope(ven: End) -> None:
    bare = envelope("standard")
    assert isinstance(bare, Bare)
    assert isinstance(envelope("high"), Signatures)
    assert bare.opened(bare.sealed(b"as it is"), b"") == b"as it is"
    assert decode(bare.opened(ven.sealed(), b"")) == POLL, "a signature is not looked at"
