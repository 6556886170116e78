"""Every device of a LAN knows the link address of every other one beforehand."""

from collections import defaultdict
from ipaddress import IPv4Address, IPv4Interface

from heiiki.plan import Plan
from heiiki.plan.model import Device
from heiiki.plan.neighbours import claims, link_address


def lans(plan: Plan) -> list[list[Device]]:
    found: dict[str | None, list[Device]] = defaultdict(list)
    for device in plan.devices:
        if any(item.name == "lan0" for item in device.interfaces):
            found[device.site].append(device)
    return list(found.values())


def loopback(device: Device) -> list[IPv4Interface]:
    return [one for item in device.interfaces if item.kind == "loopback" for one in item.addresses]


def test_every_device_of_a_lan_knows_all_addresses_of_the_others(plan: Plan) -> None:
    assert len(lans(plan)) == len(plan.sites) + 1
    for members in lans(plan):
        for device in members:
            others = {
                address
                for other in members
                if other is not device
                for address in (
                    other.interface("lan0").addresses[0].ip,
                    *([other.vrrp.address] if other.vrrp else []),
                    *(one.ip for one in ([] if other.router else loopback(other))),
                )
            }
            own = {device.vrrp.address} if device.vrrp else set()
            assert {one.address for one in device.neighbours} == others - own, device.name


def test_all_devices_of_a_lan_agree_on_who_has_which_address(plan: Plan) -> None:
    for members in lans(plan):
        stations: dict[IPv4Address, set[str]] = defaultdict(set)
        for device in members:
            for one in claims(device):
                stations[one.address].add(one.link_address)
            assert device.interface("lan0").link_address in stations[device.interface("lan0").addresses[0].ip]
        assert {len(found) for found in stations.values()} == {1}
        legs = [device.interface("lan0").link_address for device in members]
        assert len(set(legs)) == len(legs)


def test_a_link_address_is_of_one_station_and_of_no_manufacturer() -> None:
    assert link_address(IPv4Address("10.16.1.20")) == "02:00:0a:10:01:14"


def test_a_virtual_gateway_has_the_address_of_the_standard(plan: Plan) -> None:
    """RFC 9568 7.3; the other gateway's priority is the one that it advertises with."""
    routers = [device for device in plan.devices if device.vrrp]
    for device in routers:
        vrrp = device.vrrp
        assert vrrp
        assert vrrp.link_address == f"00:00:5e:00:01:{vrrp.router_id:02x}"
        (other,) = (
            one.vrrp
            for one in routers
            if one.vrrp and one.vrrp.address == vrrp.address and one.name != device.name
        )
        assert (vrrp.peer_priority, other.peer_priority) == (other.priority, vrrp.priority)
