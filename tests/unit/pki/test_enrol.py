"""What the controller hands a device that has no way to the server before it has its certificate."""

from cryptography import x509
from vault_server import SetUpVault, make_request

from heiiki.pki import enrol

HANDED, OTHER = "namba-erc", "umeda-bems"


def test_a_controller_on_the_air_is_handed_its_certificate_with_chain_and_lists(
    lab_vault: SetUpVault,
) -> None:
    shared = shares(lab_vault)
    identity = lab_vault.identity(HANDED)
    token, order = enrol.order(lab_vault.enroller, shared, HANDED, make_request(identity))
    assert token == ""
    leaf, issuing = map(certificate, order["signed"])
    assert leaf.subject.rfc4514_string() == f"CN={identity.common_name}"
    assert leaf.issuer == issuing.subject != issuing.issuer
    assert [x509.load_pem_x509_crl(pem.encode()).issuer for pem in order["lists"]] == [
        issuing.subject,
        issuing.issuer,
    ]


def test_any_other_device_gets_a_token_and_nothing_signed(lab_vault: SetUpVault) -> None:
    token, order = enrol.order(
        lab_vault.enroller, shares(lab_vault), OTHER, make_request(lab_vault.identity(OTHER))
    )
    assert token
    assert not {"signed", "lists"} & order.keys()


def shares(lab_vault: SetUpVault) -> enrol.Document:
    session = lab_vault.running.session()
    return {
        **enrol.planned(lab_vault.plan),
        **enrol.facts(session, lab_vault.plan),
    }


def certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())
