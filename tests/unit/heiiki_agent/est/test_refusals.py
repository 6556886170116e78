"""What the registration authority refuses, each with its own answer; a good request is answered after it."""

import base64
import sqlite3
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from est_world import CISCO, ESP, Answer, EstDevice, EstWorld, est_world
from vault_server import SetUpVault

from heiiki.pki import marks
from heiiki.pki.revoke import revoke
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki_agent.errors import AgentError

TYPE = {"Content_Type": "application/pkcs10"}
KEY_USAGE = x509.KeyUsage(True, *[False] * 8)  # noqa: FBT003 - digitalSignature


def post(world: EstWorld, body: bytes, device: str = CISCO, secret: str = "", **headers: str) -> Answer:
    user = (device, secret) if secret else None
    return world.ask("POST", "simpleenroll", body, user=user, **(headers or TYPE))


def body(device: EstDevice, *extensions: x509.ExtensionType, **changes: Any) -> bytes:
    return base64.encodebytes(device.request(*extensions, **changes))


def test_who_shows_nothing_is_asked_for_a_secret(world: EstWorld) -> None:
    found = post(world, body(world.device(CISCO)))
    assert (found.status, found.text) == (401, "show the device's name and its secret (HTTP Basic)\n")
    assert found.headers["www-authenticate"].startswith("Basic realm=")
    assert found.headers["content-type"].startswith("text/plain")
    assert "server" not in found.headers, "what answers, and of which version, is told"


UNKNOWN = "the secret is not known, or not this device's; have one made (heiiki est secret)\n"


def test_a_secret_that_is_wrong_or_anothers(world: EstWorld) -> None:
    own, others = world.secret(CISCO), world.secret(ESP)
    device = world.device(CISCO)
    for name, secret in ((CISCO, "guessed"), (CISCO, others), ("umeda-ce-a", own), ("nobody", own)):
        found = post(world, body(device), name, secret)
        assert (found.status, found.text) == (401, UNKNOWN)
    assert world.enrol(device, own).status == 200


def test_a_secret_that_has_ended(world: EstWorld) -> None:
    device, secret = world.device(CISCO), world.secret(CISCO)
    with sqlite3.connect(world.folder / "est.sqlite") as database:
        database.execute("UPDATE secret SET ends = '2020-01-01T00:00:00Z'")
    database.close()
    found = world.enrol(device, secret)
    assert found.status == 401
    assert found.text == (
        "the secret was good until 2020-01-01T00:00:00Z; have a new one made (heiiki est secret)\n"
    )
    assert world.enrol(device, world.secret(CISCO)).status == 200


def test_a_secret_that_was_used(world: EstWorld) -> None:
    secret = world.secret(CISCO)
    assert world.enrol(world.device(CISCO), secret).status == 200
    before = world.issued(CISCO)
    found = world.enrol(world.device(CISCO), secret)
    assert found.status == 401
    assert found.text.startswith("the secret was used for another key: it is good for one certificate.")
    assert world.issued(CISCO) == before


@pytest.mark.parametrize("how", ["withdrawn", "replaced"])
def test_a_secret_that_is_good_no_more(world: EstWorld, how: str) -> None:
    device, secret = world.device(CISCO), world.secret(CISCO)
    if how == "withdrawn":
        assert world.operate("DELETE", f"/secrets/{CISCO}") == {"device": CISCO, "withdrawn": True}
    else:
        world.secret(CISCO)
    found = world.enrol(device, secret)
    assert (found.status, found.text) == (
        401,
        "the secret was withdrawn; have a new one made (heiiki est secret)\n",
    )


def rsa_request(device: EstDevice) -> bytes:
    return body(device, key=rsa.generate_private_key(65537, 2048))


