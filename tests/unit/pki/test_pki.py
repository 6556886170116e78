"""The server as the plan asks for it: compared and changed; and what it then signs and publishes."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from pkilint import loader, pkix
from pkilint.pkix import certificate, crl, extension, name
from pkilint.validation import ValidationFindingSeverity
from vault_server import Issued, SetUpVault, unsealed_vault

from heiiki.errors import VaultError
from heiiki.pki.authorities import trust_anchors
from heiiki.pki.issue import general_names
from heiiki.pki.revoke import crls
from heiiki.pki.server.bootstrap import apply, root
from heiiki.pki.server.reconcile import ensure
from heiiki.plan.model import DeviceClass, Plan

HOLDERS = {
    DeviceClass.ROUTER: "hub-ce-a",
    DeviceClass.GATEWAY: "umeda-gw-b",
    DeviceClass.ACCESS_POINT: "namba-gw",
    DeviceClass.EMS: "umeda-bems",
    DeviceClass.ESP: "esp-denki",
    DeviceClass.SERVER: "vault",
    DeviceClass.OPERATOR: "operator",
}
USES = {
    DeviceClass.ROUTER: {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.IPSEC_IKE},
    DeviceClass.GATEWAY: {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.IPSEC_IKE},
    DeviceClass.ACCESS_POINT: {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.IPSEC_IKE,
    },
    DeviceClass.EMS: {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH},
    DeviceClass.ESP: {ExtendedKeyUsageOID.CLIENT_AUTH},
    DeviceClass.SERVER: {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH},
    DeviceClass.OPERATOR: {ExtendedKeyUsageOID.CLIENT_AUTH},
}
URN = re.compile(r"urn:[a-z0-9][a-z0-9-]{0,30}[a-z0-9]:[a-z0-9:-]+", re.ASCII)
"""The part of RFC 8141's syntax that the plan uses."""


@pytest.fixture(scope="module")
def issued(lab_vault: SetUpVault) -> dict[DeviceClass, Issued]:
    return {kind: lab_vault.certificate(device) for kind, device in HOLDERS.items()}


