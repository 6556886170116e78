"""The plan of random services: append-only, deterministic, and without a collision."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from heiiki.cli.new_service import generate
from heiiki.intent import Intent, load, pppoe
from heiiki.plan import Plan, build
from heiiki.plan.model import Device, ElementKind, FailureMode, Link, Network, SitePlan
from heiiki.plan.model import Path as Way
from heiiki.verify.run import ROW_S

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
HOST_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
MOST_SITES = 24


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> tuple[Intent, ...]:
    """Generated services of all variants, loaded once; sites are taken from them at random."""
    loaded = [load(EXAMPLE)]
    for seed in (1, 2, 3):
        folder = tmp_path_factory.mktemp("service")
        (folder / "sites").mkdir()
        for name, text in generate("random", MOST_SITES, seed).items():
            (folder / name).write_text(text, encoding="utf-8")
        loaded.append(load(folder))
    return tuple(loaded)


def some(intent: Intent, data: st.DataObject, label: str) -> Intent:
    """The service with a random part of its sites; the one that the test equipment overlaps stays."""
    wanted = data.draw(
        st.sets(st.sampled_from([site.number for site in intent.sites]), min_size=1), label=label
    )
    equipment = intent.service.test_equipment
    kept = tuple(
        site
        for site in intent.sites
        if site.number in wanted or (equipment is not None and site.name == equipment.overlaps)
    )
    return intent.model_copy(update={"sites": kept})


def of_site(plan: Plan, site: str) -> dict[str, Any]:
    """Everything in the plan that is of one site alone."""
    (planned,) = (item for item in plan.sites if item.name == site)
    devices = [item for item in plan.devices if item.site == site]
    return {
        "site": planned,
        "devices": devices,
        "links": [item for item in plan.links if item.site == site],
        "paths": [item for item in plan.paths if item.site == site],
        "at others": sorted(map(repr, _at_others(plan, {item.name for item in devices}))),
        "sims": sorted(
            repr(sim) for item in plan.devices for sim in _sims(item) if sim.device in planned.gateways
        ),
        "streams": [
            (item.name, stream) for item in plan.devices for stream in item.stamp if stream.site == site
        ],
        "sources": sorted(map(repr, _sources(plan, planned))),
    }


def _at_others(plan: Plan, own: set[str]) -> Iterator[object]:
    """Interfaces, sessions, VRFs and IPsec connections of shared devices that lead to the site."""
    for device in plan.devices:
        if device.site is not None:
            continue
        yield from ((device.name, item) for item in device.ipsec if item.peer in own)
        vrfs = set()
        for interface in device.interfaces:
            if interface.peer in own:
                vrfs.add(interface.vrf)
                yield device.name, interface
        yield from (
            (device.name, item) for item in device.interfaces if item.kind == "vrf" and item.name in vrfs
        )
        for instance in device.router.bgp if device.router else ():
            mine = tuple(neighbor for neighbor in instance.neighbors if neighbor.device in own)
            if mine:
                yield device.name, replace(instance, neighbors=mine)


def _sims(device: Device) -> Iterator[Any]:
    yield from device.subscribers
    yield from device.pgw.sims if device.pgw else ()


def _sources(plan: Plan, site: SitePlan) -> Iterator[object]:
    suffix = f"{site.number:04d}"
    for device in plan.devices:
        if device.site is None and device.firewall is not None:
            yield from (
                (device.name, item) for item in device.firewall.sources if item.interface.endswith(suffix)
            )
        if device.site is None and device.router is not None:
            yield from (
                (device.name, item) for item in device.router.prefix_sets if item.name.endswith(suffix)
            )


@given(st.data())
@settings(max_examples=25)
def test_adding_or_removing_sites_changes_nothing_of_another(
    services: tuple[Intent, ...], data: st.DataObject
) -> None:
    intent = data.draw(st.sampled_from(range(len(services))))
    one, other = (some(services[intent], data, label) for label in ("before", "after"))
    before, after = build(one), build(other)
    both = {site.name for site in one.sites} & {site.name for site in other.sites}
    for site in both:
        assert of_site(before, site) == of_site(after, site)


def test_everything_of_a_site_is_compared(services: tuple[Intent, ...]) -> None:
    """The proof above compares something in each of its parts."""
    parts = of_site(build(services[0]), "umeda")
    assert {name: len(part) for name, part in parts.items() if name != "site"} == {
        "devices": 4,
        "links": 5,
        "paths": 2,
        "at others": 10,
        "sims": 2,
        "streams": 4,
        "sources": 6,
    }


@given(st.data())
@settings(max_examples=10)
def test_what_is_of_no_site_stays(services: tuple[Intent, ...], data: st.DataObject) -> None:
    intent = services[data.draw(st.sampled_from(range(len(services))))]
    chosen = [some(intent, data, label) for label in ("before", "after")]
    # The first line of optical access brings the RADIUS server along.
    assume(len({any(map(pppoe.is_used, one.sites)) for one in chosen}) == 1)
    one, other = map(build, chosen)
    assert shared_links(one) == shared_links(other)
    assert shared_addresses(one) == shared_addresses(other)
    assert (one.timers, one.networks, one.mobile, one.hub_lan) == (
        other.timers,
        other.networks,
        other.mobile,
        other.hub_lan,
    )


def shared_links(plan: Plan) -> list[Link]:
    return [link for link in plan.links if link.site is None]


def shared_addresses(plan: Plan) -> dict[tuple[str, str], object]:
    """Addresses of interfaces between devices that stand at no site."""
    at_sites = {item.name for item in plan.devices if item.site is not None}
    return {
        (device.name, interface.name): interface.addresses
        for device in plan.devices
        if device.site is None
        for interface in device.interfaces
        if interface.peer not in at_sites and interface.kind != "vrf"
    }


@pytest.fixture(scope="module")
def plans(services: tuple[Intent, ...]) -> tuple[Plan, ...]:
    return tuple(build(intent) for intent in services)


def test_the_same_intent_gives_the_same_plan(services: tuple[Intent, ...], plans: tuple[Plan, ...]) -> None:
    for intent, plan in zip(services, plans, strict=True):
        assert build(intent) == plan


def test_a_number_keeps_its_addresses_for_ever(plans: tuple[Plan, ...]) -> None:
    """Written out, so that no change of the arithmetic passes unseen."""
    umeda = plans[0].site("umeda")
    addresses = (umeda.lan, umeda.virtual_gateway, umeda.controller_address, umeda.sim_address)
    assert list(map(str, addresses)) == ["10.16.1.16/28", "10.16.1.17", "10.16.1.20", "10.112.0.17"]
    gateway, pe, hub = (plans[0].device(name) for name in ("umeda-ce-a", "a-pe2", "hub-ce-b"))
    assert list(map(str, gateway.addresses)) == ["10.96.0.17", "10.80.0.70", "10.144.0.70", "10.16.1.18"]
    assert str(pe.interface("ac0017").addresses[0]) == "10.80.0.69/30"
    assert pe.interface("s0017").table == 10017
    assert str(hub.interface("gre-b0017").addresses[0]) == "10.128.0.69/30"
    (vrf,) = (item for item in (pe.router.bgp if pe.router else ()) if item.vrf == "s0017")
    assert vrf.vpn is not None
    assert (vrf.vpn.distinguisher, vrf.vpn.imports, vrf.vpn.exports) == (
        "64601:17",
        ("64601:1",),
        ("64601:2",),
    )


def realm(device: Device, vrf: str | None) -> str:
    """Where an address must be unique: the second customer has the addresses of others, in its own VRF."""
    return "second" if vrf == "second" or device.name.startswith("second-") else "service"


def test_no_address_twice(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        owners: Counter[tuple[str, object]] = Counter()
        for device in plan.devices:
            for interface in device.interfaces:
                owners.update((realm(device, interface.vrf), address.ip) for address in interface.addresses)
        virtual = {("service", site.virtual_gateway) for site in plan.sites if len(site.gateways) > 1}
        owners.update(virtual)
        owners.update({("service", plan.hub_virtual_gateway)})
        assert [address for address, count in owners.items() if count > 1] == []


def test_names_of_interfaces_fit_and_are_unique(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        for device in plan.devices:
            names = Counter(interface.name for interface in device.interfaces)
            assert [(device.name, name) for name, count in names.items() if count > 1 or len(name) > 15] == []


def test_names_of_devices_and_links_are_unique_host_names(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        assert Counter(device.name for device in plan.devices).most_common(1)[0][1] == 1
        assert Counter(link.name for link in plan.links).most_common(1)[0][1] == 1
        assert [device.name for device in plan.devices if not HOST_NAME.fullmatch(device.name)] == []


def test_names_that_differ_in_underlines_only_stay_apart(services: tuple[Intent, ...]) -> None:
    sites = services[1].sites[:3]
    names = ("a_b", "a__b", "a_b_")
    renamed = tuple(site.model_copy(update={"name": name}) for site, name in zip(sites, names, strict=True))
    plan = build(services[1].model_copy(update={"sites": renamed}))
    assert Counter(device.name for device in plan.devices).most_common(1)[0][1] == 1
    assert Counter(link.name for link in plan.links).most_common(1)[0][1] == 1


def test_every_link_ends_at_an_interface_of_its_own(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        ends = Counter(str(end) for link in plan.links for end in link.ends)
        assert [end for end, count in ends.items() if count > 1] == []
        for link in plan.links:
            for end in link.ends:
                assert plan.device(end.device).interface(end.interface).kind in {"ethernet", "radio"}


def test_every_interface_on_a_wire_has_its_link(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        ends = {str(end) for link in plan.links for end in link.ends}
        for device in plan.devices:
            for interface in device.interfaces:
                if interface.kind in {"ethernet", "radio"}:
                    assert f"{device.name}:{interface.name}" in ends


def test_both_ends_of_a_session_know_each_other(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        for device in plan.devices:
            for instance in device.router.bgp if device.router else ():
                for neighbor in instance.neighbors:
                    peer = plan.device(neighbor.device)
                    assert neighbor.address in peer.addresses
                    back = [
                        (there.asn, item.remote_as, item.bfd)
                        for there in (peer.router.bgp if peer.router else ())
                        for item in there.neighbors
                        if item.device == device.name
                    ]
                    assert (neighbor.remote_as, instance.asn, neighbor.bfd) in back


def test_paths_are_connected(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        assert {(path.site, path.network) for path in plan.paths} == {
            (site.name, network) for site in plan.sites for network in "ab"
        }
        for path in plan.paths:
            assert broken(plan, path) == []


def broken(plan: Plan, path: Way) -> list[str]:
    """The links of a path that do not join the devices beside them."""
    devices, links = path.elements[::2], path.elements[1::2]
    assert len(devices) == len(links) + 1
    return [
        link
        for one, link, other in zip(devices, links, devices[1:], strict=False)
        if {end.device for end in plan.link(link).ends} != {one, other}
    ]


WHOLE = {
    FailureMode.SILENT,
    FailureMode.DOWN,
    FailureMode.KILL,
    FailureMode.POWEROFF,
    FailureMode.AWAY,
}
"""An element that fails as a whole; the other modes are of a direction, of some packets, or of a program."""


def test_faults_are_every_element_as_a_whole(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        wanted: dict[tuple[str, FailureMode], set[str]] = {}
        for path in plan.paths:
            for element in path.elements:
                for mode in modes(plan, element):
                    wanted.setdefault((element, mode), set()).add(path.site)
        for server in ("b-mme", "b-hss", "vault"):
            for mode in (FailureMode.KILL, FailureMode.POWEROFF):
                wanted[server, mode] = {site.name for site in plan.sites}
        for network in Network:
            wanted[f"network-{network}", FailureMode.AWAY] = {site.name for site in plan.sites}
        found = [fault for fault in plan.faults if fault.mode in WHOLE]
        assert {(fault.target, fault.mode): set(fault.sites) for fault in found} == wanted
        assert len(found) == len(wanted)


def carrying(plan: Plan) -> set[str]:
    """Elements of the paths on which traffic is while nothing has failed."""
    return {element for site in plan.sites for element in plan.path(site.name, site.primary).elements}


def test_each_direction_of_a_link_that_carries_traffic_fails_by_itself(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        links = {link.name for link in plan.links} & carrying(plan)
        for mode in (FailureMode.SILENT_A, FailureMode.SILENT_B):
            assert {fault.target for fault in plan.faults if fault.mode is mode} == links


def test_one_link_of_each_kind_that_carries_traffic_is_lossy(plans: tuple[Plan, ...]) -> None:
    def kind(name: str) -> tuple[object, ...]:
        link = plan.link(name)
        return link.kind, link.network, link.site is None

    for plan in plans:
        lossy = [fault.target for fault in plan.faults if fault.mode is FailureMode.LOSSY]
        kinds = [kind(name) for name in lossy]
        assert len(kinds) == len(set(kinds))
        assert set(kinds) == {kind(link.name) for link in plan.links if link.name in carrying(plan)}


def test_each_program_that_keeps_or_switches_a_path_hangs_and_dies(lab_plan: Plan) -> None:
    found: dict[tuple[str, FailureMode], list[str]] = {}
    for fault in lab_plan.faults:
        if fault.program:
            found.setdefault((fault.target, fault.mode), []).append(fault.program)
    everything = ["bgpd", "bfdd", "zebra", "keepalived", "lan-watch", "charon"]
    # One device stands for those of the same function and place; the one gateway of (a) is exempt as a whole.
    wanted = {
        "umeda-ce-a": everything,
        "a-pe2": ["bgpd", "bfdd", "zebra"],
        "a-p1": ["bfdd", "zebra"],
        "a-pe1": ["charon"],
        "hub-ce-a": everything,
        "b-edge": ["bgpd", "bfdd", "zebra", "charon"],
        "hub-ce-b": everything,
        "sakai-gw-b": everything,
    }
    modes = (FailureMode.HUNG, FailureMode.DEAD)
    assert found == {(device, mode): names for device, names in wanted.items() for mode in modes}


def test_a_fault_of_a_program_is_named_by_it(lab_plan: Plan) -> None:
    names = [fault.name for fault in lab_plan.faults]
    assert "hub-ce-a/bgpd-hung" in names
    assert "a-p1--a-pe2/silent-b" in names
    assert len(names) == len(set(names))


def test_the_table_is_run_within_an_hour(lab_plan: Plan) -> None:
    assert len(lab_plan.faults) * ROW_S <= 49 * 60


def test_one_site_floods_each_service_that_others_share(plans: tuple[Plan, ...]) -> None:
    """Every budget of a packet filter that packets of that site's LAN and gateways count against."""
    for plan in plans:
        floods = [fault for fault in plan.faults if fault.kind is ElementKind.FLOOD]
        assert len({site for fault in floods for site in fault.sites}) == 1
        (name,) = floods[0].sites
        site = plan.site(name)
        mine = {site.controller, *site.gateways}
        assert {fault.target for fault in floods} == mine
        assert {fault.service for fault in floods if fault.target != site.controller} == {"ike", "bgp"}
        neighbours = {"bgp", "vrrp"} if len(site.gateways) > 1 else set()
        wanted = {"vault", "echo", "stamp"} | neighbours
        assert {fault.service for fault in floods if fault.target == site.controller} == wanted


