"""Sockets for whole frames that the daemons of a wireless LAN have, and that nobody else may."""

from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.verify.host.sockets import unexplained_packet_sockets, unexplained_sockets

SERVICES = {"heiiki-station", "heiiki-revocation"}


def frames(unit: str, interface: str, protocol: str) -> dict[str, Any]:
    return {"program": "program", "unit": unit, "interface": interface, "protocol": protocol}


@pytest.mark.parametrize(
    ("one", "explained"),
    [
        (frames("heiiki-station", "lan0", "3"), True),
        (frames("heiiki-station", "*", "34958"), True),
        (frames("heiiki-station", "*", "0"), True),
        (frames("heiiki-station", "*", "3"), False),
        (frames("heiiki-revocation", "*", "0"), False),
        (frames("heiiki-access-point", "lan0", "34958"), False),
        (frames("heiiki-revocation", "lan0", "34958"), False),
        (frames("", "lan0", "34958"), False),
    ],
    ids=str,
)
def test_a_station_speaks_eapol_and_hears_its_lan(
    plan: Plan, one: dict[str, Any], *, explained: bool
) -> None:
    found = list(unexplained_packet_sockets(plan.device("namba-erc"), SERVICES, (), [one]))
    assert (found == []) is explained


@pytest.mark.parametrize(
    ("unit", "port", "explained"),
    [
        ("heiiki-authenticator", "67", True),
        ("heiiki-authenticator", "68", False),
        ("heiiki-revocation", "67", False),
    ],
)
def test_hostapd_on_a_wire_has_the_port_of_dhcp_servers(
    plan: Plan, unit: str, port: str, *, explained: bool
) -> None:
    one = {"program": "hostapd", "unit": unit, "protocol": "udp", "address": "*", "port": port}
    services = {"heiiki-authenticator", "heiiki-revocation"}
    assert (list(unexplained_sockets(plan.device("namba-gw"), services, (), [one])) == []) is explained
