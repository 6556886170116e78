"""The intent as an inventory."""

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible_collections.heiiki.network.plugins.inventory import intent
from ansible_collections.heiiki.network.plugins.inventory.intent import InventoryModule
from ansible_collections.heiiki.network.plugins.plugin_utils import _heiiki
from vendor_service import FOLDER as VENDORS
from vendor_service import mixed

from heiiki.intent.consistency import reserved
from heiiki.intent.forms import NAME
from heiiki.plan import Plan
from heiiki.plan.model import BgpInstance, Device, Management

LAB = Path(__file__).resolve().parents[3] / "inventories/lab"


def plugin() -> InventoryModule:
    """The plugin as Ansible's loader makes it, which knows its options."""
    options = yaml.safe_load(intent.DOCUMENTATION)["options"]
    constants.config.initialize_plugin_configuration_definitions("inventory", intent.NAME, options)
    made = InventoryModule()
    made._load_name = made.ansible_name = intent.NAME
    return made


def inventory(service: Path) -> InventoryData:
    data = InventoryData()
    plugin().parse(data, DataLoader(), str(service / "service.yml"))
    data.reconcile_inventory()
    return data


@pytest.fixture(scope="module")
def lab() -> InventoryData:
    return inventory(LAB)


def members(data: InventoryData, group: str) -> list[str]:
    return [host.name for host in data.groups[group].get_hosts()]


def test_a_site_is_a_group_of_its_own_name(lab: InventoryData) -> None:
    assert members(lab, "umeda") == ["umeda-ce-a", "umeda-gw-b", "umeda-bems"]


def test_devices_are_grouped_by_role_function_and_network(lab: InventoryData) -> None:
    assert members(lab, "pe_router") == ["a-pe1", "a-pe2", "a-p1", "b-edge"]
    assert members(lab, "function_p") == ["a-p1"]
    assert "namba-gw" in members(lab, "network_a")
    assert "namba-gw" in members(lab, "network_b")


def test_a_device_that_no_role_provisions_is_unmanaged_and_nothing_else(lab: InventoryData) -> None:
    assert {group.name for group in lab.hosts["b-mme"].get_groups()} == {"all", "unmanaged"}
    assert not set(members(lab, "managed")) & set(members(lab, "unmanaged"))


def test_a_host_carries_what_its_role_needs(lab: InventoryData) -> None:
    found = lab.hosts["umeda-ce-a"].get_vars()
    assert {
        key: found[key] for key in ("heiiki_device", "heiiki_role", "heiiki_site", "heiiki_function")
    } == {
        "heiiki_device": "umeda-ce-a",
        "heiiki_role": "ce_router",
        "heiiki_site": "umeda",
        "heiiki_function": "CE",
    }
    assert lab.groups["managed"].get_vars()["ansible_connection"] == "heiiki.network.lab"
    assert {session["peer"] for session in found["heiiki_sessions"]} == {"a-pe2", "hub-ce-a", "umeda-gw-b"}


def other_types(value: object) -> set[type]:
    """The types in a variable that Ansible does not store: subclasses of the plain ones among them."""
    if type(value) is dict:
        return {kind for pair in value.items() for part in pair for kind in other_types(part)}
    if type(value) is list:
        return {kind for item in value for kind in other_types(item)}
    kind: type = getattr(type(value), "_native_type", type(value))  # below Ansible's mark of trust
    return set() if kind in {str, int, float, bool, type(None)} else {kind}


def test_every_variable_is_of_a_plain_type(lab: InventoryData) -> None:
    variables = [host.get_vars() for host in lab.hosts.values()] + [lab.groups["all"].get_vars()]
    # What Ansible itself adds to a host is its own affair.
    own = [{key: value for key, value in found.items() if key.startswith("heiiki")} for found in variables]
    assert len(own) > 20
    assert other_types(own) == set()


def test_a_user_who_is_not_root_becomes_root() -> None:
    def variables(management: Management) -> dict[str, object]:
        return intent.connection(replace(_plan(), management=management))

    assert variables(Management("ssh", "ops", become=True))["ansible_become"] is True
    assert "ansible_become" not in variables(Management("ssh", "root"))