def modes(plan: Plan, element: str) -> tuple[FailureMode, ...]:
    if element in {link.name for link in plan.links}:
        return (FailureMode.SILENT, FailureMode.DOWN)
    # The LAN switches are out of scope (D8).
    return () if plan.device(element).function == "switch" else (FailureMode.KILL, FailureMode.POWEROFF)


def test_only_the_one_gateway_of_configuration_a_is_exempt(plans: tuple[Plan, ...]) -> None:
    for plan in plans:
        single = {site.gateways[0] for site in plan.sites if len(site.gateways) == 1}
        assert {fault.target for fault in plan.faults if fault.exempt} == single


def test_every_local_address_is_inside_a_pool_of_the_service(
    services: tuple[Intent, ...], plans: tuple[Plan, ...]
) -> None:
    for intent, plan in zip(services, plans, strict=True):
        service = intent.service
        pools = [value for _, value in service.addresses]
        pools += [service.networks.a.infrastructure, service.networks.b.infrastructure]
        for device in plan.devices:
            for address in device.addresses:
                assert any(address in pool for pool in pools), (device.name, address)


def test_every_packet_filter_is_open_to_the_management_network(tmp_path: Path) -> None:
    """Without it the first run would lock the engineer out."""
    shutil.copytree(EXAMPLE, tmp_path / "lab")
    file = tmp_path / "lab/service.yml"
    ssh = "{kind: ssh, user: ops, sources: [192.168.200.0/24]}"
    file.write_text(file.read_text(encoding="utf-8").replace("{kind: lab}", ssh), encoding="utf-8")
    devices = build(load(tmp_path / "lab")).devices
    opened = {one.name: one.firewall.management for one in devices if one.firewall is not None}
    assert len(opened) > 10
    assert [name for name, access in opened.items() if access is None or not access.sources] == []


