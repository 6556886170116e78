"""What a person may name by -i, as Ansible's own commands answer."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from heiiki.transport import host_key_options

ROOT = Path(__file__).resolve().parents[3]
LAB = ROOT / "inventories/lab"
SHARED_CONNECTION = ("-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s")
HOSTS = 31
"""Devices of the lab, managed or not."""


@dataclass(frozen=True)
class Answer:
    rc: int
    stdout: str
    said: str

    @property
    def hosts(self) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = json.loads(self.stdout)["_meta"]["hostvars"]
        return found


def ask(
    *sources: Path, cwd: Path, more: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> Answer:
    """Answer of `ansible-inventory --list`; with `settings` it is Ansible's own configuration plus those."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_HOME": str(cwd / ".ansible"), "HEIIKI_STATE": "/state", "COLUMNS": "999"}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")} if settings is None else dict(settings)
    done = subprocess.run(
        ["ansible-inventory", *(word for source in sources for word in ("-i", source)), "--list", *more],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, " ".join(done.stderr.split()))


@pytest.fixture
def service(tmp_path: Path) -> Path:
    shutil.copytree(LAB, tmp_path / "svc")
    return tmp_path / "svc"


def test_every_value_is_plain_and_a_foreign_file_is_a_warning(service: Path, tmp_path: Path) -> None:
    (service / "hosts").write_text("bastion ansible_host=192.0.2.9\n")
    answer = ask(service, service / "service.yml", cwd=tmp_path)
    assert "__ansible_unsafe" not in answer.stdout
    assert len(answer.hosts) == HOSTS
    found = answer.hosts["umeda-ce-a"]
    assert (found["heiiki_role"], found["ansible_connection"]) == ("ce_router", "heiiki.network.lab")
    assert f"{service}/hosts: is no file of the service in {service}: nothing is read from it" in answer.said
    # The checkout's ansible.cfg says where, not the folder in which one stands.
    assert found["heiiki_build"] == str(ROOT / "artifacts/lab/build")


def test_a_path_inside_a_service_is_an_error(service: Path, tmp_path: Path) -> None:
    answer = ask(service / "sites", cwd=tmp_path)
    assert answer.rc != 0
    assert (
        f"is in the folder of the service in {service}, which is not an inventory of this run" in answer.said
    )
    assert f"use -i {service}" in answer.said


def test_an_empty_folder_inside_a_service_is_an_error(service: Path, tmp_path: Path) -> None:
    (service / "host_vars").mkdir()
    assert ask(service / "host_vars", cwd=tmp_path).rc != 0


def test_two_services_below_one_folder_are_refused_with_their_names(tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(LAB, tmp_path / "inventories" / name)
    answer = ask(tmp_path / "inventories", cwd=tmp_path)
    assert answer.rc != 0
    first, second = (tmp_path / "inventories" / name for name in ("one", "two"))
    assert f"two services in one run: {first} and {second}" in answer.said


def test_a_file_of_hosts_in_the_folder_is_read_by_another_plugin(service: Path, tmp_path: Path) -> None:
    (service / "hosts").write_text("bastion ansible_host=192.0.2.9\n")
    settings = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_INVENTORY_ENABLED": "heiiki.network.intent,ini",
        "HEIIKI_ARTIFACTS": "/kept",
    }
    answer = ask(service, cwd=tmp_path, settings=settings)
    assert "__ansible_unsafe" not in answer.stdout
    found = answer.hosts
    assert set(found) > {"bastion", "umeda-ce-a"}
    assert found["umeda-ce-a"]["heiiki_artifacts"] == "/kept/lab"


@pytest.mark.parametrize(
    ("place", "settings"),
    [("svc/heiiki.yml", None), ("deep/er/osaka.yaml", {})],
    ids=["the checkout's settings", "Ansible's own settings"],
)
def test_a_settings_file_is_an_inventory(
    service: Path, tmp_path: Path, place: str, settings: Mapping[str, str] | None
) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    where = "" if place.startswith("svc/") else f"service: {os.path.relpath(service, file.parent)}\n"
    file.write_text(f"plugin: heiiki.network.intent\n{where}artifacts: ../kept\n")
    found = ask(file, cwd=tmp_path, settings=settings).hosts["umeda-ce-a"]
    assert found["heiiki_service_dir"] == str(service)
    assert os.path.normpath(found["heiiki_build"]) == str(file.parent.parent / "kept/lab/build")


def test_a_service_file_that_names_the_plugin_needs_no_settings(service: Path, tmp_path: Path) -> None:
    file = service / "service.yml"
    file.write_text(f"plugin: heiiki.network.intent\n{file.read_text()}")
    found = ask(file, cwd=tmp_path, settings={}).hosts
    assert len(found) == HOSTS
    assert found["dras"]["heiiki_artifacts"] == "/state/services/lab/artifacts"


def test_variables_of_a_person_have_precedence(service: Path, tmp_path: Path) -> None:
    everywhere = "ansible_user: netops\nansible_port: 2222\nansible_python_interpreter: /opt/py\n"
    texts = {"group_vars/all.yml": everywhere, "host_vars/dras.yml": "ansible_host: 192.0.2.77\n"}
    for name, text in texts.items():
        (service / name).parent.mkdir()
        (service / name).write_text(text)
    file = service / "service.yml"
    (service / "known_hosts").write_text("dras ssh-ed25519 AAAA\n")
    ssh = "kind: ssh, user: ops, known_hosts: known_hosts, sources: [192.168.200.0/24]"
    file.write_text(file.read_text().replace("kind: lab", ssh))
    found = ask(service, cwd=tmp_path).hosts["dras"]
    assert {key: found[key] for key in found if key.startswith("ansible_")} == {
        "ansible_user": "netops",
        "ansible_port": 2222,
        "ansible_host": "192.0.2.77",
        "ansible_python_interpreter": "/opt/py",
        "ansible_ssh_args": shlex.join((*SHARED_CONNECTION, *host_key_options(str(service / "known_hosts")))),
    }


_LOADED = """
import sys
from ansible.cli.inventory import InventoryCLI
try:
    InventoryCLI.cli_executor(["ansible-inventory", "-i", sys.argv[1], "--list"])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_a_play_loads_what_the_forks_of_its_hosts_need_and_nothing_of_a_push_or_a_measurement(
    tmp_path: Path,
) -> None:
    settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, str(LAB)],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.split())
    assert {"hvac", "heiiki.pki.enrol", "heiiki.pki.server.secrets"} <= loaded
    assert {"asyncssh", "heiiki.fleet.push", "heiiki.verify.run"} & loaded == set()
