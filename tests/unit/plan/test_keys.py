"""Every session of routing outside of IPsec has a key that its two ends alone share."""

from collections import defaultdict

from vendor_service import mixed

from heiiki.pki.server.secrets import new_key, routing_keys
from heiiki.plan import Plan, keys
from heiiki.plan.model import InterfaceKind


def test_a_session_has_a_key_unless_it_runs_inside_of_esp(plan: Plan) -> None:
    seen = set()
    for device in plan.devices:
        inside = {
            address
            for item in device.interfaces
            if item.kind in {InterfaceKind.GRE, InterfaceKind.XFRM}
            for one in item.addresses
            for address in one.network
        }
        for instance in device.router.bgp if device.router else ():
            for neighbor in instance.neighbors:
                assert (neighbor.key is None) == (neighbor.address in inside), (device.name, neighbor.device)
                seen.add(neighbor.key is None)
    assert seen == {True, False}


def test_both_ends_of_a_session_and_no_other_device_have_its_key(plan: Plan) -> None:
    holders: dict[str, set[str]] = defaultdict(set)
    for device in plan.devices:
        for path in device.router.keys if device.router else ():
            holders[path].add(device.name)
    clocks = {one.clock.key.path for one in plan.devices if one.clock and one.clock.key}
    optical = {path for one in plan.devices for path in one.session_keys}
    assert set(holders) | clocks | optical == set(routing_keys(plan))
    for path, devices in holders.items():
        _, protocol, ends = path.split("/")
        assert protocol in keys.PROTOCOLS
        assert set(ends.split("--")) == devices, path


def test_a_key_is_random_and_fits_every_protocol() -> None:
    path = keys.path(keys.BGP, "one", "other")
    one, other = new_key(path), new_key(path)
    assert one.keys() == {keys.FIELD}
    assert one != other
    # TCP_MD5SIG_MAXKEYLEN of Linux is 80; no protocol's parser takes blanks or quotes.
    assert 32 <= len(one[keys.FIELD]) <= 80
    assert one[keys.FIELD].isalnum()


def test_a_key_of_ntp_is_one_of_aes_256() -> None:
    assert len(bytes.fromhex(new_key(f"{keys.FOLDER}/{keys.NTP}/one")[keys.FIELD])) == 32


def test_keys_of_a_router_that_a_person_loads_are_made_as_any_other() -> None:
    plan, _ = mixed()
    made = set(routing_keys(plan))
    for device in plan.by_hand():
        assert device.router is not None
        assert device.clock is not None
        assert device.clock.key is not None
        assert {*device.router.keys, device.clock.key.path} <= made
