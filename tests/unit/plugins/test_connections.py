"""What observes devices reaches them as the plays do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.heiiki.network.plugins.plugin_utils.connections import hosts_of, ssh_host

from heiiki.errors import LabError
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Management
from heiiki.service import opened
from heiiki.transport import SshHost

LAB = Path(__file__).resolve().parents[3] / "inventories/lab"
DEFAULT = ("-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s")
OURS = {"ansible_host": "dras.mgmt.invalid", "ansible_user": "ops"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return replace(build(load(LAB)), management=Management("ssh", "ops", ".mgmt.invalid"))


def reached(plan: Plan, **more: Any) -> SshHost:
    variables = {"hostvars": {"dras": {"inventory_hostname": "dras", **OURS, **more}}}
    return ssh_host(plan.device("dras"), plan, variables)


def test_without_a_word_it_is_as_the_service_says(plan: Plan) -> None:
    found = reached(plan)
    assert (found.address, found.user, found.port, found.become) == ("dras.mgmt.invalid", "ops", None, ())
    assert found.options == DEFAULT


def test_a_host_that_no_inventory_has_is_reached_as_the_service_says(plan: Plan) -> None:
    pinned = replace(plan, management=replace(plan.management, known_hosts="/etc/my keys"))
    found = ssh_host(plan.device("dras"), pinned, {})
    assert (found.address, found.user, found.port, found.become) == ("dras.mgmt.invalid", "ops", None, ())
    assert found.options[: len(DEFAULT)] == DEFAULT
    assert "StrictHostKeyChecking=yes" in found.options
    assert 'UserKnownHostsFile="/etc/my keys"' in found.options


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"ansible_host": "192.0.2.77", "ansible_port": 2222}, {"address": "192.0.2.77", "port": 2222}),
        ({"ansible_user": "netops"}, {"user": "netops"}),
        ({"ansible_ssh_host": "192.0.2.78", "ansible_ssh_port": "2022"}, {"port": 2022}),
        ({"ansible_ssh_executable": "/opt/ssh"}, {"program": "/opt/ssh"}),
        ({"ansible_become": True}, {"become": ("sudo", "-n", "-u", "root", "--")}),
        (
            {"ansible_become": "yes", "ansible_become_method": "doas"},
            {"become": ("doas", "-n", "-u", "root")},
        ),
        ({"ansible_become": "no"}, {"become": ()}),
    ],
    ids=str,
)
def test_what_a_person_writes_holds_for_observation_too(
    plan: Plan, variables: dict[str, Any], wanted: dict[str, Any]
) -> None:
    found = reached(plan, **variables)
    assert {key: getattr(found, key) for key in wanted} == wanted


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ansible_ssh_private_key_file": "/keys/id"}, ["-o", "IdentityFile=/keys/id"]),
        ({"ansible_private_key_file": "/keys/id"}, ["-o", "IdentityFile=/keys/id"]),
        ({"ansible_ssh_common_args": "-J 'jump host' -4"}, ["-J", "jump host", "-4"]),
        ({"ansible_ssh_extra_args": "-o Compression=no"}, ["-o", "Compression=no"]),
        ({"ansible_ssh_args": "-F mine"}, ["-F", "mine"]),
        ({"ansible_host_key_checking": False}, ["-o", "StrictHostKeyChecking=no"]),
    ],
    ids=str,
)
def test_arguments_of_ssh_are_those_of_the_plays(
    plan: Plan, variables: dict[str, Any], words: list[str]
) -> None:
    options = list(reached(plan, **variables).options)
    at = options.index(words[1]) - 1
    assert options[at : at + len(words)] == words


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"ansible_connection": "paramiko"}, "dras: ansible_connection is paramiko: devices are observed"),
        ({"ansible_password": "x"}, "dras: ansible_password is set: devices are observed with keys only"),
        ({"ansible_become": True, "ansible_become_method": "su"}, "dras: ansible_become_method is su: "),
    ],
    ids=str,
)
def test_what_only_plays_can_do_is_refused(plan: Plan, variables: dict[str, Any], why: str) -> None:
    with pytest.raises(AnsibleError, match=why):
        reached(plan, **variables)


def test_the_use_cases_reach_devices_as_the_plays_do(plan: Plan) -> None:
    found = hosts_of({"hostvars": {"dras": {"inventory_hostname": "dras", **OURS, "ansible_port": 2222}}})(
        plan
    )
    assert found["dras"].port == 2222
    assert found["xmpp"].port is None


def test_without_a_lab_it_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEIIKI_STATE", str(tmp_path))
    with (
        pytest.raises(LabError, match=r"the lab in .*/lab is not up; run `heiiki lab up`"),
        opened(LAB).fleet(),
    ):
        pytest.fail("there is no lab")
