"""Who asks whom for the time, by which key, and what stays as it is when sites come and go."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from heiiki.cli.new_service import generate
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Clock, Device, Network

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


def planned(folder: Path, sites: int) -> Plan:
    for name, text in generate("random", sites, 1).items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text, encoding="utf-8")
    return build(load(folder))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def clock(device: Device) -> Clock:
    assert device.clock is not None
    return device.clock


def test_who_holds_a_certificate_has_a_clock_and_nobody_else(plan: Plan) -> None:
    for device in plan.devices:
        assert (device.clock is not None) == (device.managed and device.identity is not None), device.name


def test_everybody_asks_both_servers_where_he_can_reach_them(plan: Plan) -> None:
    servers = {one.device: one for one in plan.time_servers}
    assert set(servers) == {"dras", "xmpp"}
    for device in plan.devices:
        if device.clock is None or device.name in servers:
            continue
        outside = bool(device.ipsec) and not device.name.startswith("hub-")
        wanted = [one.service_address if outside else one.address for one in servers.values()]
        assert list(device.clock.servers) == wanted, device.name


def test_a_key_is_shared_with_the_servers_alone(plan: Plan) -> None:
    asking = [one for one in plan.devices if one.clock and one.clock.key]
    paths = [clock(one).key for one in asking]
    assert len({key.path for key in paths if key}) == len({key.number for key in paths if key}) == len(asking)
    assert {device.name for device in plan.devices if device.clock and device.clock.clients} == {
        "dras",
        "xmpp",
    }
    for server in ("dras", "xmpp"):
        known = clock(plan.device(server)).clients
        assert set(known) == {clock(one).key for one in asking if one.name != server}


def test_the_vault_server_asks_without_a_key_that_it_would_have_to_keep(plan: Plan) -> None:
    assert clock(plan.device("vault")).key is None


def test_a_question_leaves_with_the_address_that_the_carrier_lets_pass(plan: Plan) -> None:
    assert clock(plan.device("umeda-ce-a")).source == plan.device("umeda-ce-a").ipsec[0].local
    gateway = plan.device("namba-gw")
    assert clock(gateway).source is None
    assert gateway.router is not None
    assert gateway.router.source == next(one.local for one in gateway.ipsec if one.network is Network.A)


def test_numbers_of_keys_do_not_move(tmp_path: Path) -> None:
    few, many = planned(tmp_path / "few", 5), planned(tmp_path / "many", 40)
    before = {one.name: clock(one).key for one in few.devices if one.clock}
    after = {one.name: clock(one).key for one in many.devices if one.clock}
    assert before.items() <= after.items()
    numbers = [key.number for key in after.values() if key]
    assert len(numbers) == len(set(numbers))


def test_declared_sources_are_asked_by_both_servers() -> None:
    intent = load(EXAMPLE)
    source = IPv4Address("10.15.0.9")
    time = intent.service.time.model_copy(update={"sources": (source,)})
    service = intent.service.model_copy(update={"time": time})
    declared = build(intent.model_copy(update={"service": service}))
    for name, other in (("dras", "10.15.0.5"), ("xmpp", "10.15.0.4")):
        found = clock(declared.device(name))
        assert (found.references, found.is_reference) == ((source,), False)
        assert found.servers == (IPv4Address(other),)


def test_without_any_one_clock_is_the_service_s_time(plan: Plan) -> None:
    assert [one.name for one in plan.devices if one.clock and one.clock.is_reference] == ["dras"]
    assert clock(plan.device("dras")).servers == ()
