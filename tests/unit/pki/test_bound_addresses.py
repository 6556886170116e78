"""A log-in, and a device's token, work from where the plan says and from nowhere else."""

from ipaddress import IPv4Network
from typing import Any

import pytest
from vault_calls import DENIED, GATEWAY, fault, opened
from vault_server import SetUpVault, make_request

from heiiki.errors import VaultError, VaultFault
from heiiki.pki.issue import signing_call
from heiiki.pki.server import roles
from heiiki.pki.server.desired import token_settings
from heiiki.pki.server.login import log_in, logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Network, Plan


def elsewhere(made: SetUpVault, path: str) -> dict[str, Any]:
    """What the settings at `path` are when they are bound to another address than that of the tests."""
    known = made.running.root.read(path) or {}
    keys = [key for key in ("token_bound_cidrs", "secret_id_bound_cidrs") if key in known]
    return {
        **{key: value for key, value in known.items() if key != "local_secret_ids"},
        **{key: ["192.0.2.1/32"] for key in keys},
    }


def test_a_log_in_works_from_the_addresses_of_controllers_only(lab_vault: SetUpVault) -> None:
    path = "auth/approle/role/auditor"
    before = lab_vault.running.root.read(path) or {}
    named = sorted(lab_vault.trust.controllers)
    assert before["secret_id_bound_cidrs"] == [str(one) for one in named]
    assert before["token_bound_cidrs"] == [str(one.network_address) for one in named]
    lab_vault.running.root.write(path, elsewhere(lab_vault, path))
    try:
        with pytest.raises(VaultError, match="work from other addresses only") as caught:
            log_in(lab_vault.access, AppRole.AUDITOR)
        assert caught.value.fault is VaultFault.TOKEN
    finally:
        before.pop("local_secret_ids")
        lab_vault.running.root.write(path, before)
    with logged_in(lab_vault.access, AppRole.AUDITOR):
        pass


def test_a_devices_token_works_from_its_own_addresses_only(lab_vault: SetUpVault) -> None:
    path, identity = roles.token_role_path(GATEWAY), lab_vault.identity(GATEWAY)
    before = lab_vault.running.root.read(path) or {}
    call, names = signing_call(lab_vault.trust, identity)
    lab_vault.running.root.write(path, elsewhere(lab_vault, path))
    try:
        asked = {**names, "csr": make_request(identity)}
        assert fault(lambda: opened(lab_vault, GATEWAY).write(call, asked)) in DENIED
    finally:
        lab_vault.running.root.write(path, before)
    assert fault(lambda: opened(lab_vault, GATEWAY).write(call, asked)) is None


def test_each_device_is_bound_to_its_addresses_on_both_networks(lab_plan: Plan) -> None:
    bound = {one.path.rpartition("/")[2]: one.values["token_bound_cidrs"] for one in token_settings(lab_plan)}
    gateway = lab_plan.device("namba-gw")
    assert gateway.sim is not None
    clients = {str(one.address) for one in gateway.vault_clients}
    assert len(clients) == len(Network)
    assert clients | {str(gateway.sim.address)} <= set(bound["namba-gw"])
    controllers = {str(one.network_address) for one in lab_plan.pki.controllers}
    for device in lab_plan.devices:
        if device.identity:
            own = {str(one.network_address) for one in device.sources}
            assert set(bound[device.name]) == own | controllers
    assert not any("/" in one for addresses in bound.values() for one in addresses)


def test_controllers_are_where_the_service_says(lab_plan: Plan) -> None:
    """Without a management network: the server's own host."""
    own = {IPv4Network("127.0.0.1/32"), IPv4Network(lab_plan.pki.address)}
    assert set(lab_plan.pki.controllers) == own | {IPv4Network(lab_plan.pki.service_address)}