BODIES: dict[str, tuple[int, str, Callable[[EstDevice], bytes]]] = {
    "nothing": (400, "is no certificate request", lambda _: b""),
    "no base64": (400, "is not base64 of DER, without the lines of PEM", lambda _: b"\xff\x00"),
    "PEM": (
        400,
        "is not base64 of DER, without the lines of PEM",
        lambda device: x509.load_der_x509_csr(device.request()).public_bytes(Encoding.PEM),
    ),
    "no request": (400, "is no certificate request", lambda _: base64.b64encode(b"hello")),
    "cut off": (400, "is no certificate request", lambda one: base64.b64encode(one.request()[:-9])),
    "too long": (413, "a request has at most 8192 octets", lambda _: b"A" * 8196),
    "much too long": (413, "a request has at most 8192 octets", lambda _: b"A" * 1_000_000),
    "another's name": (
        400,
        "asks for the subject CN=dras.lab.internal, not CN=otemae-ce-a.lab.internal",
        lambda device: body(device, common_name="dras.lab.internal"),
    ),
    "one more name": (
        400,
        "differs from the plan in the names",
        lambda device: body(device, x509.SubjectAlternativeName([x509.DNSName("dras.lab.internal")])),
    ),
    "RSA": (400, "has a key that is not EC P-256", rsa_request),
    "another curve": (
        400,
        "has a key that is not EC P-256",
        lambda device: body(device, key=ec.generate_private_key(ec.SECP384R1())),
    ),
    "a CA": (
        400,
        "asks for a CA certificate",
        lambda device: body(device, x509.BasicConstraints(ca=True, path_length=None)),
    ),
    "a usage": (400, "asks for the extension 2.5.29.15", lambda device: body(device, KEY_USAGE)),
}


def test_a_body_that_is_no_request_or_not_as_planned(world: EstWorld) -> None:
    device, secret, before = world.device(CISCO), world.secret(CISCO), world.issued(CISCO)
    for what, (status, said, make) in BODIES.items():
        found = post(world, make(device), secret=secret)
        assert (what, found.status, said in found.text) == (what, status, True), found.text
    assert world.issued(CISCO) == before
    # None of them has used up the secret.
    assert world.enrol(device, secret).status == 200


@pytest.mark.parametrize(
    "kind", ["application/pkcs7-mime", "text/plain", "application/x-www-form-urlencoded"]
)
def test_a_body_of_another_type(world: EstWorld, kind: str) -> None:
    found = post(world, body(world.device(CISCO)), secret=world.secret(CISCO), Content_Type=kind)
    assert (found.status, found.text) == (415, "send the certificate request as application/pkcs10\n")


@pytest.mark.parametrize(
    ("method", "operation", "status", "said"),
    [
        (
            "POST",
            "serverkeygen",
            501,
            "serverkeygen is not offered: keys are made on the device and never leave it\n",
        ),
        ("POST", "fullcmc", 501, "fullcmc is not offered: simple requests are enough here\n"),
        ("GET", "simpleenroll", 405, "GET is not for this path; use POST\n"),
        (
            "GET",
            "gateways/cacerts",
            404,
            "there is nothing at this path; the operations are below /.well-known/est/\n",
        ),
    ],
)
def test_what_is_not_offered(world: EstWorld, method: str, operation: str, status: int, said: str) -> None:
    found = world.ask(method, operation)
    assert (found.status, found.text) == (status, said)


def bound(world: EstWorld, version: ssl.TLSVersion, *, right: bool) -> Answer:
    """Enrol with a challenge password, which is `tls-unique` of the connection or is not."""
    device, secret = world.device(CISCO), world.secret(CISCO)
    context = world.context(version=version)
    challenge = x509.ObjectIdentifier("1.2.840.113549.1.9.7")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device.common_name)])

    def made(tls: ssl.SSLSocket) -> bytes:
        unique = tls.get_channel_binding("tls-unique") or b"none"
        said = base64.b64encode(unique if right else unique[::-1])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        request = builder.add_attribute(challenge, said).sign(device.key, hashes.SHA256())
        return base64.encodebytes(request.public_bytes(Encoding.DER))

    return world.ask("POST", "simpleenroll", made, user=(CISCO, secret), context=context, **TYPE)


