"""Every identifier that grows with the number of sites is unique and in range, up to the last site number."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from heiiki.cli.new_service import generate
from heiiki.intent import load
from heiiki.plan import Plan, build, names
from heiiki.plan.model import BgpInstance, Device, Interface, Network
from heiiki.render import compile_plan

SITES, LAST = 1000, 9999
DECLARED = re.compile(r"^\s+(counter|chain|set|map) (\S+) \{", re.MULTILINE)
RESERVED_TABLES = {0, 253, 254, 255}  # unspec, default, main, local (linux/rtnetlink.h)


@cache
def plan() -> Plan:
    """A thousand sites: half with the lowest numbers, half with the highest that the intent permits."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sites").mkdir()
        for file, text in generate("large", SITES, 11).items():
            (folder / file).write_text(text, encoding="utf-8")
        intent = load(folder)
    half = SITES // 2
    moved = tuple(
        site if site.number <= half else site.model_copy(update={"number": LAST - SITES + site.number})
        for site in intent.sites
    )
    assert (moved[0].number, moved[-1].number) == (1, LAST)
    return build(intent.model_copy(update={"sites": moved}))


def twice(values: Iterable[object]) -> list[object]:
    return [value for value, count in Counter(values).items() if count > 1]


def interfaces() -> list[tuple[Device, Interface]]:
    return [(device, interface) for device in plan().devices for interface in device.interfaces]


def instances() -> list[tuple[Device, BgpInstance]]:
    return [(device, one) for device in plan().devices if device.router for one in device.router.bgp]


def test_the_intent_permits_no_higher_number(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    for file, text in generate("large", 1, 1).items():
        changed = text.replace("number: 1\n", f"number: {LAST + 1}\n")
        (tmp_path / file).write_text(changed, encoding="utf-8")
    with pytest.raises(Exception, match=f"`{LAST + 1}` is out of range"):
        load(tmp_path)


def test_names_of_interfaces_fit_and_are_unique() -> None:
    assert [name for _, one in interfaces() for name in [one.name] if len(name) > 15] == []
    assert twice((device.name, one.name) for device, one in interfaces()) == []


def test_tables_are_unique_on_a_device_and_not_the_kernels() -> None:
    tables = [(device.name, one.table) for device, one in interfaces() if one.table is not None]
    assert len(tables) > SITES
    assert twice(tables) == []
    assert all(0 < number < 1 << 32 and number not in RESERVED_TABLES for _, number in tables)


def test_route_distinguishers_are_unique_and_two_octets_behind_the_as() -> None:
    """RFC 4364 4.2, type 0: a two-octet AS number and four octets; FRRouting and others read two safely."""
    found = [(one.vpn.distinguisher, one.vrf) for _, one in instances() if one.vpn]
    assert len({vrf for _, vrf in found}) > SITES
    own = {(text, vrf) for text, vrf in found}
    assert twice(text for text, _ in own) == []
    for text, _ in own:
        autonomous, number = map(int, text.split(":"))
        assert 0 < autonomous < 1 << 16
        assert 0 < number < 1 << 16


def test_router_ids_are_unique() -> None:
    found = {device.name: device.router.router_id for device in plan().devices if device.router}
    assert len(found) > SITES
    assert twice(found.values()) == []


def test_no_two_tunnels_of_a_device_have_the_same_ends() -> None:
    """GRE has no key here: its two ends are what the kernel tells tunnels apart by."""
    found = [(device.name, one.gre.local, one.gre.remote) for device, one in interfaces() if one.gre]
    assert len(found) == 4 * SITES
    assert twice(found) == []


def test_ids_of_xfrm_interfaces_are_unique_on_a_device() -> None:
    found = [(device.name, one.xfrm.if_id) for device, one in interfaces() if one.xfrm]
    assert twice(found) == []
    assert all(0 < number < 1 << 32 for _, number in found)


def test_connections_are_unique_on_a_device_by_name_and_by_ends() -> None:
    found = [(device.name, one) for device in plan().devices for one in device.ipsec]
    assert len(found) > 4 * SITES
    assert twice((name, one.name) for name, one in found) == []
    assert twice((name, one.local, one.remote) for name, one in found) == []


def test_addresses_are_unique() -> None:
    found = [address for device in plan().devices for address in device.addresses]
    assert len(found) > 8 * SITES
    assert twice(found) == []


def test_names_in_packet_filters_are_unique_and_fit() -> None:
    """Names of nftables: 255 octets at most (NFT_NAME_MAXLEN of linux/netfilter/nf_tables.h)."""
    texts = {
        one.device: one.contents["/etc/nftables.conf"]
        for one in compile_plan(plan())
        if "/etc/nftables.conf" in one.contents
    }
    assert {"a-pe2", "b-pgw", "hub-ce-a", "hub-ce-b"} <= texts.keys()
    declared = [(device, *found) for device, text in texts.items() for found in DECLARED.findall(text)]
    assert len(declared) > 4 * SITES
    assert twice(declared) == []
    assert [name for _, _, name in declared if len(name) > 255] == []


def test_names_by_number_are_unique_up_to_the_last() -> None:
    class Numbered:
        def __init__(self, number: int) -> None:
            self.number = number

    for named in (
        names.vrf,
        names.attachment,
        names.connection,
        names.radio,
        lambda site: names.tunnel(site, Network.A),
        lambda site: names.tunnel(site, Network.B),
    ):
        every = {named(Numbered(number)) for number in range(1, LAST + 1)}  # type: ignore[arg-type]
        assert len(every) == LAST
        assert max(map(len, every)) <= 15
