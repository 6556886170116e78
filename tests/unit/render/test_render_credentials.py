"""What devices are sent for their certificates is what the device's program reads."""

import json
import re
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import DeviceBuild, agent, compile_plan
from heiiki.render.credentials import CONFIG, SERVICE
from heiiki_agent import config as reader
from heiiki_agent.pki.settings import Settings, Source

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


@pytest.fixture(scope="module")
def builds(plan: Plan) -> dict[str, DeviceBuild]:
    return {item.device: item for item in compile_plan(plan)}


def config(item: DeviceBuild) -> Settings:
    (text,) = (file.content for file in item.files if file.path == CONFIG)
    return reader.parse(Settings, text, CONFIG)


def test_every_device_with_an_identity_and_no_other_keeps_credentials(
    plan: Plan, builds: dict[str, DeviceBuild]
) -> None:
    for device in plan.managed():
        paths = {file.path for file in builds[device.name].files}
        assert (CONFIG in paths) == (device.identity is not None)
        assert agent.PATH in paths or CONFIG not in paths


def test_the_names_are_those_of_the_plan(plan: Plan, builds: dict[str, DeviceBuild]) -> None:
    for device in plan.managed():
        if (identity := device.identity) is None:
            continue
        names = config(builds[identity.device]).names
        assert (names.dns, names.uris, names.jids) == (identity.dns, identity.uris, identity.jids)
        assert names.addresses == tuple(map(str, identity.addresses))


def test_who_verifies_peers_pulls_the_crls_of_both_cas(plan: Plan, builds: dict[str, DeviceBuild]) -> None:
    for device in plan.managed():
        pulls = any(service.name == SERVICE for service in builds[device.name].services)
        assert pulls == (device.crl_source is not None)
        if pulls:
            where = config(builds[device.name]).revocation
            assert where is not None
            assert where.mounts == (plan.pki.issuing_mount, plan.pki.root_mount)
            address = "10.96.3.253" if device.ipsec else "10.15.0.6"
            assert (where.url, where.host) == (f"https://{address}:8200", "vault.lab.internal")


def test_who_has_tunnels_asks_from_where_they_end_and_others_from_where_they_are_routed(
    builds: dict[str, DeviceBuild],
) -> None:
    assert config(builds["umeda-gw-b"]).sources == (Source("10.112.0.17"),)
    assert config(builds["hub-ce-a"]).sources == (Source("10.80.0.2"), Source("10.96.3.254"))
    for name in ("vault", "umeda-bems"):
        assert config(builds[name]).sources == ()


def test_the_one_gateway_of_a_site_asks_over_each_network_by_its_own_interface(
    builds: dict[str, DeviceBuild],
) -> None:
    over_a, over_b = Source("10.96.0.23", "access-a"), Source("10.112.0.23", "wwan0")
    assert config(builds["namba-gw"]).sources == (over_a, over_b)


def test_whoever_uses_a_certificate_loads_it(builds: dict[str, DeviceBuild]) -> None:
    (load_creds,) = config(builds["hub-ce-b"]).users
    assert load_creds[:2] == ("swanctl", "--load-creds")
    assert [config(builds[name]).associations for name in ("hub-ce-b", "vault")] == [True, False]
    (reload,) = config(builds["vault"]).users
    assert reload[2:4] == ("vault-node", "reload")
    assert config(builds["sakai-gw-b"]).users == (load_creds,)


def test_the_xmpp_server_has_its_credentials_as_a_user_of_its_own(builds: dict[str, DeviceBuild]) -> None:
    found, contents = config(builds["xmpp"]), builds["xmpp"].contents
    assert found.users == (("systemctl", "try-reload-or-restart", "prosody.service"),)
    (copies,) = found.copies
    assert (copies.user, copies.plain) == ("prosody", True)
    read = re.findall(r'"(/etc/heiiki/pki/[^"]+)/', contents["/etc/prosody/prosody.cfg.lua"])
    assert {Path(one) for one in read} == {copies.folder}


@pytest.mark.parametrize(
    ("device", "end"),
    [
        ("dras", "openadr-vtn"),
        ("umeda-bems", "openadr-ven"),
        ("umeda-bems", "mms-server"),
        ("dras", "mms-client"),
    ],
)
def test_each_program_has_its_credentials_as_a_user_of_its_own(
    builds: dict[str, DeviceBuild], device: str, end: str
) -> None:
    found = config(builds[device])
    assert ("systemctl", "try-reload-or-restart", f"heiiki-{end}.service") in found.users
    read = json.loads(builds[device].contents[f"/etc/heiiki/{end.replace('-', '_')}.json"])
    (credentials,) = (one["credentials"] for one in read.get("vtns", [read]))
    (folder,) = {Path(one).parent for one in credentials.values()}
    (copies,) = (one for one in found.copies if one.folder == folder)
    unit = builds[device].contents[f"/etc/systemd/system/heiiki-{end}.service"]
    assert f"User={copies.user}\n" in unit


def test_both_ends_of_a_wireless_lan_have_one_file_of_cas_and_lists_and_are_told_of_lists(
    builds: dict[str, DeviceBuild],
) -> None:
    gateway, controller = config(builds["namba-gw"]), config(builds["namba-erc"])
    for found, name in ((gateway, "access_point"), (controller, "station")):
        copies = found.copies[-1]
        assert (copies.user, copies.plain) == ("root", True)
        read = re.findall(
            r"(/etc/heiiki/pki/[^\"\n]+)/", builds[found.device].contents[f"/etc/heiiki/{name}.conf"]
        )
        assert {Path(one) for one in read} == {copies.folder}
    assert gateway.users[0][:2] == ("swanctl", "--load-creds")
    assert gateway.listeners == (("python3", agent.PATH, "wlan", "renew", "lan0"),)
    assert controller.listeners == (("systemctl", "try-reload-or-restart", "heiiki-station-guard.service"),)
    assert config(builds["umeda-gw-b"]).listeners == ()
