"""Requests are held against the plan before anybody signs them."""

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from vault_server import SetUpVault, make_request, obtain

from heiiki.errors import CertificateError, VaultError, VaultFault
from heiiki.pki.issue import check_request, general_names, mint
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import DeviceClass, Identity

EMS = Identity(
    device="umeda-bems",
    kind=DeviceClass.EMS,
    dns=("umeda-bems.lab.internal",),
    uris=("urn:heiiki:lab:umeda-bems",),
    jids=("umeda-bems@lab.internal",),
)
KEY = ec.generate_private_key(ec.SECP256R1())
CERT_SIGN = x509.KeyUsage(*[name == "keyCertSign" for name in (*"abcde", "keyCertSign", *"ghi")])
Build = Callable[[x509.CertificateSigningRequestBuilder], x509.CertificateSigningRequestBuilder]


def request(
    build: Build = lambda builder: builder,
    subject: tuple[tuple[x509.ObjectIdentifier, str], ...] = ((NameOID.COMMON_NAME, EMS.common_name),),
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = KEY,
) -> str:
    name = x509.Name([x509.NameAttribute(oid, text) for oid, text in subject])
    builder = build(x509.CertificateSigningRequestBuilder().subject_name(name))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def with_names(*names: x509.GeneralName) -> Build:
    return lambda builder: builder.add_extension(x509.SubjectAlternativeName(names), critical=False)


@pytest.mark.parametrize(
    "right",
    [
        request(),
        request(subject=()),
        request(with_names(*general_names(EMS))),
        request(with_names(*reversed(general_names(EMS)))),
    ],
    ids=["name alone", "no name", "all names", "in any order"],
)
def test_a_request_for_the_plans_names(right: str) -> None:
    check_request(right, EMS)


WRONG = {
    "asks for the subject CN=other.lab.internal, not CN=umeda-bems.lab.internal": request(
        subject=((NameOID.COMMON_NAME, "other.lab.internal"),)
    ),
    "asks for the subject O=Heiiki, not CN=umeda-bems.lab.internal": request(
        subject=((NameOID.ORGANIZATION_NAME, "Heiiki"), (NameOID.COMMON_NAME, EMS.common_name))
    ),
    "differs from the plan in the names other.lab.internal": request(
        with_names(*general_names(EMS), x509.DNSName("other.lab.internal"))
    ),
    "differs from the plan in the names umeda-bems@lab.internal": request(
        with_names(*general_names(EMS)[:-1])
    ),
    "differs from the plan in the names 10.0.0.1": request(
        with_names(*general_names(EMS), x509.IPAddress(IPv4Address("10.0.0.1")))
    ),
    "asks for the extension 2.5.29.15, which only the CA decides on": request(
        lambda builder: builder.add_extension(CERT_SIGN, critical=True)
    ),
    "asks for the extension 2.5.29.37, which only the CA decides on": request(
        lambda builder: builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
        )
    ),
    "asks for the extension 1.2.3.4, which only the CA decides on": request(
        lambda builder: builder.add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), critical=True
        )
    ),
    "asks for a CA certificate": request(
        lambda builder: builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    ),
    "has a key that is not EC P-256": request(key=ec.generate_private_key(ec.SECP384R1())),
    "has a key that is not EC P-256; it asks for a CA certificate": request(
        lambda builder: builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True),
        key=rsa.generate_private_key(65537, 2048),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_request_for_anything_else(what: str) -> None:
    with pytest.raises(CertificateError) as caught:
        check_request(WRONG[what], EMS)
    assert str(caught.value) == (
        f"umeda-bems: the certificate request {what}; nothing was signed. If the plan changed, have the "
        "device make a new one; if not, find out who made this one"
    )


def test_a_request_signed_by_another_key() -> None:
    good = x509.load_pem_x509_csr(request().encode())
    der = good.public_bytes(Encoding.DER)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    spoilt = der.replace(_point(KEY.public_key()), _point(other))
    forged = x509.load_der_x509_csr(spoilt).public_bytes(Encoding.PEM).decode()
    with pytest.raises(CertificateError, match="is not signed by the key that it names"):
        check_request(forged, EMS)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    numbers = key.public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def test_what_cannot_be_read() -> None:
    text = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(CertificateError, match=r"^umeda-bems: the certificate request cannot be read"):
        check_request(text, EMS)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", request() * 2, f"hello\n{request()}", f"{request()}\nmore", "A" * 100_000 + request()],
    ids=["nothing", "nonsense", "two", "text before", "text after", "long text before"],
)
def test_what_is_not_one_request_and_nothing_else(text: str) -> None:
    with pytest.raises(CertificateError, match=r"is not one PEM block of at most 8192 octets"):
        check_request(text, EMS)


def test_a_token_of_one_device_is_nothing_to_another(lab_vault: SetUpVault) -> None:
    thief = lab_vault.identity("sakai-gw-b")
    with logged_in(lab_vault.access, AppRole.ENROLLER) as session:
        token = mint(session, lab_vault.identity("umeda-gw-b"))
    with pytest.raises(VaultError) as caught:
        obtain(lab_vault.running.session(), token, make_request(thief), lab_vault.trust, thief)
    assert caught.value.fault in {VaultFault.FORBIDDEN, VaultFault.TOKEN}


def test_the_server_certifies_the_key_of_the_request(lab_vault: SetUpVault) -> None:
    issued = lab_vault.certificate("umeda-bems", KEY)
    leaf = x509.load_pem_x509_certificate(issued.certificate.encode())
    assert leaf.public_key() == KEY.public_key()
    assert len(issued.chain) == 2


def test_no_token_is_in_the_audit_log_or_the_servers_log(lab_vault: SetUpVault) -> None:
    with logged_in(lab_vault.access, AppRole.ENROLLER) as session:
        token = mint(session, lab_vault.identity("umeda-gw-b"))
    folder = lab_vault.running.folder
    assert token.token not in lab_vault.running.audit
    assert token.token not in (folder / "server.log").read_text(encoding="utf-8")
    assert "auth/token/create/umeda-gw-b" in lab_vault.running.audit
