"""A wired LAN with IEEE 802.1X: who is its authenticator and its supplicant, and what they are sent."""

import json

import pytest
from dot1x_service import FOLDER, controlled

from heiiki.intent import load
from heiiki.intent.lan import WiredLan
from heiiki.plan import Plan, build
from heiiki.plan.model import Authenticator, DeviceClass, LinkKind, Supplicant
from heiiki.render.model import DeviceBuild


@pytest.fixture(scope="module")
def plan() -> Plan:
    return controlled()[0]


@pytest.fixture(scope="module")
def builds() -> dict[str, DeviceBuild]:
    return {one.device: one for one in controlled()[1]}


def test_the_gateway_is_the_authenticator_and_the_controller_its_supplicant(plan: Plan) -> None:
    names = "lan.namba-gw.lab.internal", "namba-erc.lab.internal"
    gateway, controller = plan.device("namba-gw"), plan.device("namba-erc")
    assert gateway.authenticator == Authenticator("lan0", *names, "namba-erc")
    assert controller.supplicant == Supplicant("lan0", names[1], names[0], "namba-gw")
    assert {one.name for one in plan.devices if one.controlled_port} == {"namba-gw", "namba-erc"}
    assert not any(one.access_point or one.station for one in plan.devices)
    (leg,) = (link for link in plan.links if link.name == "namba-gw--namba-erc")
    assert leg.kind is LinkKind.LAN


def test_the_gateway_alone_bears_the_name_and_is_a_server_of_tls(plan: Plan) -> None:
    holders = {one.device for one in plan.identities() if "lan.namba-gw.lab.internal" in one.dns}
    servers = {one.device for one in plan.identities() if one.kind is DeviceClass.ACCESS_POINT}
    assert holders == servers == {"namba-gw"}


def test_without_it_a_wired_lan_is_open() -> None:
    intent = load(FOLDER)
    sites = (site.model_copy(update={"site_lan": WiredLan()}) for site in intent.sites)
    plan = build(intent.model_copy(update={"sites": tuple(sites)}))
    assert not any(one.controlled_port for one in plan.devices)
    identity = plan.device("namba-gw").identity
    assert identity is not None
    assert identity.dns == ("namba-gw.lab.internal",)


def content(builds: dict[str, DeviceBuild], device: str, path: str) -> str:
    return next(file.content for file in builds[device].files if file.path == path)


@pytest.mark.parametrize(
    ("device", "side", "peer"),
    [
        ("namba-gw", "authenticator", "02:00:0a:10:01:74"),
        ("namba-erc", "supplicant", "02:00:0a:10:01:71"),
    ],
)
def test_each_end_keeps_its_port_by_the_other_ends_link_address(
    builds: dict[str, DeviceBuild], device: str, side: str, peer: str
) -> None:
    told = json.loads(content(builds, device, "/etc/heiiki/controlled_port.json"))
    assert told == {"interface": "lan0", "side": side, "peer": peer}


def test_only_the_ends_have_a_port_in_their_filters(builds: dict[str, DeviceBuild]) -> None:
    with_port = {
        name
        for name, one in builds.items()
        if any("@let_in" in file.content for file in one.files if file.path == "/etc/nftables.conf")
    }
    assert with_port == {"namba-gw", "namba-erc"}


def test_the_port_starts_after_the_daemon_that_it_asks(builds: dict[str, DeviceBuild]) -> None:
    services = [one.name for one in builds["namba-erc"].services]
    last = services.index("heiiki-controlled-port")
    assert services[last - 2 : last] == ["heiiki-supplicant", "heiiki-supplicant-guard"]


def test_whom_new_lists_and_certificates_are_told(builds: dict[str, DeviceBuild]) -> None:
    told = json.loads(content(builds, "namba-gw", "/etc/heiiki/credentials.json"))["listeners"]
    assert [one[2:] for one in told] == [["dot1x", "renew", "lan0"]]
    told = json.loads(content(builds, "namba-erc", "/etc/heiiki/credentials.json"))["listeners"]
    assert told == [["systemctl", "try-reload-or-restart", "heiiki-supplicant-guard.service"]]
