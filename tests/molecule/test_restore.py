"""A snapshot of the Vault server from before a revocation is put back, and nothing returns: `make long`."""

import re
import shutil
import stat
from pathlib import Path

import pytest
from waiting import awaited

from heiiki.pki import marks
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole

from .commands import Commands
from .service import HUB, Service, changed

pytestmark = pytest.mark.long

STOLEN, KEPT, CONNECTION = "namba-gw", "sakai-gw-b", "s0023"


def taken(service: Service) -> Path:
    said = service.play("snapshot")
    found = re.search(r"msg: (/\S+\.snap)", said)
    assert found, said
    return Path(found[1])


def test_a_restore(lab: Commands, lab_inventory: Path, tmp_path: Path) -> None:
    # A copy: revoke.yml and enrol.yml write into the service.
    shutil.copytree(lab_inventory, tmp_path / "service")
    service = Service(lab, tmp_path / "service", tmp_path / "artifacts", tmp_path / "build")
    file = taken(service)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Made since, so that the snapshot does not know it.
    service.play("renew", "-e", "heiiki_force=true", "--limit", f"{STOLEN},{KEPT}")
    stolen, unknown = service.serial(STOLEN), service.serial(KEPT)
    service.play("revoke", "-e", f"heiiki_device={STOLEN}")
    before = {one["issuer"]: one["number"] for one in service.status(HUB)["crls"]}
    service.play("restore", "-e", f"heiiki_snapshot={file}")
    status = service.status(HUB)
    assert {stolen, unknown} <= set(status["refused_serials"])
    assert all(one["number"] > before[one["issuer"]] for one in status["crls"])
    assert service.serial(KEPT) != unknown, "the server does not know the certificate in use"
    trust = service.plan.pki
    with logged_in(service.access, AppRole.ENROLLER) as enroller:
        [identity] = (one for one in service.plan.identities() if one.device == STOLEN)
        assert not marks.signs(enroller, trust, identity)
    assert not service.associations(HUB, CONNECTION)
    service.play("site", "--limit", "vault")
    assert set(changed(service.play("site", "--limit", "vault")).values()) == {0}
    service.play("enrol", "-e", f"heiiki_device={STOLEN}", "-e", "heiiki_same_sim=true")
    awaited("it is in again", lambda: bool(service.associations(HUB, CONNECTION)))
    file.unlink()
    service.transport.close()
