"""IPsec and identities of the plan: both ends agree, every tunnel is covered, no name is used twice."""

from collections import Counter

import pytest

from heiiki.plan import Plan
from heiiki.plan.model import Device, DeviceClass, EspMode, IpsecConnection
from heiiki.plan.timers import PROFILES


def mirrored(one: IpsecConnection, device: Device, other: IpsecConnection) -> bool:
    return (
        (one.local, one.remote, one.local_id, one.remote_id)
        == (other.remote, other.local, other.remote_id, other.local_id)
        and (one.selector.local, one.selector.remote) == (other.selector.remote, other.selector.local)
        and (one.mode, one.protects, one.selector.protocol)
        == (other.mode, other.protects, other.selector.protocol)
        and one.initiates is not other.initiates
        and other.peer == device.name
    )


def test_every_connection_has_its_mirror_at_the_peer_and_one_of_the_two_begins(plan: Plan) -> None:
    seen = 0
    for device in plan.devices:
        for connection in device.ipsec:
            peer = plan.device(connection.peer)
            assert sum(mirrored(connection, device, other) for other in peer.ipsec) == 1
            assert connection.local in device.addresses
            seen += 1
    assert seen == 2 * (2 * len(plan.sites) + 2)


def test_every_tunnel_is_inside_a_transport_association_of_its_own(plan: Plan) -> None:
    for device in plan.devices:
        tunnels = {(item.gre.local, item.gre.remote) for item in device.interfaces if item.gre}
        covered = {(one.local, one.remote) for one in device.ipsec if one.mode is EspMode.TRANSPORT}
        assert tunnels == covered
        assert all(
            one.selector.protocol == "gre" and one.selector.local.prefixlen == 32
            for one in device.ipsec
            if one.mode is EspMode.TRANSPORT
        )


def test_a_tunnel_passes_its_uplink_encrypted_only(plan: Plan) -> None:
    uplinks = {"access-a", "wwan0"}
    for device in plan.devices:
        if device.site is not None and device.ipsec:
            assert device.firewall is not None
            assert set(device.firewall.encrypted) == {item.name for item in device.interfaces} & uplinks


def test_what_arrives_on_the_hubs_line_in_clear_is_in_no_customers_network(plan: Plan) -> None:
    edge = next(item for item in plan.devices if item.name == "a-pe1")
    assert (edge.interface("ac-hub").vrf, edge.interface("esp-hub").vrf) == (None, "hub")


def test_whoever_speaks_ipsec_has_a_certificate_by_the_name_it_claims(plan: Plan) -> None:
    for device in plan.devices:
        for connection in device.ipsec:
            assert device.identity is not None
            assert connection.local_id == device.identity.common_name
            assert device.crl_source is not None, "who verifies needs revocation lists"


def test_whoever_verifies_has_a_mirror_below_the_tunnels_and_is_let_in_there(plan: Plan) -> None:
    """By an address that leads there before any tunnel is up: its tunnels' ends, or the hub's own LAN.

    Who verifies inside of the closed group alone asks both, on their LAN.
    """
    for device in plan.devices:
        if device.crl_source is None:
            continue
        mirrors = {one.device: one for one in device.crl_source.mirrors}
        hub = {"hub-ce-a", "hub-ce-b"}
        wanted = {one.peer for one in device.ipsec} if device.ipsec else hub
        wanted = hub - {device.name} if device.name in hub else wanted
        assert mirrors.keys() == wanted
        for name, one in mirrors.items():
            there = plan.device(name)
            assert there.crl_mirror
            assert one.address in there.addresses
            assert one.client.address in device.addresses
            assert there.firewall is not None
            opened = [item for item in there.firewall.services if item.name == "crl_mirror"]
            assert any(one.client.address in source for item in opened for source in item.sources)
            several = len({item.network for item in device.ipsec}) > 1 and device.site is not None
            assert bool(one.client.interface) == several, "each network by its own interface (T15)"


def test_no_two_devices_share_a_name(plan: Plan) -> None:
    names = Counter(
        name for identity in plan.identities() for name in (*identity.dns, *identity.uris, *identity.jids)
    )
    assert set(names.values()) == {1}
    assert all(name.endswith(".internal") for identity in plan.identities() for name in identity.dns)


def test_host_names_know_no_underscore(plan: Plan) -> None:
    assert not any("_" in name for identity in plan.identities() for name in identity.dns)


def test_only_who_speaks_xmpp_has_an_address_of_it(plan: Plan) -> None:
    named = {identity.device for identity in plan.identities() if identity.jids}
    controllers = {one.device for one in plan.identities() if one.kind is DeviceClass.EMS}
    assert named == controllers | {"dras", "xmpp"}


@pytest.mark.parametrize("name", PROFILES)
def test_ike_gives_a_peer_up_after_bfd_did_and_soon_enough_for_a_tunnel_to_be_back(name: str) -> None:
    timers = PROFILES[name]
    ike = timers.ike
    assert timers.active.detection_ms / 1000 < ike.give_up_s < 30
    assert ike.rekey_esp_s < ike.rekey_ike_s
    assert ike.retransmit_tries >= 3, "two packets lost in a row are no dead peer"


def test_in_production_liveness_costs_nothing_while_bfd_is_heard() -> None:
    timers = PROFILES["production"]
    assert timers.ike.dpd_delay_s * 1000 >= 2 * timers.standby.interval_ms
    assert timers.ike.give_up_s == pytest.approx(10 + 1 + 1.4 + 1.96 + 2.744 + 3.8416)
    assert PROFILES["laboratory"].ike.give_up_s == pytest.approx(2 + 0.8 + 0.96 + 1.152 + 1.3824)
