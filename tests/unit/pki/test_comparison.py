"""What somebody changed on a real server, or put beside what the plan has there, is told; a pass is whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from vault_server import SetUpVault, set_up_vault, unsealed_vault

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.server.bootstrap import root
from heiiki.pki.server.comparison import problems
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Plan
from heiiki.requirements import Result, Stage
from heiiki.requirements.verdict import Evidence
from heiiki.verify.config import server

GATEWAY = "pki-issuing/roles/umeda-gw-b"
TOKENS = "auth/token/roles/umeda-gw-b"
THERE = {GATEWAY, TOKENS, "auth/approle/role/revoker", "pki-issuing/config/crl"}
POLICY = {"policy": 'path "*" { capabilities = ["read"] }'}


@pytest.fixture(scope="module")
def lab_vault(lab_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUpVault]:
    """A server that serves the worked example alone: others of the run's tests leave engines behind."""
    folder = tmp_path_factory.mktemp("server")
    with unsealed_vault(folder) as running, set_up_vault(running, lab_plan, folder / "state") as made:
        yield made


def test_a_server_as_planned_has_no_problem_and_the_auditor_sees_enough_to_say_so(
    lab_vault: SetUpVault,
) -> None:
    assert lab_vault.problems() == ()


@pytest.mark.mutant("server")
@pytest.mark.parametrize(
    ("path", "values", "told"),
    [
        (GATEWAY, {"allow_any_name": True}, f"{GATEWAY} is not as planned"),
        (GATEWAY, {"not_after": "9999-12-31T23:59:59Z"}, f"{GATEWAY}: not_after is set"),
        (
            "auth/approle/role/revoker",
            {"token_period": 3600},
            "auth/approle/role/revoker: token_period is set",
        ),
        ("auth/approle/role/revoker", {"secret_id_ttl": 0}, "role/revoker is not as planned"),
        ("auth/approle/role/revoker", {"secret_id_bound_cidrs": []}, "role/revoker is not as planned"),
        (
            "auth/approle/role/revoker",
            {"token_bound_cidrs": ["10.0.0.0/8"]},
            "role/revoker is not as planned",
        ),
        (TOKENS, {"token_bound_cidrs": []}, f"{TOKENS} is not as planned"),
        (TOKENS, {"allowed_policies": ["device", "auditor"]}, f"{TOKENS} is not as planned"),
        (TOKENS, {"token_period": 3600}, f"{TOKENS}: token_period is set"),
        ("sys/policies/acl/device-x", POLICY, "sys/policies/acl/device-x is not of the plan"),
        ("identity/entity/name/friend", {"policies": ["auditor"]}, "has policies of its own"),
        ("sys/policies/acl/friends", POLICY, "sys/policies/acl/friends is not of the plan"),
        ("auth/approle/role/guest", {"token_policies": ["root"]}, "auth/approle/role/guest is not of"),
        ("auth/token/roles/guest", {"allowed_policies": ["auditor"]}, "auth/token/roles/guest is not"),
        ("identity/group", {"name": "friends", "policies": ["auditor"]}, "identity/group/id/"),
        ("sys/auth/userpass", {"type": "userpass"}, "sys/auth/userpass is not of the plan"),
        ("sys/mounts/pki-other", {"type": "pki"}, "sys/mounts/pki-other is not of the plan"),
        ("pki-root/roles/any", {"allow_any_name": True}, "pki-root/roles/any is not of the plan"),
        ("pki-issuing/roles/any", {"allow_any_name": True}, "pki-issuing/roles/any is not of the plan"),
        ("pki-issuing/config/crl", {"disable": True}, "config/crl is not as planned"),
    ],
)
def test_what_was_changed_or_put_there_is_told_alone(
    lab_vault: SetUpVault, path: str, values: dict[str, Any], told: str
) -> None:
    with root(lab_vault.access) as session:
        before = session.read(path) if path in THERE else None
        if before:
            before.pop("local_secret_ids", None)  # which the server takes at creation alone
        session.write(path, {**(before or {}), **values})
        try:
            said = lab_vault.problems()
        finally:
            if before is not None:
                session.write(path, before)
            else:
                session.delete("identity/group/name/friends" if path == "identity/group" else path)
    assert [one for one in said if told in one]
    assert all(path.split("/", maxsplit=1)[0] in one for one in said)
    assert lab_vault.problems() == ()


