"""A LAN on the air: who is its access point and its station, and what their certificates are good for."""

from pathlib import Path

import pytest

from heiiki.design import wlan
from heiiki.intent import Site, load
from heiiki.intent.lan import WirelessLan
from heiiki.pki.server.roles import USAGES
from heiiki.plan import Plan, build
from heiiki.plan.model import Air, DeviceClass, LinkKind

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def test_the_gateway_is_the_access_point_and_the_controller_the_station(plan: Plan) -> None:
    (lan,) = wlan.lans(plan)
    assert (lan.site, lan.gateway.name, lan.controller.name) == ("namba", "namba-gw", "namba-erc")
    assert lan.access_point.air == lan.station.air == Air("lab-0023", 6, "JP")
    assert lan.in_service
    on_air = {device.name for device in plan.devices if device.access_point or device.station}
    assert on_air == {"namba-gw", "namba-erc"}
    assert [link.name for link in plan.links if link.kind is LinkKind.WLAN] == ["namba-gw--namba-erc"]


def test_each_knows_the_other_by_a_name_that_no_third_certificate_bears(plan: Plan) -> None:
    (lan,) = wlan.lans(plan)
    holders = {name: {one.device for one in plan.identities() if name in one.dns} for name in _names(plan)}
    assert holders[lan.station.access_point] == {"namba-gw"}
    assert holders[lan.access_point.station] == {"namba-erc"}
    assert lan.station.name == lan.access_point.station
    assert lan.access_point.name == lan.station.access_point


def _names(plan: Plan) -> set[str]:
    return {name for one in plan.identities() for name in one.dns}


def test_a_gateway_is_a_server_of_tls_only_where_it_is_an_access_point(plan: Plan) -> None:
    both = {kind for kind, usage in USAGES.items() if usage.tls_server and usage.ike}
    servers = {one.device for one in plan.identities() if one.kind in both}
    assert servers == {"namba-gw"}
    assert plan.device("umeda-gw-b").identity.kind is DeviceClass.GATEWAY  # type: ignore[union-attr]
    assert plan.device("namba-gw").identity.common_name == "namba-gw.lab.internal"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("channel", "mode", "frequency"), [(1, "g", 2412), (13, "g", 2472), (36, "a", 5180), (48, "a", 5240)]
)
def test_a_channel_has_its_band_and_frequency(channel: int, mode: str, frequency: int) -> None:
    air = Air("lab-0023", channel, "JP")
    assert (air.mode, air.frequency_mhz) == (mode, frequency)


def test_the_longest_name_on_the_air_fits() -> None:
    assert len(f"{'s' * 16}-9999".encode()) <= 32


def test_a_site_says_what_its_lan_is_or_has_a_wired_one() -> None:
    sites: dict[str, Site] = {site.name: site for site in load(EXAMPLE).sites}
    assert sites["namba"].site_lan == WirelessLan(medium="wifi", channel=6)
    assert sites["umeda"].site_lan.medium == "wired"