def test_real_devices_are_reached_over_ssh() -> None:
    device = next(iter(_plan().managed()))
    plan = replace(_plan(), management=Management("ssh", "operator", ".mgmt.example"))
    assert intent.host_variables(device, plan)["ansible_host"] == f"{device.name}.mgmt.example"
    assert intent.connection(plan) == {
        "ansible_user": "operator",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_args": "-C -o ControlMaster=auto -o ControlPersist=60s -o StrictHostKeyChecking=yes "
        "-o UpdateHostKeys=no -o ForwardAgent=no",
    }


def _plan() -> Plan:
    return intent.load_plan(LAB)


def test_a_session_in_a_vrf_is_looked_for_there() -> None:
    found = intent.sessions(_plan().device("a-pe2"))
    assert {"peer": "umeda-ce-a", "vrf": "s0017"} in [
        {"peer": session["peer"], "vrf": session["vrf"]} for session in found
    ]
    assert isinstance(_plan().device("a-pe2").router.bgp[0], BgpInstance)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "claimed"),
    [
        ("service.yml", True),
        ("retired.yml", True),
        ("sites/0017-umeda.yml", True),
        ("../../playbooks/site.yml", False),
    ],
)
def test_the_plugin_claims_a_service_and_what_belongs_to_it(name: str, claimed: bool) -> None:
    assert InventoryModule().verify_file(str((LAB / name).resolve())) is claimed


def test_the_other_files_of_a_service_bring_no_hosts() -> None:
    data = InventoryData()
    with patch.object(intent, "is_named", return_value=True):
        plugin().parse(data, DataLoader(), str(LAB / "sites/0017-umeda.yml"))
    assert data.hosts == {}


@pytest.mark.parametrize(
    "name", ["sites/0017-umeda.yml", "retired.yml", "revoked.yml", "host_vars/dras.yml", "hosts"]
)
def test_a_file_of_a_service_that_is_not_named_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "service.yml").write_text("service: x\n")
    with pytest.raises(AnsibleParserError) as caught:
        plugin().parse(InventoryData(), DataLoader(), str(tmp_path / name))
    assert str(caught.value) == (
        f"{tmp_path / name}: is in the folder of the service in {tmp_path}, which is not an inventory of "
        f"this run; use -i {tmp_path}, and --limit for one site"
    )


def test_a_second_service_is_refused_and_the_first_is_as_it_was(tmp_path: Path) -> None:
    shutil.copytree(LAB, tmp_path / "two")
    data = inventory(LAB)
    before = {name: dict(host.vars) for name, host in data.hosts.items()}
    with pytest.raises(AnsibleParserError) as caught:
        plugin().parse(data, DataLoader(), str(tmp_path / "two/service.yml"))
    assert str(caught.value) == (
        f"two services in one run: {LAB} and {tmp_path}/two; their devices have names in common: "
        "name one of them by -i"
    )
    assert {name: dict(host.vars) for name, host in data.hosts.items()} == before


def test_a_folder_whose_name_is_a_template_is_refused(tmp_path: Path) -> None:
    shutil.copytree(LAB, tmp_path / "{{ lookup('pipe', 'id') }}")
    with pytest.raises(AnsibleParserError, match="as a template; choose another name"):
        inventory(tmp_path / "{{ lookup('pipe', 'id') }}")


def test_a_settings_file_without_a_service_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text("plugin: heiiki.network.intent\nservice: osaka\n")
    with pytest.raises(AnsibleParserError) as caught:
        plugin().parse(InventoryData(), DataLoader(), str(file))
    assert str(caught.value) == (
        f"{file}: service: there is no service.yml in {tmp_path}/osaka; name the service's folder"
    )


def broken(tmp_path: Path) -> Path:
    (tmp_path / "sites").mkdir()
    for path in (LAB / "service.yml", *LAB.glob("sites/*.yml")):
        text = path.read_text(encoding="utf-8")
        if path.parent.name == "sites":
            text = text.replace("primary:", "primry:")
        (tmp_path / path.relative_to(LAB)).write_text(text, encoding="utf-8")
    return tmp_path


