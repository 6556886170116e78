"""Equipment that only proves separation: a second customer of carrier A, and a UE with a SIM of nobody."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from heiiki.intent.consistency import witness_imsi
from heiiki.plan import addresses as addr
from heiiki.plan import names
from heiiki.plan.carrier_a import second_targets
from heiiki.plan.context import Context, radio_network
from heiiki.plan.model import Device, Endpoint, Function, Interface, Link, Role, Sim, StaticRoute


def devices(context: Context) -> Iterator[Device]:
    """Yield the witnesses; none if the service names none."""
    if context.service.witnesses is None:
        return
    branch = next(site for site in context.sites if site.name == context.service.witnesses.overlaps)
    branch_lan = context.own(branch).lan
    yield _second(names.SECOND_HQ, context.hub_lan, addr.HUB_DRAS)
    yield _second(names.SECOND_BRANCH, branch_lan, addr.LAN_CONTROLLER)
    yield Device(
        name=names.STRANGER,
        role=Role.WITNESS,
        function=Function.STRANGER,
        platform="lab",
        networks=("b",),
        managed=False,
        interfaces=(Interface(names.RADIO_IF, "radio", (addr.on(radio_network(0), 2),), peer=names.ENB),),
        sim=next(test_sim(context)),
    )


def test_sim(context: Context) -> Iterator[Sim]:
    """Yield the SIM with which the stranger shows that refusals are not the core's own failure (D20).

    It may attach, and that is all: no tunnel of the hub ends at its address.
    """
    if context.service.witnesses is None:
        return
    network, pool = context.service.networks.b, context.service.addresses.sim_b
    imsi = witness_imsi(network.plmn)
    yield Sim(imsi, network.apn, addr.host(pool, addr.hub_index(pool)), names.STRANGER, f"sim/{imsi}")


def links(context: Context) -> Iterator[Link]:
    """Yield the links of the witnesses."""
    if context.service.witnesses is None:
        return
    hub_pe, site_pe = (names.carrier_a(name) for name in second_targets(context))
    for pe, interface, device in (
        (hub_pe, "ac-second-hq", names.SECOND_HQ),
        (site_pe, "ac-second-br", names.SECOND_BRANCH),
    ):
        ends = Endpoint(pe, interface), Endpoint(device, names.ACCESS_A_IF)
        yield Link(names.link(pe, device), *ends, "a", "access")
    ends = Endpoint(names.ENB, "ue-stranger"), Endpoint(names.STRANGER, names.RADIO_IF)
    yield Link(names.link(names.ENB, names.STRANGER), *ends, "b", "radio")


def _second(name: str, lan: IPv4Network, index: int) -> Device:
    gateway = addr.host(lan, addr.LAN_GATEWAY)
    return Device(
        name=name,
        role=Role.WITNESS,
        function=Function.SECOND_CUSTOMER,
        platform="linux_host",
        networks=("a",),
        managed=False,
        interfaces=(Interface(names.ACCESS_A_IF, "ethernet", (addr.on(lan, index),)),),
        routes=(StaticRoute(IPv4Network("0.0.0.0/0"), via=gateway),),
    )
