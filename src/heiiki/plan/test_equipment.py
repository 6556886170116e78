"""Test equipment that proves separation: a second customer of carrier A, and a UE that belongs to no site."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from heiiki.intent.consistency import imsi_of_test_sim
from heiiki.plan import addresses as addr
from heiiki.plan import names
from heiiki.plan.context import Context
from heiiki.plan.ip_vpn import second_targets
from heiiki.plan.model import (
    Device,
    Endpoint,
    Function,
    Interface,
    InterfaceKind,
    Link,
    LinkKind,
    Network,
    Role,
    Sim,
    StaticRoute,
)


def devices(context: Context) -> Iterator[Device]:
    """Yield the test equipment; nothing if the service has none."""
    if context.service.test_equipment is None:
        return
    branch = next(site for site in context.sites if site.name == context.service.test_equipment.overlaps)
    branch_lan = context.own(branch).lan
    yield _second(names.SECOND_HQ, context.hub_lan, addr.HUB_DRAS)
    yield _second(names.SECOND_BRANCH, branch_lan, addr.LAN_CONTROLLER)
    yield Device(
        name=names.TEST_UE,
        role=Role.TEST_EQUIPMENT,
        function=Function.TEST_UE,
        platform="simulator",
        networks=(Network.B,),
        managed=False,
        interfaces=(Interface(names.RADIO_IF, InterfaceKind.RADIO, (), peer=names.ENB),),
        sim=next(test_sim(context)),
    )


def test_sim(context: Context) -> Iterator[Sim]:
    """Yield the SIM with which the test UE shows that refusals are not the core's own failure (D20).

    It may attach, and that is all: no tunnel of the hub ends at its address.
    """
    if context.service.test_equipment is None:
        return
    network, pool = context.service.networks.b, context.service.addresses.sim_b
    imsi = imsi_of_test_sim(network.plmn)
    yield Sim(imsi, network.apn, addr.host(pool, addr.hub_index(pool)), names.TEST_UE, f"sim/{imsi}")


def links(context: Context) -> Iterator[Link]:
    """Yield the links of the test equipment."""
    if context.service.test_equipment is None:
        return
    hub_pe, site_pe = (names.core_router(name) for name in second_targets(context))
    for pe, interface, device in (
        (hub_pe, names.SECOND_HQ_IF, names.SECOND_HQ),
        (site_pe, names.SECOND_BRANCH_IF, names.SECOND_BRANCH),
    ):
        ends = Endpoint(pe, interface), Endpoint(device, names.ACCESS_A_IF)
        yield Link(names.link(pe, device), *ends, Network.A, LinkKind.ACCESS)
    ends = Endpoint(names.ENB, names.TEST_UE_IF), Endpoint(names.TEST_UE, names.RADIO_IF)
    yield Link(names.link(names.ENB, names.TEST_UE), *ends, Network.B, LinkKind.RADIO)


def _second(name: str, lan: IPv4Network, index: int) -> Device:
    gateway = addr.host(lan, addr.LAN_GATEWAY)
    return Device(
        name=name,
        role=Role.TEST_EQUIPMENT,
        function=Function.SECOND_CUSTOMER,
        platform="linux_host",
        networks=(Network.A,),
        managed=False,
        interfaces=(Interface(names.ACCESS_A_IF, InterfaceKind.ETHERNET, (addr.on(lan, index),)),),
        routes=(StaticRoute(IPv4Network("0.0.0.0/0"), via=gateway),),
    )
