"""Three Vault servers: who may speak to whom, what certificates say, and what does not move."""

import json
import re
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from three_vaults import EXAMPLE, VAULTS, with_vaults

from heiiki.design import design
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Function
from heiiki.render import compile_plan
from heiiki.render.compile import compile_device
from heiiki.requirements import Result
from heiiki_lab.root.builder import server_program


@pytest.fixture(scope="module")
def one() -> Plan:
    return build(load(EXAMPLE))


@pytest.fixture(scope="module")
def three() -> Plan:
    return with_vaults()


def test_one_server_is_what_it_was(one: Plan) -> None:
    assert with_vaults("vault") == one


def test_further_servers_move_no_address(one: Plan, three: Plan) -> None:
    for device in one.devices:
        if device.function is not Function.SWITCH:
            assert device.interfaces == three.device(device.name).interfaces, device.name
    assert one.pki.servers == three.pki.servers[:1]
    used = [address for device in three.devices for address in device.addresses]
    for server in three.pki.servers:
        assert used.count(server.address) == used.count(server.service_address) == 1


def test_the_cluster_s_port_is_open_between_the_servers_alone(three: Plan) -> None:
    opened: dict[str, set[IPv4Network]] = {}
    for device in three.devices:
        for service in device.firewall.services if device.firewall else ():
            if 8201 in service.ports:
                assert service.interfaces == ("lan0",)
                opened[device.name] = set(service.sources)
    addresses = {one.device: IPv4Network(one.address) for one in three.pki.servers}
    assert opened == {
        name: {address for other, address in addresses.items() if other != name} for name in VAULTS
    }


def test_one_server_opens_no_port_for_a_cluster(one: Plan) -> None:
    services = [service for device in one.devices if device.firewall for service in device.firewall.services]
    assert not [service for service in services if 8201 in service.ports]


def test_each_certificate_names_its_own_server_and_no_other(three: Plan) -> None:
    for server in three.pki.servers:
        identity = three.device(server.device).identity
        assert identity is not None
        assert identity.dns == (server.host,)
        assert identity.addresses == (server.address, server.service_address)
    assert len({server.host for server in three.pki.servers}) == len(VAULTS)


def test_whoever_asks_one_server_can_ask_each(three: Plan) -> None:
    for device in three.devices:
        if device.crl_source is not None:
            assert len({one.host for one in device.crl_source.servers}) == len(VAULTS)


def test_a_log_in_works_from_each_server(three: Plan) -> None:
    for server in three.pki.servers:
        assert {IPv4Network(server.address), IPv4Network(server.service_address)} <= set(
            three.pki.controllers
        )


def test_the_loss_of_each_server_is_a_row_of_the_fault_table(three: Plan) -> None:
    tried = {fault.target for fault in three.faults}
    assert set(VAULTS) <= tried


def test_the_design_is_judged_as_with_one(one: Plan, three: Plan) -> None:
    def results(plan: Plan) -> dict[tuple[str, str], Result]:
        found = design(plan, compile_plan(plan))
        return {(verdict.requirement, verdict.subject): verdict.result for verdict in found}

    before, after = results(one), results(three)
    assert {key: after[key] for key in before} == before
    assert Result.FAIL not in after.values()


@pytest.mark.parametrize("name", VAULTS)
def test_the_server_knows_every_line_but_the_other_products(three: Plan, name: str, tmp_path: Path) -> None:
    made = compile_device(three, three.device(name))
    text = next(file.content for file in made.files if file.path == "/etc/heiiki/vault.hcl")
    (tmp_path / "vault.hcl").write_text(text)
    argv = [server_program()[1], "operator", "validate-config", f"-config={tmp_path}/vault.hcl"]
    said = json.loads(subprocess.run([*argv, "-format=json"], capture_output=True, check=False).stdout)
    assert ["disable_mlock" in told for told in said["warnings"]] == [True]
    assert text.count("retry_join {") == text.count("leader_ca_cert_file") == 2
    assert "tls_skip_verify" not in text
    # What it reads and writes is where its own user may: another folder of /run is root's alone.
    own = ("/run/heiiki-vault/", "/var/lib/heiiki-vault", "/var/log/heiiki-vault/", "/var/log/heiiki/audit/")
    assert [path for path in re.findall(r'= "(/[^"]*)"', text) if not path.startswith(own)] == []
