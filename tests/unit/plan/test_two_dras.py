"""A second host of DRAS: what it is sent, who reaches it, and what stays the first one's."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from two_dras import EXAMPLE, HOSTS, with_two

from heiiki.design import design
from heiiki.intent import load
from heiiki.intent.revoked import marked
from heiiki.plan import Plan, build
from heiiki.plan.model import Device, Function, Role, VtnHost
from heiiki.render import compile_plan
from heiiki.requirements import Result

FIRST, SECOND = IPv4Address("10.15.0.4"), IPv4Address("10.15.0.9")


@pytest.fixture(scope="module")
def two() -> Plan:
    return with_two()


def opened(device: Device, service: str) -> tuple[IPv4Network, ...]:
    assert device.firewall is not None
    return tuple(one for item in device.firewall.services if item.name == service for one in item.sources)


def test_it_is_a_vtn_and_nothing_else_of_the_first(two: Plan) -> None:
    first, second = map(two.device, HOSTS)
    assert (first.function, second.function) == (Function.DRAS, Function.DRAS_STANDBY)
    assert second.role is Role.DRAS_SERVER
    assert first.mms_client is not None
    assert (second.mms_client, second.est, second.stamp) == (None, None, ())
    assert second.clock is not None
    assert not second.clock.is_reference
    assert second.crl_source == replace(first.crl_source, mirrors=second.crl_source.mirrors)  # type: ignore[type-var, union-attr]
    assert [one.device for one in two.time_servers] == ["dras", "xmpp"]


def test_both_are_the_same_vtn_and_each_knows_the_other(two: Plan) -> None:
    one, other = (two.device(name).vtn for name in HOSTS)
    assert one is not None
    assert other is not None
    assert replace(other, address=one.address, doubled=one.doubled) == one
    assert (one.address, other.address) == (FIRST, SECOND)
    assert one.doubled is not None
    assert other.doubled is not None
    assert one.doubled.peer == VtnHost("dras-2.lab.internal", SECOND, other.doubled.port)
    assert other.doubled.peer == VtnHost("dras.lab.internal", FIRST, one.doubled.port)
    assert (one.doubled.device, other.doubled.device) == ("dras-2", "dras")
    assert (one.doubled.name, other.doubled.name) == ("dras.lab.internal", "dras-2.lab.internal")


def test_the_book_comes_from_the_other_host_alone(two: Plan) -> None:
    first, second = map(two.device, HOSTS)
    assert opened(first, "openadr_pair") == (IPv4Network(f"{SECOND}/32"),)
    assert opened(second, "openadr_pair") == (IPv4Network(f"{FIRST}/32"),)
    for service in ("openadr", "rest"):
        assert opened(first, service) == opened(second, service) != ()


def test_vens_know_both_hosts_and_the_hub_s_routers_answer_both(two: Plan) -> None:
    vens = [one.ven for one in two.devices if one.ven is not None]
    assert len(vens) == 3
    for ven in vens:
        assert (ven.vtn_name, ven.vtn_address) == ("dras.lab.internal", FIRST)
        assert ven.others == (VtnHost("dras-2.lab.internal", SECOND, ven.vtn_port),)
    for router in ("hub-ce-a", "hub-ce-b"):
        assert IPv4Network(f"{SECOND}/32") in opened(two.device(router), "crl_mirror")


def test_it_moves_nothing_of_a_service_with_one() -> None:
    one, two = build(load(EXAMPLE)), with_two()
    assert two.service == one.service
    for device in one.devices:
        if device.name != "hub-lan":
            assert two.device(device.name).addresses == device.addresses
    assert {link.name: link.ends for link in one.links}.items() <= {
        link.name: link.ends for link in two.links
    }.items()
    for device in one.devices:
        if device.clock is not None:
            assert (two.device(device.name).clock.key) == device.clock.key  # type: ignore[union-attr]


def without(name: str) -> Plan:
    intent = load(EXAMPLE)
    service = intent.service.model_copy(update={"dras_hosts": HOSTS})
    return build(marked(intent.model_copy(update={"service": service}), name, "stolen", None))


@pytest.mark.parametrize("gone", HOSTS)
def test_the_host_that_is_left_is_the_only_one_that_vens_ask(gone: str) -> None:
    plan = without(gone)
    (left,) = (name for name in HOSTS if name != gone)
    assert plan.device(gone).vtn is None
    kept = plan.device(left).vtn
    assert kept is not None
    assert kept.doubled is not None, "its book has epochs"
    assert kept.doubled.device == gone
    for ven in (one.ven for one in plan.devices if one.ven is not None):
        assert (ven.vtn_address, ven.others) == (kept.address, ())


def test_the_design_is_judged_as_with_one(two: Plan) -> None:
    def failing(plan: Plan) -> set[tuple[str, str]]:
        found = design(plan, compile_plan(plan))
        return {(one.requirement, one.subject) for one in found if one.result is not Result.PASS}

    assert failing(two) == failing(build(load(EXAMPLE)))
    assert "clock of dras-2" in {one.subject for one in design(two, compile_plan(two))}
