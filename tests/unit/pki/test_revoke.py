"""Revocation: all certificates of a device, on lists that verifiers can have at once."""

import time

import pytest
from cryptography import x509
from vault_server import Issued, SetUpVault

from heiiki.errors import CertificateError, VaultError, VaultFault
from heiiki.pki.revoke import _checked, certificates, crls, of_device, revoke, revoke_device
from heiiki.pki.server.desired import serial_text
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import Purpose

THEFT_S = 10.0


def parsed(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate.encode())


def revoked(made: SetUpVault, certificate: x509.Certificate) -> bool:
    return any(one.revokes(certificate) for one in crls(made.running.session(), made.trust))


def test_every_certificate_of_a_device_and_of_no_other(lab_vault: SetUpVault) -> None:
    mine = [parsed(lab_vault.certificate("umeda-gw-b")) for _ in range(3)]
    other = parsed(lab_vault.certificate("sakai-gw-b"))
    begin = time.monotonic()
    with logged_in(lab_vault.access, Purpose.REVOKER) as session:
        serials = revoke_device(session, lab_vault.trust, lab_vault.identity("umeda-gw-b"))
    assert all(revoked(lab_vault, one) for one in mine)
    assert time.monotonic() - begin < THEFT_S
    assert {serial_text(one.serial_number) for one in mine} <= set(serials)
    assert not revoked(lab_vault, other)
    with logged_in(lab_vault.access, Purpose.REVOKER) as session:
        assert revoke_device(session, lab_vault.trust, lab_vault.identity("umeda-gw-b")) == ()


def test_a_renewal_never_drops_a_revoked_serial(lab_vault: SetUpVault) -> None:
    """The list is made anew by renewals, revocations of others and rotations: the serial stays on it."""
    stolen = parsed(lab_vault.certificate("namba-gw"))
    with logged_in(lab_vault.access, Purpose.REVOKER) as session:
        revoke(session, lab_vault.trust, [serial_text(stolen.serial_number)])
    fresh = parsed(lab_vault.certificate("namba-gw"))
    with logged_in(lab_vault.access, Purpose.REVOKER) as session:
        other = parsed(lab_vault.certificate("namba-erc"))
        revoke(session, lab_vault.trust, [serial_text(other.serial_number)])
        found = of_device(certificates(session, lab_vault.trust), lab_vault.identity("namba-gw"))
    assert (revoked(lab_vault, stolen), revoked(lab_vault, fresh)) == (True, False)
    whole = [one for one in crls(lab_vault.running.session(), lab_vault.trust) if one.revokes(stolen)]
    numbers = [one.complete.get_revoked_certificate_by_serial_number(stolen.serial_number) for one in whole]
    assert None not in numbers, "it is on the complete list, not on the delta alone"
    states = {one.content.serial_number: one.revoked is not None for one in found}
    assert (states[stolen.serial_number], states[fresh.serial_number]) == (True, False)


def test_a_list_gets_a_higher_number_each_time(lab_vault: SetUpVault) -> None:
    def number() -> int:
        first = crls(lab_vault.running.session(), lab_vault.trust)[0].complete
        return first.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    before = number()
    with logged_in(lab_vault.access, Purpose.REVOKER) as session:
        revoke(session, lab_vault.trust, [])
    assert number() > before


def test_an_unknown_serial(lab_vault: SetUpVault) -> None:
    with logged_in(lab_vault.access, Purpose.REVOKER) as session, pytest.raises(VaultError) as caught:
        revoke(session, lab_vault.trust, ["01:02"])
    assert caught.value.fault is VaultFault.REJECTED
    assert "certificate with serial 01:02 not found" in str(caught.value)


def test_a_list_of_another_ca_is_not_taken(lab_vault: SetUpVault) -> None:
    issuing, top = crls(lab_vault.running.session(), lab_vault.trust)
    der = lab_vault.running.session().fetch("pki-issuing/issuer/default/crl/der")
    _checked(der, issuing.issuer, "here")
    with pytest.raises(CertificateError) as caught:
        _checked(der, top.issuer, "here")
    assert str(caught.value) == (
        "the CRL at here is not signed by CN=Heiiki lab root CA 1; keep the one of before"
    )
    with pytest.raises(CertificateError, match=r"^the CRL at here cannot be read"):
        _checked(b"nonsense", top.issuer, "here")


@pytest.mark.parametrize(("number", "text"), [(0, "00"), (1, "01"), (0x1234, "12:34"), (0x80, "80")])
def test_serials_are_written_as_the_api_does(number: int, text: str) -> None:
    assert serial_text(number) == text