def parsed(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_a_second_run_changes_nothing_with_few_rights(lab_vault: SetUpVault) -> None:
    assert apply(lab_vault.access, lab_vault.plan) == ()
    assert apply(lab_vault.access, lab_vault.plan, unsealing=True) == ()


DRIFT: dict[str, dict[str, Any]] = {
    "pki-issuing/roles/gateway": {"allow_any_name": True, "ttl": "1h"},
    "pki-issuing/config/crl": {"expiry": "1h", "auto_rebuild_grace_period": "10m"},
    "pki-root/config/cluster": {"path": "https://10.0.0.1:8200/v1/pki-root"},
    "auth/token/roles/device": {"allowed_policies_glob": ["*"], "token_num_uses": 0},
    "auth/approle/role/revoker": {"token_policies": ["configurator"]},
    "sys/policies/acl/device-umeda-gw-b": {"policy": 'path "*" { capabilities = ["sudo", "update"] }'},
    "sys/policies/acl/auditor": {"policy": 'path "*" { capabilities = ["read"] }'},
    "sys/policies/acl/device-stolen": {"policy": 'path "*" { capabilities = ["read"] }'},
    "sys/mounts/pki-issuing/tune": {"max_lease_ttl": "1h"},
    "kv/config": {"max_versions": 1},
}


def test_whatever_somebody_changed_is_shown_and_put_right(lab_vault: SetUpVault) -> None:
    with root(lab_vault.access) as session:
        for path, values in DRIFT.items():
            session.write(path, values)
        foreseen = ensure(session, lab_vault.plan, check=True)
        assert sorted(change.path for change in foreseen) == sorted(
            path.removesuffix("/tune") for path in DRIFT
        )
        assert ensure(session, lab_vault.plan) == foreseen, "check mode changed nothing, and foresaw all"
        assert ensure(session, lab_vault.plan) == ()


def test_a_diff_shows_before_and_after(lab_vault: SetUpVault) -> None:
    with root(lab_vault.access) as session:
        session.write("pki-issuing/config/crl", {"expiry": "1h", "auto_rebuild_grace_period": "10m"})
        [change] = ensure(session, lab_vault.plan)
    hours = lab_vault.trust.lifetimes.crl_h
    assert 'expiry: "1h"\n' in change.before
    assert f'expiry: "{hours}h"\n' in change.after


def test_the_names_of_a_changed_plan_need_no_root(lab_vault: SetUpVault) -> None:
    """A device that is gone loses its roles; AppRole configurator does that, and gives new ones theirs."""
    plan = lab_vault.plan
    fewer = replace(plan, devices=tuple(one for one in plan.devices if one.name != "namba-gw"))
    changes = apply(lab_vault.access, fewer)
    assert [(change.path, bool(change.after)) for change in changes] == [
        ("pki-issuing/roles/namba-gw", False),
        ("auth/token/roles/namba-gw", False),
    ]
    again = apply(lab_vault.access, plan)
    assert [(change.path, bool(change.after)) for change in again] == [
        ("pki-issuing/roles/namba-gw", True),
        ("auth/token/roles/namba-gw", True),
    ]
    assert apply(lab_vault.access, plan) == ()


@pytest.mark.parametrize("kind", DeviceClass)
def test_a_certificate_says_what_the_plan_says(
    lab_vault: SetUpVault, issued: dict[DeviceClass, Issued], kind: DeviceClass
) -> None:
    leaf, identity = parsed(issued[kind].certificate), lab_vault.identity(HOLDERS[kind])
    extensions = leaf.extensions
    assert leaf.subject.rfc4514_string() == f"CN={identity.common_name}"
    assert set(extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == set(
        general_names(identity)
    )
    assert set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == USES[kind]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign, usage.key_agreement) == (True, False, False)


def test_a_certificate_begins_an_hour_before_its_issue(issued: dict[DeviceClass, Issued]) -> None:
    """A verifier whose clock is late takes it all the same, and those of the CAs above it."""
    one = issued[DeviceClass.GATEWAY]
    for pem in (one.certificate, *one.chain):
        assert parsed(pem).not_valid_before_utc < datetime.now(UTC) - timedelta(minutes=59)


def test_addresses_in_a_certificate_lead_into_the_closed_networks(
    lab_vault: SetUpVault, issued: dict[DeviceClass, Issued]
) -> None:
    trust = lab_vault.trust
    base = f"https://{trust.service_address}:{trust.port}/v1/"
    for pem in (issued[DeviceClass.GATEWAY].certificate, issued[DeviceClass.GATEWAY].chain[0]):
        extensions = parsed(pem).extensions
        points = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        urls = [one.full_name[0].value for one in points if one.full_name]
        urls += [one.access_location.value for one in access]
        assert len(urls) == 3
        assert all(url.startswith(base) for url in urls)


def test_the_cas_are_narrow(lab_vault: SetUpVault, issued: dict[DeviceClass, Issued]) -> None:
    issuing, top = map(parsed, issued[DeviceClass.EMS].chain)
    constraints = issuing.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [x509.DNSName("lab.internal")]
    lengths = [
        one.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
        for one in (issuing, top)
    ]
    assert lengths == [0, 1]
    assert top.public_bytes(Encoding.PEM).decode() == trust_anchors(
        lab_vault.running.session(), lab_vault.trust
    )


@pytest.mark.parametrize("kind", DeviceClass)
def test_openssl_verifies_the_chain_with_the_crls(
    lab_vault: SetUpVault, issued: dict[DeviceClass, Issued], kind: DeviceClass, tmp_path: Path
) -> None:
    session = lab_vault.running.session()
    files = {
        "roots.pem": trust_anchors(session, lab_vault.trust),
        "chain.pem": "\n".join(issued[kind].chain),
        "leaf.pem": issued[kind].certificate,
        "crl.pem": "".join(
            one.complete.public_bytes(Encoding.PEM).decode() for one in crls(session, lab_vault.trust)
        ),
    }
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    arguments = (
        "verify -x509_strict -crl_check_all -CAfile roots.pem -untrusted chain.pem -CRLfile crl.pem leaf.pem"
    )
    done = subprocess.run(
        ["openssl", *arguments.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaf.pem: OK\n", "")


def findings(der: bytes, *, is_crl: bool = False) -> Iterator[tuple[str, str]]:
    """Yield what pkilint's linters for RFC 5280 say, from NOTICE upward, with the value that they say it of.

    Those of the CA/Browser Forum are not asked: they forbid names that only a private network has.
    """
    decoding = (
        [
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ]
        if is_crl
        else certificate.create_decoding_validators(
            name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
        )
    )
    if is_crl:
        container = crl.create_pkix_crl_validator_container(
            decoding,
            [
                crl.create_issuer_validator_container([]),
                crl.create_validity_validator_container([]),
                crl.create_extensions_validator_container([]),
            ],
        )
        document = loader.RFC5280CertificateListDocumentLoader().load_der_document(der, "crl")
    else:
        container = certificate.create_pkix_certificate_validator_container(
            decoding,
            [
                certificate.create_issuer_validator_container([]),
                certificate.create_validity_validator_container(),
                certificate.create_subject_validator_container([]),
                certificate.create_extensions_validator_container([]),
                certificate.create_spki_validator_container([]),
            ],
        )
        document = loader.RFC5280CertificateDocumentLoader().load_der_document(der, "certificate")
    for result in container.validate(document.root):
        for found in result.finding_descriptions:
            if found.finding.severity <= ValidationFindingSeverity.NOTICE:
                yield found.finding.code, str(result.node.pdu)


def test_a_linter_finds_nothing_in_the_certificates(issued: dict[DeviceClass, Issued]) -> None:
    """But one thing, where it is wrong: it calls a URI without a host malformed, and a URN has none."""
    for one in issued.values():
        for pem in (one.certificate, *one.chain):
            found = list(findings(parsed(pem).public_bytes(Encoding.DER)))
            strange = [
                (code, value)
                for code, value in found
                if code != "pkix.invalid_uri_syntax" or not URN.fullmatch(value)
            ]
            assert strange == []


def test_the_linter_finds_what_is_wrong(issued: dict[DeviceClass, Issued]) -> None:
    """A certificate whose serial number was made negative: the linter does look."""
    der = parsed(issued[DeviceClass.EMS].chain[1]).public_bytes(Encoding.DER)
    at = der.index(bytes.fromhex("a003020102")) + 5
    spoilt = bytearray(der)
    spoilt[at + 2] = 0x80  # 0xff before a negative octet would be no DER at all
    assert [code for code, _ in findings(bytes(spoilt))]


def test_a_linter_finds_nothing_in_the_revocation_lists(lab_vault: SetUpVault) -> None:
    lists = crls(lab_vault.running.session(), lab_vault.trust)
    assert len(lists) == 2
    for one in lists:
        assert one.delta is not None
        for each in (one.complete, one.delta):
            assert list(findings(each.public_bytes(Encoding.DER), is_crl=True)) == []


def test_the_lists_live_as_long_as_the_plan_says(lab_vault: SetUpVault) -> None:
    for one in crls(lab_vault.running.session(), lab_vault.trust):
        assert one.complete.next_update_utc is not None
        life = one.complete.next_update_utc - one.complete.last_update_utc
        assert life.total_seconds() == lab_vault.trust.lifetimes.crl_h * 3600


def test_a_server_without_an_audit_log_is_refused(lab_plan: Plan, tmp_path: Path) -> None:
    with unsealed_vault(tmp_path, audit=False) as running, pytest.raises(VaultError) as caught:
        ensure(running.root, lab_plan)
    assert str(caught.value) == (
        f"this step needs {running.server}, which keeps no audit log: who did what could never be told; "
        'declare one in its configuration (OpenBao: audit "file" "file" { ... }), or by '
        "`vault audit enable file file_path=...` (HashiCorp Vault)"
    )


def test_an_engine_of_another_kind_in_the_way(lab_plan: Plan, tmp_path: Path) -> None:
    with unsealed_vault(tmp_path) as running:
        running.root.write("sys/mounts/kv", {"type": "pki"})
        with pytest.raises(VaultError, match="which has an engine pki at kv, where one of type kv belongs"):
            ensure(running.root, lab_plan)


def test_no_secret_is_in_a_change(lab_plan: Plan, tmp_path: Path) -> None:
    with unsealed_vault(tmp_path) as running:
        text = repr(ensure(running.root, lab_plan))
        assert running.root_token not in text
        assert "PRIVATE KEY" not in text
