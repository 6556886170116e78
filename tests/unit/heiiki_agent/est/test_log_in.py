"""The key by which the registration authority logs in: made there, replaced in time, used until then."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from est_world import CISCO, EstWorld

from heiiki.errors import CertificateError
from heiiki.pki.registrar import admit
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki_agent.est import log_in
from heiiki_agent.est.log_in import LogIns
from heiiki_agent.pki.names import Names
from heiiki_agent.pki.x509 import now, self_signed

HOST = "dras.lab.internal"


def kept(folder: Path, name: str, days: int) -> str:
    key, pem = self_signed(Names((HOST,)), days)
    (folder / f"{name}.key").write_text(key)
    (folder / f"{name}.pem").write_text(pem)
    return pem


def test_a_key_is_made_once_and_is_for_its_account_alone(tmp_path: Path) -> None:
    (made,) = LogIns(tmp_path / "keys", HOST).usable()
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert timedelta(days=89) < made.ends() < timedelta(days=log_in.LIFE_DAYS)
    assert LogIns(tmp_path / "keys", HOST).usable() == [made]


def test_a_new_one_is_made_in_time_and_the_former_stays(tmp_path: Path) -> None:
    former = kept(tmp_path, "20200101000000-1", 59)
    newest, other = LogIns(tmp_path, HOST).usable()
    assert newest.ends() > timedelta(days=89)
    assert other.pem() == former


def test_one_that_has_ended_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path, "20200101000000-1", 1)
    later = now() + timedelta(days=2)
    monkeypatch.setattr(log_in, "now", lambda: later)
    (left,) = LogIns(tmp_path, HOST).usable()
    assert {file.name for file in tmp_path.iterdir()} == {left.key.name, left.certificate.name}


def test_the_former_one_serves_until_the_server_takes_the_new_one(world: EstWorld) -> None:
    folder = world.folder / "log-in"
    key, pem = self_signed(Names((world.name,)), 90, ExtendedKeyUsageOID.CLIENT_AUTH)
    (folder / "29990101000000-1.key").write_text(key)
    (folder / "29990101000000-1.pem").write_text(pem)
    assert world.enrol(world.device(CISCO), world.secret(CISCO)).status == 200
    assert world.admit()
    assert world.enrol(world.device(CISCO), world.secret(CISCO)).status == 200


@pytest.mark.parametrize("what", ["another's", "a CA's", "nothing"])
def test_no_other_certificate_is_taken(world: EstWorld, what: str) -> None:
    shown = {
        "another's": self_signed(Names(("umeda-ce-a.lab.internal",)), 90)[1],
        "a CA's": (world.folder / "roots.pem").read_text(),
        "nothing": "",
    }[what]
    registrar = world.plan.pki.registrar
    assert registrar
    with (
        logged_in(world.vault.access, AppRole.CONFIGURATOR) as session,
        logged_in(world.vault.access, AppRole.AUDITOR) as reader,
        pytest.raises(CertificateError, match=r"^dras shows (no|a) certificate to log in by"),
    ):
        admit(session, reader, registrar, shown)


def test_the_server_is_as_planned_with_it(world: EstWorld) -> None:
    assert world.vault.problems() == ()