def test_a_request_that_is_bound_to_a_connection(world: EstWorld) -> None:
    """RFC 7030 3.5: it was made for this one, or it is refused; TLS 1.3 has nothing to compare it with."""
    old, new = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    assert bound(world, old, right=True).status == 200
    for version, right in ((old, False), (new, True)):
        found = bound(world, version, right=right)
        assert found.status == 400
        assert found.text.startswith("the request holds a challenge password that is not tls-unique")


def test_a_renewal_without_a_certificate(world: EstWorld) -> None:
    found = world.ask("POST", "simplereenroll", body(world.device(CISCO)), **TYPE)
    assert found.status == 403
    assert found.text.startswith("show the device's present certificate in TLS")


def test_a_renewal_by_the_certificate_of_another(world: EstWorld) -> None:
    shown, esp = world.certified(CISCO), world.device(ESP)
    found = world.reenrol(shown, esp.request())
    assert found.status == 400
    assert "asks for the subject CN=esp-kansai.lab.internal, not CN=otemae-ce-a.lab.internal" in found.text
    # A device of the service that a role enrols: its certificate is good, and of nobody here.
    gateway = EstDevice("umeda-ce-a", "umeda-ce-a.lab.internal")
    made = world.vault.certificate("umeda-ce-a", gateway.key)
    other = x509.load_pem_x509_certificate(made.certificate.encode())
    found = world.reenrol((gateway, other), gateway.request())
    assert (found.status, found.text) == (
        403,
        "the certificate shown is of no device that enrols here\n",
    )


def test_a_renewal_with_a_key_of_before(world: EstWorld) -> None:
    device, made = world.certified(CISCO)
    found = world.reenrol((device, made), device.request())
    assert (found.status, found.text) == (
        400,
        "the key of the request is that of the certificate shown: make a new key, and a new request\n",
    )


def test_a_key_of_another_device(world: EstWorld) -> None:
    device, _ = world.certified(CISCO)
    esp = EstDevice(ESP, world.device(ESP).common_name, device.key)
    found = world.enrol(esp, world.secret(ESP))
    assert (found.status, found.text) == (
        400,
        "the key of the request has been used before: make a new key, and a new request\n",
    )


def revoked(world: EstWorld, *certificates: x509.Certificate) -> None:
    """Revoke certificates as a security officer does, without the mark of the product."""
    serials = [one.serial_number.to_bytes(20).hex(":").removeprefix("00:") for one in certificates]
    with logged_in(world.vault.access, AppRole.REVOKER) as session:
        revoke(session, world.vault.trust, serials)


def test_a_revoked_certificate_gets_no_connection(world: EstWorld) -> None:
    shown = world.certified(CISCO)
    assert world.reenrol(shown, shown[0].request()).status == 400
    revoked(world, shown[1])
    world.fetch_lists()
    world.reload()
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.revoked"):
        world.reenrol(shown, world.device(CISCO).request())


def test_an_older_certificate_is_of_no_use_when_the_newest_was_revoked(world: EstWorld) -> None:
    shown = world.certified(ESP)
    after = world.device(ESP)
    made = world.reenrol(shown, after.request()).certificate
    revoked(world, made)
    found = world.reenrol(shown, world.device(ESP).request())
    assert found.status == 403
    assert "has a certificate that was revoked on" in found.text
    assert found.text.endswith("only the step that enrols a replacement (enrol.yml) lifts it\n")


def test_a_revoked_device_comes_back_by_the_products_own_step_alone(world: EstWorld) -> None:
    shown, secret = world.certified(CISCO), world.secret(CISCO)
    trust, identity = world.vault.trust, world.vault.identity(CISCO)
    with logged_in(world.vault.access, AppRole.REVOKER) as session:
        marks.mark(session, trust, CISCO)
    try:
        said = f"{CISCO} is revoked at the CA; only the step that enrols a replacement (enrol.yml) lifts it\n"
        answers = [
            world.enrol(world.device(CISCO), secret),
            world.reenrol(shown, world.device(CISCO).request()),
        ]
        assert [(one.status, one.text) for one in answers] == [(403, said)] * 2
    finally:
        with logged_in(world.vault.access, AppRole.CONFIGURATOR) as session:
            marks.lift(session, trust, identity)
    # The secret of before is gone with it: a thief may have that, too.
    assert world.enrol(world.device(CISCO), secret).status == 401
    assert world.enrol(world.device(CISCO), world.secret(CISCO)).status == 200