@pytest.mark.parametrize(
    ("more", "controllers"),
    [
        ("", {"192.168.200.0/24", "10.15.0.0/28"}),
        (", controllers: [192.168.200.10/32]", {"192.168.200.10/32"}),
    ],
)
def test_log_ins_work_from_where_the_service_says_and_from_the_servers_host(
    tmp_path: Path, more: str, controllers: set[str]
) -> None:
    folder = tmp_path / "service"
    shutil.copytree(EXAMPLE, folder)
    file = folder / "service.yml"
    ssh = f"{{kind: ssh, user: operator, sources: [192.168.200.0/24]{more}}}"
    file.write_text(file.read_text().replace("{kind: lab}", ssh))
    trust = build(load(folder)).pki
    own = {"127.0.0.1/32", f"{trust.address}/32", f"{trust.service_address}/32"}
    assert {str(one) for one in trust.controllers} == own | controllers


def test_a_site_behind_revoked_gateways_alone_is_out_of_service() -> None:
    plan = build(load(EXAMPLE))

    def without(*gone: str) -> Plan:
        devices = (replace(one, revoked="stolen") if one.name in gone else one for one in plan.devices)
        return replace(plan, devices=tuple(devices))

    assert not plan.out_of_service
    assert without("namba-gw").out_of_service == {"namba-gw", "namba-erc"}
    assert without("sakai-gw-b").out_of_service == {"sakai-gw-b"}
    every = {one.name for one in plan.verifiers()}
    assert {one.name for one in without("namba-gw").verifiers()} == every - {"namba-gw", "namba-erc"}
    assert {one.name for one in without("sakai-gw-b").verifiers()} == every - {"sakai-gw-b"}