def bundle(name: str) -> str:
    """A self-signed CA and its key, as an intruder would import them."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
    made = made.not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "encipher_only", "decipher_only"),
        ),
        False,
    )
    signs = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage)
    made = made.add_extension(signs, critical=True)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + private).decode()


@pytest.mark.mutant("server")
@pytest.mark.parametrize("name", ["Somebody's CA", "Heiiki lab issuing CA 7"])
def test_a_ca_that_the_service_did_not_make_is_told_whatever_it_is_called(
    lab_vault: SetUpVault, name: str
) -> None:
    with root(lab_vault.access) as session:
        made = session.write("pki-issuing/issuers/import/bundle", {"pem_bundle": bundle(name)})["data"]
        [issuer] = made["imported_issuers"]
        session.write(f"pki-issuing/issuer/{issuer}", {"issuer_name": "issuing-7"})
        try:
            said = lab_vault.problems()
        finally:
            session.delete(f"pki-issuing/issuer/{issuer}")
            for key in made["imported_keys"]:
                session.delete(f"pki-issuing/key/{key}")
    assert [one for one in said if f"issuer/{issuer}" in one and "no CA that the service made" in one]
    assert lab_vault.problems() == ()


@dataclass
class Told:
    """A session that says of the audit logs what a test wants."""

    session: Vault
    audit: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)

    def read(self, path: str) -> Any:
        return self.audit if path == "sys/audit" else self.session.read(path)


def log(path: str, **options: str) -> dict[str, Any]:
    return {"type": "file", "options": {"file_path": path, **options}}


@pytest.mark.parametrize(
    ("audit", "told"),
    [
        ({}, "the server does not keep the audit log file"),
        ({"file/": log("/a")}, "the server does not keep the audit log memory"),
        ({"file/": log("/a"), "memory/": log("/a")}, "sys/audit/memory/: writes the file of sys/audit/file/"),
        ({"file/": log("/a"), "memory/": log("/b", log_raw="true")}, "sys/audit/memory/: log_raw is set"),
        ({"file/": log("/a"), "memory/": {"type": "socket", "options": None}}, "is of type socket, not file"),
        ({"file/": log("/a"), "memory/": log("/b"), "x/": log("/c")}, "sys/audit/x is not of the plan"),
    ],
)
def test_an_audit_log_that_is_not_kept_or_tells_more_is_told(
    lab_vault: SetUpVault, audit: dict[str, Any], told: str
) -> None:
    with logged_in(lab_vault.access, AppRole.AUDITOR) as session:
        said = problems(cast("Vault", Told(session, audit)), lab_vault.plan)
    assert [one for one in said if told in one], said


# --- the verdict


def kept(_name: str, _raw: bytes) -> Evidence:
    return Evidence("2026-11-29T00:00:00+00:00", "config/vault-settings.txt", "0" * 64)


def judged(problems: server.Problems | None) -> set[tuple[str, Stage, Result, str]]:
    return {(one.requirement, one.stage, one.result, one.reason) for one in server.verdicts(kept, problems)}


def refuses() -> tuple[str, ...]:
    raise VaultError("the server is sealed", VaultFault.SEALED)


@pytest.mark.parametrize(
    ("problems", "result", "told"),
    [
        (lambda: (), Result.PASS, "nothing else is there"),
        (
            lambda: ("a is not as planned",),
            Result.FAIL,
            "a is not as planned; who changed it is in its audit log",
        ),
        (refuses, Result.UNKNOWN, "the server's settings are not known: the server is sealed"),
        (None, Result.UNKNOWN, "no Vault server is known here"),
    ],
)
def test_each_requirement_that_rests_on_the_server_is_judged(
    problems: server.Problems | None, result: Result, told: str
) -> None:
    found = judged(problems)
    assert {(identifier, stage, verdict) for identifier, stage, verdict, _ in found} == {
        (identifier, Stage.CONFIG, result) for identifier in ("R-SEC-ACCESS", "R-SEC-ESP", "R-THEFT")
    }
    assert all(told in reason for *_, reason in found)