def test_a_secret_is_withdrawn_when_lists_say_that_somebody_was_revoked(world: EstWorld) -> None:
    secret = world.secret(CISCO)
    trust, identity = world.vault.trust, world.vault.identity(CISCO)
    with logged_in(world.vault.access, AppRole.REVOKER) as session:
        marks.mark(session, trust, CISCO)
    try:
        world.reload()
        world.operate("GET", "/devices")  # comes after the look at it, in the same thread
        assert [one["state"] for one in world.told(CISCO)["secrets"]] == ["withdrawn"]
    finally:
        with logged_in(world.vault.access, AppRole.CONFIGURATOR) as session:
            marks.lift(session, trust, identity)
    assert world.enrol(world.device(CISCO), secret).status == 401


def test_an_address_may_ask_so_often(set_up: SetUpVault, tmp_path: Path) -> None:
    with est_world(set_up, tmp_path, requests_per_s=1, burst=2) as world:
        answers = [world.ask("GET", "csrattrs") for _ in range(12)]
    assert {one.status for one in answers} == {200, 429}
    refused = next(one for one in answers if one.status == 429)
    assert (refused.text, refused.headers["retry-after"]) == ("too many requests; ask again in 1 s\n", "1")


def test_a_device_gets_so_many_certificates_a_day(set_up: SetUpVault, tmp_path: Path) -> None:
    with est_world(set_up, tmp_path, per_day=2) as world:
        answers = [world.enrol(world.device(CISCO), world.secret(CISCO)) for _ in range(3)]
        assert [one.status for one in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == "86400"
        assert world.enrol(world.device(ESP), world.secret(ESP)).status == 200


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trust": ""}, "secret: trust: is wrong: must not be empty"),
        ({"trust": "because"}, "secret: trust: is wrong: 'because' does not match"),
        ({"trust": "on first use, by "}, "does not match"),
        ({"trust": "voucher 1\n2"}, "does not match"),
        ({"days": 0}, "secret: days: is wrong: 0 is not a whole number from 1 to 30"),
        ({"days": 31}, "secret: days: is wrong: 31 is not a whole number from 1 to 30"),
        ({"digest": "secret"}, "secret: digest: is wrong: 'secret' does not match"),
        ({"device": "umeda-ce-a"}, "umeda-ce-a: no device that is called so enrols here; known: esp-kansai"),
    ],
    ids=lambda one: "" if isinstance(one, str) else str(one),
)
def test_no_secret_without_a_reason_a_device_and_an_end(
    world: EstWorld, changes: dict[str, Any], said: str
) -> None:
    order = {"device": CISCO, "digest": "0" * 64, "trust": "voucher 1", "days": 7}
    with pytest.raises(AgentError) as caught:
        world.operate("POST", "/secrets", order | changes)
    assert said in str(caught.value)
    assert world.told(CISCO)["secrets"] == []


@pytest.mark.parametrize("trust", ["factory identity SN 42", "voucher 123", "on first use, by M. Sato"])
def test_each_reason_to_trust_a_device(world: EstWorld, trust: str) -> None:
    world.secret(CISCO, trust)
    assert [one["trust"] for one in world.told(CISCO)["secrets"]] == [trust]


def test_nothing_secret_is_in_log_or_state(world: EstWorld) -> None:
    device, secret = world.device(CISCO), world.secret(CISCO)
    # A secret in the wrong place is one, too.
    for user in ((CISCO, secret + "x"), (secret, CISCO)):
        world.ask("POST", "simpleenroll", body(device), user=user, **TYPE)
    world.enrol(device, secret)
    world.enrol(world.device(CISCO), secret)
    assert "401: the secret is not known" in world.log
    assert f"for {device.common_name}, until" in world.log
    for file in world.folder.glob("est*"):
        assert secret.encode() not in file.read_bytes()