def test_every_mistake_is_told_one_a_line(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError) as caught:
        inventory(broken(tmp_path))
    first, *lines = str(caught.value).splitlines()
    assert first == f"the service in {tmp_path} cannot be read:"
    misspelt = [line for line in lines if "primry" in line]
    assert [Path(line.split(":")[0]).name for line in misspelt] == [
        "0017-umeda.yml",
        "0023-namba.yml",
        "0042-sakai.yml",
    ]


def test_a_site_may_not_be_called_as_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def groups(device: Device) -> list[str]:
        return [str(device.role), "umeda"]

    monkeypatch.setattr(intent, "groups", groups)
    with pytest.raises(AnsibleParserError) as caught:
        inventory(LAB)
    assert str(caught.value) == (
        "sites: umeda: the inventory has a group or device of that name; give the site another name"
    )


def test_many_hosts_are_added_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _plan()
    many = tuple(
        _renamed(device, f"{device.name}-{number}") for number in range(150) for device in plan.devices
    )
    made = plugin()
    made.inventory = InventoryData()
    monkeypatch.setattr(made, "_add_groups", lambda _plan: _all_groups(made, plan))
    began = time.process_time()
    made._fill(_with_devices(plan, many), LAB)
    assert len(made.inventory.hosts) == len(many)
    assert time.process_time() - began < 5


def _renamed(device: Device, name: str) -> Device:
    return replace(device, name=name)


def _with_devices(plan: Plan, devices: tuple[Device, ...]) -> Plan:
    return replace(plan, devices=devices)


def _all_groups(plugin: InventoryModule, plan: Plan) -> None:
    for name in {group for device in plan.managed() for group in intent.groups(device)}:
        plugin.inventory.add_group(name)
    for name in ("managed", "unmanaged", *(site.name for site in plan.sites)):
        plugin.inventory.add_group(name)


def test_no_site_may_be_called_as_a_group_or_a_host(lab: InventoryData) -> None:
    """The check of the intent knows every name that the inventory takes for something else."""
    sites = {site.name for site in _plan().sites}
    names = (lab.groups.keys() | lab.hosts.keys()) - sites
    possible = {name for name in names if re.fullmatch(NAME, name)}
    assert {"vault", "managed", "pe_router", "function_pe", "network_a"} <= possible
    assert [name for name in sorted(possible) if not reserved(name)] == []


def test_a_former_key_is_a_deprecation_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notices: list[str] = []
    monkeypatch.setattr(_heiiki.display, "deprecated", lambda text, **_: notices.append(text))
    shutil.copytree(LAB, tmp_path / "lab")
    file = tmp_path / "lab" / "service.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("test_equipment:", "witnesses:"), "utf-8")
    assert "test-ue" in members(inventory(tmp_path / "lab"), "unmanaged")
    (notice,) = notices
    assert f"{file}:" in notice


def test_a_router_of_a_vendor_is_named_as_loaded_by_hand_and_no_play_has_it() -> None:
    found = inventory(VENDORS)
    plan = mixed()[0]
    names = {device.name for device in plan.by_hand()}
    assert set(members(found, "by_hand")) == names
    for name in names:
        assert {group.name for group in found.hosts[name].get_groups()} == {"all", "unmanaged", "by_hand"}


def test_no_device_waits_for_a_session_with_a_router_of_a_vendor() -> None:
    found = inventory(VENDORS)
    names = {device.name for device in mixed()[0].by_hand()}
    awaited = {
        session["peer"]
        for name in members(found, "managed")
        for session in found.hosts[name].get_vars()["heiiki_sessions"]
    }
    assert not names & awaited
    assert {"umeda-ce-a", "umeda-gw-b"} <= awaited


def test_a_service_on_linux_has_no_group_of_what_is_loaded_by_hand(lab: InventoryData) -> None:
    assert "by_hand" not in lab.groups
