"""CAs are replaced while the service goes on: every step leaves each device able to verify every other."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from vault_server import Issued, SetUpVault, set_up_vault, unsealed_vault

from heiiki.pki.authorities import (
    authorities,
    expiring,
    retirable,
    retire,
    rotate_issuing,
    rotate_root,
    trust_anchors,
)
from heiiki.pki.revoke import crls, revoke, revoke_device
from heiiki.pki.server.bootstrap import Rotation, root, rotate
from heiiki.pki.server.desired import serial_text
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Plan

DEVICE = "umeda-gw-b"


@pytest.fixture
def own(lab_plan: Plan, tmp_path: Path) -> Iterator[SetUpVault]:
    with unsealed_vault(tmp_path) as running, set_up_vault(running, lab_plan, tmp_path / "state") as made:
        yield made


def verifies(made: SetUpVault, issued: Issued, anchors: str, folder: Path) -> str:
    """Return what openssl says of a certificate, with everything that a verifier has."""
    session = made.running.session()
    files = {
        "roots.pem": anchors,
        "chain.pem": "\n".join(issued.chain),
        "leaf.pem": issued.certificate,
        "crl.pem": "".join(
            one.complete.public_bytes(Encoding.PEM).decode() for one in crls(session, made.trust)
        ),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    arguments = "verify -crl_check_all -CAfile roots.pem -untrusted chain.pem -CRLfile crl.pem leaf.pem"
    done = subprocess.run(
        ["openssl", *arguments.split()], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else done.stderr.splitlines()[1].partition(": ")[2]


def names(made: SetUpVault) -> list[str]:
    found = [
        one
        for mount in (made.trust.root_mount, made.trust.issuing_mount)
        for one in authorities(made.running.root, mount)
    ]
    return sorted(f"{one.mount}/{one.name}" for one in found)


def test_the_issuing_ca(own: SetUpVault, tmp_path: Path) -> None:
    old, gone = own.certificate(DEVICE), own.certificate("namba-gw")
    serial = serial_text(x509.load_pem_x509_certificate(gone.certificate.encode()).serial_number)
    with logged_in(own.access, AppRole.REVOKER) as session:
        revoke(session, own.trust, [serial])
    anchors = trust_anchors(own.running.session(), own.trust)
    with root(own.access) as session:
        rotate_issuing(session, own.plan)
    new = own.certificate(DEVICE)
    assert [verifies(own, one, anchors, tmp_path) for one in (old, new)] == ["leaf.pem: OK"] * 2
    assert "certificate revoked" in verifies(own, gone, anchors, tmp_path)
    assert old.chain[0] != new.chain[0]
    assert old.chain[1] == new.chain[1]
    # A certificate of the old CA can be revoked still, and is found by the device's name.
    with logged_in(own.access, AppRole.REVOKER) as session:
        assert len(revoke_device(session, own.trust, own.identity(DEVICE)).new) == 2
    assert "certificate revoked" in verifies(own, old, anchors, tmp_path)
    assert own.problems() == ()
    with root(own.access) as session:
        assert [one.name for one in retire(session, own.plan)] == ["issuing-1"]
        assert retirable(session, own.trust) == ()
    assert names(own) == ["pki-issuing/issuing-2", "pki-issuing/root-1", "pki-root/root-1"]
    # Its certificate is good for two years yet: the root has revoked it.
    issuing = x509.load_pem_x509_certificate(old.chain[0].encode())
    assert any(one.revokes(issuing) for one in crls(own.running.session(), own.trust))
    assert own.problems() == ()


def test_the_root_ca(own: SetUpVault, tmp_path: Path) -> None:
    old, first = own.certificate(DEVICE), trust_anchors(own.running.session(), own.trust)
    with root(own.access) as session:
        rotate_root(session, own.plan)
        assert retirable(session, own.trust) == (), "the old root is above the current issuing CA"
    both = trust_anchors(own.running.session(), own.trust)
    assert both.count("BEGIN CERTIFICATE") == 2
    assert first in both
    # Between the two steps certificates come from the old issuing CA: everybody verifies them.
    between = own.certificate(DEVICE)
    assert [verifies(own, between, anchors, tmp_path) for anchors in (first, both)] == ["leaf.pem: OK"] * 2
    with root(own.access) as session:
        rotate_issuing(session, own.plan)
    new = own.certificate(DEVICE)
    assert [verifies(own, one, both, tmp_path) for one in (old, between, new)] == ["leaf.pem: OK"] * 3
    assert verifies(own, new, first, tmp_path) != "leaf.pem: OK", "so the anchors must be there beforehand"
    assert own.problems() == ()
    with root(own.access) as session:
        assert sorted(one.name for one in retire(session, own.plan)) == ["issuing-1", "root-1", "root-1"]
    only = trust_anchors(own.running.session(), own.trust)
    assert only.count("BEGIN CERTIFICATE") == 1
    assert verifies(own, new, only, tmp_path) == "leaf.pem: OK"
    assert verifies(own, old, only, tmp_path) != "leaf.pem: OK"
    assert names(own) == ["pki-issuing/issuing-2", "pki-issuing/root-2", "pki-root/root-2"]
    assert own.problems() == ()


def test_rotating_twice_keeps_every_list(own: SetUpVault) -> None:
    with root(own.access) as session:
        rotate_issuing(session, own.plan)
        rotate_issuing(session, own.plan)
    issuers = sorted(one.issuer.subject.rfc4514_string() for one in crls(own.running.session(), own.trust))
    assert issuers == [
        "CN=Heiiki lab issuing CA 1",
        "CN=Heiiki lab issuing CA 2",
        "CN=Heiiki lab issuing CA 3",
        "CN=Heiiki lab root CA 1",
    ]


def test_a_ca_that_ends_too_soon_is_told_in_time(lab_vault: SetUpVault) -> None:
    session, life = lab_vault.running.session(), lab_vault.trust.lifetimes
    assert list(expiring(session, lab_vault.trust)) == []
    late = datetime.now(UTC) + timedelta(hours=life.issuing_h) - timedelta(hours=life.certificate_h)
    [told] = expiring(session, lab_vault.trust, late)
    assert told.startswith("CN=Heiiki lab issuing CA 1 ends on ")
    later = datetime.now(UTC) + timedelta(hours=life.root_h) - timedelta(hours=life.issuing_h)
    assert len(list(expiring(session, lab_vault.trust, later))) == 2


def test_the_steps_as_the_role_does_them(own: SetUpVault) -> None:
    def paths(step: Rotation, *, check: bool = False) -> list[str]:
        changes = rotate(own.access, own.plan, step, check=check)
        return [f"{change.path.partition('/')[0]} {change.before}{change.after}" for change in changes]

    assert paths(Rotation.ROOT, check=True) == ["pki-root a new root CA\n"]
    assert paths(Rotation.ISSUING, check=True) == ["pki-issuing a new issuing CA\n"]
    assert paths(Rotation.RETIRE, check=True) == []
    assert paths(Rotation.ISSUING) == ["pki-issuing issuing-2\n"]
    assert paths(Rotation.RETIRE, check=True) == ["pki-issuing issuing-1\n"]
    assert names(own) == [
        "pki-issuing/issuing-1",
        "pki-issuing/issuing-2",
        "pki-issuing/root-1",
        "pki-root/root-1",
    ]
    assert paths(Rotation.RETIRE) == ["pki-issuing issuing-1\n"]
    assert own.problems() == ()
