"""Where the plan says that probes start, which way they leave, and whose an address is."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan.model import Device, Function, Interface, Network, Plan, Role, SitePlan


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit of a device: where a packet leaves it.

    Attributes:
        network: ``a``, ``b`` or ``lan``.
        interface: interface to send on.
        via: the next hop on that interface; None where the interface has only one other end, without a name.
        one_other_end: no neighbour is looked for there: it is a session of PPPoE.
    """

    device: str
    network: str
    interface: str
    via: IPv4Address | None
    one_other_end: bool = False

    @property
    def neighbour(self) -> str | None:
        """Whose link address a packet needs; None where it needs none."""
        return None if self.via is None or self.one_other_end else str(self.via)


def host(plan: Plan, function: Function) -> Device:
    """Return the only device of the hub with `function`, such as DRAS; KeyError when there is none."""
    for device in plan.devices:
        if device.function is function:
            return device
    raise KeyError(function)


def servers(plan: Plan) -> tuple[Device, Device]:
    """Return DRAS and XMPP server."""
    return host(plan, Function.DRAS), host(plan, Function.XMPP)


def hub_ce(plan: Plan, network: str) -> Device:
    """Return the hub's CE router on `network`; KeyError when there is none."""
    for device in plan.devices:
        if device.role is Role.CE_ROUTER and device.site is None and network in device.networks:
            return device
    raise KeyError(f"hub CE router on {network}")


def gateway(plan: Plan, site: SitePlan, network: str) -> Device:
    """Return the site's gateway on `network`."""
    return plan.device(site.gateway(Network(network)))


def gateways(plan: Plan) -> Iterator[Device]:
    """Yield every site gateway."""
    return (plan.device(name) for site in plan.sites for name in site.gateways)


def site_devices(plan: Plan, site: SitePlan) -> tuple[Device, ...]:
    """Return the site's gateways and controller."""
    return tuple(plan.device(name) for name in (*site.gateways, site.controller))


def lan_address(device: Device, lan: IPv4Network) -> tuple[Interface, IPv4Address]:
    """Return the device's interface and own address on `lan`; KeyError when it has none."""
    for interface in device.interfaces:
        for address in interface.addresses:
            if address.ip in lan:
                return interface, address.ip
    raise KeyError(f"{device.name} on {lan}")


def across(plan: Plan, device: Device, interface: str) -> IPv4Address | None:
    """Return the address at the other end of the link on `interface`, or None."""
    there = plan.across(device.name, interface)
    addresses = plan.device(there.device).interface(there.interface).addresses if there else ()
    return addresses[0].ip if addresses else None


def over_a(plan: Plan, device: Device) -> Exit:
    """Return the exit of a customer's device to carrier A: the access line, which ends at a PE."""
    for interface in device.interfaces:
        if interface.name in device.below_sessions:
            continue
        there = plan.across(device.name, interface.name)
        if there is not None and plan.device(there.device).function is Function.PE:
            beyond = across(plan, device, interface.name)
            return Exit(device.name, "a", interface.name, beyond, bool(interface.port))
    raise KeyError(f"access line of {device.name}")


def uplink(plan: Plan, device: Device, network: str) -> Exit:
    """Return the exit of a site gateway to the hub over `network`: the tunnel."""
    return _tunnel(device, hub_ce(plan, network).name, network)


def underlay(plan: Plan, device: Device, network: str) -> Exit:
    """Return the exit of a site gateway below its tunnel: the access line, or the bare LTE bearer."""
    if network == "a":
        return over_a(plan, device)
    bearer = next(item for item in device.interfaces if item.kind == "wwan")
    return Exit(device.name, network, bearer.name, None)


def first_router(plan: Plan, out: Exit) -> Device:
    """Return the carrier's device that sees first what leaves below a tunnel."""
    there = plan.across(out.device, out.interface)
    return plan.device(plan.mobile.pgw if there is None or out.network == "b" else there.device)


def towards(plan: Plan, site: SitePlan, network: str) -> Exit:
    """Return the exit of the hub's CE router on `network` to `site`: the tunnel."""
    return _tunnel(hub_ce(plan, network), gateway(plan, site, network).name, network)


def _tunnel(device: Device, peer: str, network: str) -> Exit:
    for interface in device.interfaces:
        if interface.gre is not None and interface.peer == peer:
            return Exit(device.name, network, interface.name, None)
    raise KeyError(f"tunnel from {device.name} to {peer}")


def tunnel_end(plan: Plan, device: Device, network: str) -> IPv4Address:
    """Return the address on which a site gateway's tunnel over `network` ends."""
    gre = device.interface(uplink(plan, device, network).interface).gre
    if gre is None:
        raise KeyError(f"tunnel of {device.name} over {network}")
    return gre.local


def by_gateway(plan: Plan, site: SitePlan) -> Iterator[Exit]:
    """Yield the ways out of the site's controller, one through each gateway."""
    controller = plan.device(site.controller)
    interface, _ = lan_address(controller, site.lan)
    for name in site.gateways:
        _, address = lan_address(plan.device(name), site.lan)
        yield Exit(controller.name, "lan", interface.name, address)


def addresses_of(plan: Plan, site: SitePlan) -> Iterator[tuple[Device, IPv4Address]]:
    """Yield every address that the site's devices own, the virtual gateway included."""
    for device in site_devices(plan, site):
        for address in device.addresses:
            yield device, address
    first = plan.device(site.gateways[0])
    if site.virtual_gateway not in first.addresses:
        yield first, site.virtual_gateway


def expected_exits(plan: Plan, site: SitePlan) -> Iterator[tuple[str, IPv4Address, str]]:
    """Yield (router, destination, interface): how packets leave while nothing has failed.

    Each end has one router on the primary network, which sends straight; the other one hands over on its LAN.
    """
    dras = servers(plan)[0].addresses[0]
    for network in Network:
        here, hub = gateway(plan, site, network), hub_ce(plan, network)
        straight = network == site.primary
        if straight or here.name != gateway(plan, site, site.primary).name:
            lan, _ = lan_address(here, site.lan)
            yield here.name, dras, uplink(plan, here, network).interface if straight else lan.name
        lan, _ = lan_address(hub, plan.hub_lan)
        out = towards(plan, site, network).interface if straight else lan.name
        yield hub.name, site.controller_address, out
