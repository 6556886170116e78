"""What the node of the Vault API server is sent: the server itself is asked, and what must not be is not."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import DeviceClass
from heiiki.render import DeviceBuild
from heiiki.render.compile import compile_device
from heiiki_agent import config as reader
from heiiki_agent import vault_node
from heiiki_lab.root.builder import server_program

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


@pytest.fixture(scope="module")
def made(plan: Plan) -> DeviceBuild:
    return compile_device(plan, plan.device(plan.pki.vault))


def text(made: DeviceBuild, path: str) -> str:
    return next(file.content for file in made.files if file.path == path)


def test_the_server_accepts_its_configuration(made: DeviceBuild, tmp_path: Path) -> None:
    file = next(file for file in made.files if file.path == "/etc/heiiki/vault.hcl")
    (tmp_path / "ok.hcl").write_text(file.content)
    (tmp_path / "wrong.hcl").write_text(file.content.replace("storage", "storage {", 1))
    program = str(server_program()[1])
    for name, accepted in (("ok.hcl", True), ("wrong.hcl", False)):
        argv = [word.replace("{path}", str(tmp_path / name)) for word in file.validate]
        argv[argv.index("/usr/local/lib/heiiki/vault")] = program
        assert (subprocess.run(argv, capture_output=True, check=False).returncode == 0) is accepted


def test_the_server_knows_every_line_but_the_other_products(made: DeviceBuild, tmp_path: Path) -> None:
    (tmp_path / "vault.hcl").write_text(text(made, "/etc/heiiki/vault.hcl"))
    argv = [
        server_program()[1],
        "operator",
        "validate-config",
        f"-config={tmp_path}/vault.hcl",
        "-format=json",
    ]
    said = json.loads(subprocess.run(argv, capture_output=True, check=False).stdout)
    assert [re.search(r"field (\w+)", told)[1] for told in said["warnings"]] == ["disable_mlock"]  # type: ignore[index]


def test_nothing_but_tls_on_the_servers_own_addresses(plan: Plan, made: DeviceBuild) -> None:
    config = text(made, "/etc/heiiki/vault.hcl")
    trust = plan.pki
    wanted = [f"{address}:{trust.port}" for address in (trust.address, trust.service_address)]
    assert re.findall(r'^  address = "(.*)"$', config, re.MULTILINE) == wanted
    assert config.count('tls_min_version = "tls12"') == len(wanted)
    assert config.count("unauthenticated_metrics_access = false") == len(wanted)
    assert "tls_disable" not in config
    inside = re.findall(r'cluster_address = "(.*?)"', config)
    assert [address.split(":")[0] for address in inside] == ["127.0.0.1", "127.0.0.1"]
    assert len(set(inside)) == len(inside), "a server binds a port once"


def test_config_unit_and_program_name_the_same_places(made: DeviceBuild) -> None:
    config, unit = text(made, "/etc/heiiki/vault.hcl"), text(made, "/etc/systemd/system/heiiki-vault.service")
    for path in (
        vault_node.KEY,
        vault_node.CERTIFICATE,
        vault_node.PID,
        vault_node.STATE,
    ):
        assert str(path) in config
    for folder, key in (
        (vault_node.RUN, "RuntimeDirectory"),
        (vault_node.STATE, "StateDirectory"),
    ):
        assert f"\n{key}={folder.name}\n" in unit


def test_the_first_certificate_bears_the_names_of_the_plan(plan: Plan, made: DeviceBuild) -> None:
    identity = plan.device(plan.pki.vault).identity
    assert identity is not None
    assert identity.kind is DeviceClass.SERVER
    read = reader.parse(vault_node.Settings, text(made, "/etc/heiiki/vault_server.json"), "F")
    assert (read.host, read.addresses) == (plan.pki.host, tuple(map(str, identity.addresses)))
    assert {str(plan.pki.address), str(plan.pki.service_address)} <= set(read.addresses)


def test_each_audit_log_is_bounded_by_size_on_a_volume_of_its_own(plan: Plan, made: DeviceBuild) -> None:
    server = plan.device(plan.pki.vault).vault
    assert server is not None
    paths = [log.path for log in server.audit_logs]
    assert len(set(paths)) == len(paths) >= 2
    assert re.findall(r'file_path = "(.*)"', text(made, "/etc/heiiki/vault.hcl")) == paths
    bounds = text(made, "/etc/heiiki/vault-logs.conf")
    assert re.findall(r"^(/\S+) \{\n    size \d+M\n    rotate \d+$", bounds, re.MULTILINE) == paths
    for name in ("heiiki-vault.service", "heiiki-vault-logs.service"):
        may_write = f"\nReadWritePaths={' '.join(log.folder for log in server.audit_logs)}\n"
        assert may_write in text(made, f"/etc/systemd/system/{name}")
    unit = text(made, "/etc/systemd/system/heiiki-vault.service")
    assert "\nWants=heiiki-vault-logs.timer\n" in unit
    [memory] = (log for log in server.audit_logs if log.memory_mib)
    assert memory.folder in unit.split("RequiresMountsFor=")[1].splitlines()[0]
    command = ["systemd-escape", "--path", "--suffix=mount", memory.folder]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    mount = text(made, f"/etc/systemd/system/{name}")
    assert f"\nWhere={memory.folder}\n" in mount
    # A volume that is full empties itself: compressing needs room, removing the oldest none.
    of_memory = bounds.split(memory.path)[1]
    assert "compress" not in of_memory
    assert memory.kept == 1
    # What is put aside and what comes within a minute has room.
    assert (memory.kept + 1) * memory.rotate_mib < memory.memory_mib / 2
