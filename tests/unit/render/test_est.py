"""What the host of the registration authority is sent is what its program reads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from est_world import CISCO, ESP, plan

from heiiki.plan.model import Device
from heiiki.render import DeviceBuild, agent, compile_plan
from heiiki.render.credentials import CONFIG as CREDENTIALS
from heiiki.verify.host.sockets import unexplained_sockets
from heiiki_agent import config
from heiiki_agent.est import places
from heiiki_agent.est.__main__ import PROGRAMS
from heiiki_agent.est.settings import Settings


@pytest.fixture(scope="module")
def dras() -> Device:
    return plan().device("dras")


@pytest.fixture(scope="module")
def sent() -> DeviceBuild:
    (found,) = (one for one in compile_plan(plan()) if one.device == "dras")
    return found


def content(sent: DeviceBuild, path: object) -> str:
    (found,) = (file.content for file in sent.files if file.path == str(path))
    return found


def test_the_program_reads_its_configuration(sent: DeviceBuild, dras: Device) -> None:
    settings = config.parse(Settings, content(sent, places.CONFIG), "est.json")
    assert dras.est
    assert dras.identity
    assert settings.host == dras.identity.common_name
    assert {one.device for one in settings.devices} >= {CISCO, ESP}
    for one in dras.est.clients:
        (found,) = (known for known in settings.devices if known.device == one.identity.device)
        assert (found.names.dns, found.names.uris) == (one.identity.dns, one.identity.uris)
    assert [one.url for one in settings.vault.servers] == ["https://10.15.0.6:8200"]
    assert (settings.requests_per_s, settings.burst, settings.per_day) == (1, 20, 10)


def test_its_unit_starts_what_is_sent_by_an_account_of_its_own(sent: DeviceBuild) -> None:
    unit = content(sent, f"/etc/systemd/system/{places.UNIT}.service")
    assert f"\nUser={places.ACCOUNT}\n" in unit
    assert f"\nExecStart=/usr/bin/python3 {agent.service_path('est')} serve {places.CONFIG}\n" in unit
    (service,) = (one for one in sent.services if one.name == places.UNIT)
    assert set(service.restart_on) == {agent.service_path("est"), str(places.CONFIG)}


def test_it_has_copies_of_the_credentials_and_is_told_of_new_ones(sent: DeviceBuild) -> None:
    found = json.loads(content(sent, CREDENTIALS))
    assert {"folder": str(places.CREDENTIALS), "user": places.ACCOUNT} in found["copies"]
    assert ["systemctl", "try-reload-or-restart", f"{places.UNIT}.service"] in found["users"]


def test_its_socket_is_explained_where_it_is_planned(dras: Device) -> None:
    one = {
        "protocol": "tcp",
        "address": "10.15.0.4",
        "port": str(places.PORT),
        "program": "python3",
        "unit": places.UNIT,
    }
    assert list(unexplained_sockets(dras, {places.UNIT}, (), [one])) == []
    assert len(list(unexplained_sockets(dras, (), (), [one]))) == 1


@pytest.mark.parametrize("part", sorted(PROGRAMS))
def test_each_part_starts_from_its_own_application(tmp_path: Path, part: str) -> None:
    application = tmp_path / "heiiki-est.pyz"
    application.write_bytes(agent.service_archive("est"))
    # Packages of Debian, and no code of ours but what the archive brings.
    command = [sys.executable, "-P", str(application), part, "--help"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env={"PYTHONPATH": ""}
    )
    assert (done.returncode, done.stdout.split()[:3]) == (0, ["usage:", "est", part])
