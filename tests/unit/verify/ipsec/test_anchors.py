"""Trust anchors: what a daemon believes, against the CAs that the service has."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from heiiki.errors import VaultError, VaultFault
from heiiki.plan.model import Plan
from heiiki.requirements import Result, Stage, Verdict
from heiiki.verify import fleet
from heiiki.verify.ipsec import anchors

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited for, seconds."""
    found: list[float] = []
    monkeypatch.setattr(fleet.time, "sleep", found.append)
    return found


class Authority:
    """A CA; its own issuer where none is given."""

    def __init__(self, name: str, issuer: "Authority | None" = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (issuer or self).signs(self.name, self.key)

    def signs(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
        return builder.sign(self.key, hashes.SHA256())

    def peer(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer.lab.internal")])
        return self.signs(name, ec.generate_private_key(ec.SECP256R1()))

    def lists(self) -> x509.CertificateRevocationList:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        return builder.last_update(NOW).next_update(NOW + timedelta(days=1)).sign(self.key, hashes.SHA256())


ROOT = Authority("Heiiki lab root CA 1")
ISSUING = Authority("Heiiki lab issuing CA 1", ROOT)
FOREIGN = Authority("Heiiki lab root CA 1")
KNOWN = (ROOT.certificate, ISSUING.certificate)


def said(found: Any, kind: str = "X509", flag: str = "NONE") -> dict[str, str]:
    return {"type": kind, "flag": flag, "data": found.public_bytes(Encoding.DER).hex()}


GOOD = [
    said(ROOT.certificate, flag="CA"),
    said(ISSUING.certificate, flag="CA"),
    said(ISSUING.peer()),
    said(ROOT.lists(), "X509_CRL"),
    said(ISSUING.lists(), "X509_CRL"),
]


def judged(plan: Plan, fleet_of: Any, kept: Any, loaded: Any, known: Any = lambda: KNOWN) -> list[Verdict]:
    fleet = fleet_of(lambda *_: loaded if isinstance(loaded, dict) else {"certs": loaded})
    return list(anchors.verdicts(plan, fleet, kept, known))


def test_a_daemon_that_believes_the_services_cas_passes(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found = judged(plan, fleet_of, kept, GOOD)
    assert {(one.stage, one.result) for one in found} == {(Stage.CONFIG, Result.PASS)}
    assert {
        ("R-SEC-ACCESS", "trust anchors of hub-ce-b"),
        ("R-SEC-ESP", "trust anchors of hub-ce-b"),
    } <= {(one.requirement, one.subject) for one in found}


@pytest.mark.parametrize(
    ("loaded", "reason"),
    [
        ([*GOOD, said(FOREIGN.certificate, flag="CA")], "trust anchor"),
        ([*GOOD, said(FOREIGN.peer())], "no CA of the service signed it"),
        ([*GOOD, said(Authority("other").lists(), "X509_CRL")], "a CRL of CN=other is loaded"),
        ([*GOOD, said(ISSUING.peer(), flag="OCSP")], "trust anchor (OCSP)"),
        ([*GOOD, {"type": "PUBKEY", "flag": "NONE", "data": "30"}], "type PUBKEY"),
        (GOOD[1:], "the root CN=Heiiki lab root CA 1"),
    ],
)
def test_whatever_else_a_daemon_believes_is_a_fail(
    plan: Plan, fleet_of: Any, kept: Any, loaded: Any, reason: str
) -> None:
    found = judged(plan, fleet_of, kept, loaded)
    assert {one.result for one in found} == {Result.FAIL}
    assert all(reason in one.reason for one in found)


@pytest.mark.parametrize(("cleared", "result"), [(1, Result.PASS), (2, Result.PASS), (3, Result.FAIL)])
def test_a_daemon_that_is_being_given_new_lists_is_looked_at_again(
    plan: Plan, fleet_of: Any, kept: Any, slept: list[float], cleared: int, result: Result
) -> None:
    """It forgets everything before it loads everything, in the first `cleared` looks."""
    looks: Counter[str] = Counter()

    def reply(device: str, *_: Any) -> dict[str, Any]:
        looks[device] += 1
        return {"certs": [] if device == "hub-ce-b" and looks[device] <= cleared else GOOD}

    found = {one.subject: one.result for one in anchors.verdicts(plan, fleet_of(reply), kept, lambda: KNOWN)}
    assert found.pop("trust anchors of hub-ce-b") is result
    assert set(found.values()) == {Result.PASS}
    assert slept == [anchors.LOOKS.every_s] * min(cleared, anchors.LOOKS.most - 1)
    assert looks["hub-ce-a"] == 1


def no_server() -> Any:
    raise VaultError("vault: not reachable", VaultFault.UNREACHABLE)


@pytest.mark.parametrize(
    ("loaded", "known", "reason"),
    [
        (GOOD, None, "no Vault server"),
        (GOOD, no_server, "vault: not reachable"),
        ({}, lambda: KNOWN, "cannot be read"),
        ([{"type": "X509", "flag": "CA", "data": "no"}], lambda: KNOWN, "cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_unknown(
    plan: Plan, fleet_of: Any, kept: Any, loaded: Any, known: Any, reason: str
) -> None:
    found = judged(plan, fleet_of, kept, loaded, known)
    assert {one.result for one in found} == {Result.UNKNOWN}
    assert all(reason in one.reason for one in found)
