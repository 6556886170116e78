"""Plan in, files out: what every managed device is sent."""

from collections.abc import Callable, Iterator
from functools import cache

from heiiki.plan.model import (
    Device,
    Function,
    Interface,
    InterfaceKind,
    Neighbour,
    Plan,
    Role,
    Sim,
    StaticRoute,
)
from heiiki.plan.names import LAN_IF
from heiiki.render import (
    agent,
    credentials,
    dot1x,
    est,
    ipsec,
    mms,
    openadr,
    pppoe,
    radius,
    time,
    vault,
    vendors,
    wlan,
    xmpp,
)
from heiiki.render.documents import by_item
from heiiki.render.model import DeviceBuild, Part, RenderedFile, Service
from heiiki.render.templates import render
from heiiki.render.units import FOLDER as UNITS
from heiiki.render.units import unit
from heiiki_agent.lan_watch.settings import FAULT

_FILTER = "/etc/nftables.conf"
_LIST = "nft --stateless --terse list table inet heiiki"
_LIST_ARP = "nft --stateless --terse list table arp heiiki"
_CONNECTIONS = "65536"
"""Connections that a device tracks: what it answers itself, and nothing that it forwards."""
_BASELINE = {
    "net.ipv4.conf.all.arp_ignore": "1",
    "net.ipv4.conf.all.arp_announce": "2",
    "net.ipv4.conf.all.log_martians": "1",
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    "net.ipv4.icmp_ignore_bogus_error_responses": "1",
    "net.ipv4.tcp_syncookies": "1",
}
"""What audits ask of any host, such as no ARP for another interface's address, no answer to a broadcast."""
_MODULES = "/etc/modules-load.d/heiiki.conf"
"""Kernel modules that nothing loads by itself: at every boot, and before each start of the links."""
_FRR_DAEMONS = "/etc/frr/daemons"
# keepalived refuses a tracked file whose folder is missing, as it is before the first start.
_VALID_VRRP = f'mkdir -p {FAULT.parent} && exec keepalived -t -f "$0"'
_SEPARATION = ("R-ISO-SITE", "R-ISO-CARRIER", "R-ISO-MALICE")
_GROUP = ("R-ISO-GROUP", "R-ISO-MALICE")
_IN_GROUP = frozenset({Role.DRAS_SERVER, Role.XMPP_SERVER, Role.RADIUS_SERVER, Role.VAULT_SERVER, Role.EMS})


def compile_plan(plan: Plan) -> Iterator[DeviceBuild]:
    """Yield what each device is sent, by a role or by a person, in plan order."""
    return (compile_device(plan, device) for device in plan.configured())


def compile_device(plan: Plan, device: Device) -> DeviceBuild:
    """Return everything that `device` is sent."""
    if device.by_hand:
        return vendors.build(plan, device)
    parts = [part for make in _PARTS if (part := make(plan, device)) is not None]
    parts += pppoe.concentrators(plan, device)
    files = [file for part in parts for file in part.files]
    files += pppoe.shared(plan, device)
    files += [file for make in _FILES if (file := make(plan, device)) is not None]
    services = tuple(part.service for part in parts)
    if device.identity is not None or any(agent.PATH in service.restart_on for service in services):
        files.append(agent.file())
    return DeviceBuild(device.name, tuple(files), services)


def interfaces_json(device: Device) -> str:
    """Return what `heiiki-agent links` makes the kernel match on `device`."""
    wanted = [item for item in device.interfaces if item.kind is not InterfaceKind.RADIO]
    neighbours = [_neighbour(item) for item in device.neighbours]
    return by_item(
        {
            "interfaces": [_interface(item) for item in wanted],
            **({"neighbours": neighbours} if neighbours else {}),
            "routes": [_route(item) for item in device.routes],
            "sysctls": _sysctls(device, wanted),
        }
    )


def _interface(item: Interface) -> dict[str, object]:
    """Return what of an interface is not as every other's."""
    entry: dict[str, object] = {
        "name": item.name,
        "kind": item.kind,
        "mtu": item.mtu,
        "vrf": item.vrf,
        "table": item.table,
        "gre": {"local": str(item.gre.local), "remote": str(item.gre.remote)} if item.gre else None,
        "xfrm": {"if_id": item.xfrm.if_id, "underlay": item.xfrm.underlay} if item.xfrm else None,
        "rate_kbps": item.rate,
        "mpls": item.mpls,
        "link_address": item.link_address,
    }
    # Those of a session are its two ends alone, which pppd sets.
    addresses = [] if item.kind is InterfaceKind.PPP else [str(address) for address in item.addresses]
    return {key: value for key, value in entry.items() if value} | {"addresses": addresses}


def _neighbour(item: Neighbour) -> dict[str, object]:
    return {
        "address": str(item.address),
        "link_address": item.link_address,
        "interface": LAN_IF,
    }


def _route(route: StaticRoute) -> dict[str, object]:
    entry: dict[str, object] = {"prefix": str(route.prefix)}
    if route.via:
        entry["via"] = str(route.via)
    if route.interface:
        entry["interface"] = route.interface
    if route.vrf:
        entry["vrf"] = route.vrf
    if route.distance:
        # zebra reads the distance of a kernel's route from the first byte of its metric.
        entry["metric"] = route.distance << 24
    return entry


UNWANTED = (
    "rp_filter",
    "send_redirects",
    "accept_redirects",
    "secure_redirects",
    "accept_source_route",
    "proxy_arp",
    "proxy_arp_pvlan",
    "route_localnet",
    "arp_accept",
    "bc_forwarding",
)
"""What no interface does (kernel doc, networking/ip-sysctl): it would answer, route or learn for others."""
_FOUND_THERE = frozenset({InterfaceKind.ETHERNET, InterfaceKind.WWAN, InterfaceKind.PPP})
"""Interfaces that others make, and that may be older than what a new one takes from ``default``."""


def _sysctls(device: Device, interfaces: list[Interface]) -> dict[str, str]:
    """Routing where the device routes; no redirects, no reverse-path filter: paths are asymmetric (D3).

    A host with a service address, which is none of its LAN's, answers ARP for it (T5).
    """
    routes = device.router is not None or device.pgw is not None
    values = {"net.ipv4.ip_forward": "1" if routes else "0", "net.ipv6.conf.all.disable_ipv6": "1"}
    shown = not routes and any(item.kind is InterfaceKind.LOOPBACK for item in interfaces)
    values |= _BASELINE | ({"net.ipv4.conf.all.arp_ignore": "0"} if shown else {})
    if device.firewall is not None:
        values["net.netfilter.nf_conntrack_max"] = _CONNECTIONS
    found_there = [item.name for item in interfaces if item.kind in _FOUND_THERE]
    for name in ("all", "default", *found_there):
        values |= dict.fromkeys((f"net.ipv4.conf.{name}.{key}" for key in UNWANTED), "0")
    return values


@cache
def _drop_in(name: str) -> RenderedFile:
    """Return what is added to Debian's own unit of a service."""
    text = render(f"linux/{name}.service.j2")
    return RenderedFile(f"{UNITS}/{name}.service.d/heiiki.conf", text, service=name)


def _links(_plan: Plan, device: Device) -> Part | None:
    if not device.interfaces or device.function is Function.HSS:
        return None
    name = "heiiki-links"
    requirements = ("R-GAP", "R-DUAL", *_on_lan(device), *_shaped(device))
    config = RenderedFile(
        "/etc/heiiki/links.json", interfaces_json(device), service=name, requirements=requirements
    )
    health = agent.command("links", "check", "/etc/heiiki/links.json")
    labels = any(item.mpls for item in device.interfaces)
    modules = (RenderedFile(_MODULES, "mpls_router\nmpls_iptunnel\n", service=name),) if labels else ()
    restart_on = (agent.PATH, *(file.path for file in modules))
    return Part((unit(name), config, *modules), Service(name, "reload", health, restart_on=restart_on))


def _on_lan(device: Device) -> tuple[str, ...]:
    return ("R-ISO-MALICE/layer-2",) if device.neighbours else ()


def _shaped(device: Device) -> tuple[str, ...]:
    """Where a line's rate is known, what supervises it does not wait behind what fills it."""
    return ("R-DELAY/load",) if device.shaped else ()


def _nftables(plan: Plan, device: Device) -> Part | None:
    if device.firewall is None:
        return None
    requirements = _GROUP if device.role in _IN_GROUP else _SEPARATION
    requirements = (*requirements, *_on_lan(device), *_shaped(device))
    if device.controlled_port is not None:
        requirements = (*requirements, dot1x.REQUIREMENT)
    if device.router is not None:
        requirements = (*requirements, "R-ISO-MALICE/control")
    if device.firewall.encrypted:
        requirements = (*requirements, "R-SEC-ACCESS")
    file = RenderedFile(
        _FILTER,
        render("linux/nftables.conf.j2", plan, device),
        "0755",
        validate=("nft", "-c", "-f", "{path}"),
        service="nftables",
        requirements=requirements,
    )
    health = ("nft", "list", "chain", "inet", "heiiki", "prerouting")
    # The file is loaded where nothing else is, and listed from there. A table that is gone differs too.
    tables = f"{_LIST} && {_LIST_ARP}" if device.neighbours else _LIST
    wanted = ("unshare", "-n", "sh", "-c", f"nft -f {_FILTER} && {tables}")
    running = ("sh", "-c", f"({tables}) 2>&1 || true")
    service = Service("nftables", "reload", health, running=running, wanted=wanted)
    closed = RenderedFile(
        "/etc/heiiki/closed.nft",
        render("linux/closed.nft.j2", plan, device),
        validate=("unshare", "-n", "nft", "-c", "-f", "{path}"),
    )
    return Part((_drop_in("nftables"), closed, file), service)


def _frr(plan: Plan, device: Device) -> Part | None:
    if device.router is None:
        return None
    files = (
        _drop_in("frr"),
        RenderedFile(_FRR_DAEMONS, render("frr/daemons.j2", plan, device), "0640", "frr", service="frr"),
        RenderedFile(
            "/etc/frr/vtysh.conf", "service integrated-vtysh-config\n", "0640", "frr", service="frr"
        ),
        RenderedFile(
            "/etc/frr/frr.conf",
            render("frr/frr.conf.j2", plan, device),
            "0640",
            "frr",
            validate=("vtysh", "-C", "-f", "{path}"),
            service="frr",
            requirements=("R-GAP", "R-DUAL", "R-ISO-SITE", "R-ISO-MALICE/control"),
        ),
    )
    running = ("vtysh", "-c", "show running-config no-header")
    health = ("vtysh", "-c", "show version")
    return Part(files, Service("frr", "reload", health, running=running, restart_on=(_FRR_DAEMONS,)))


def _keepalived(plan: Plan, device: Device) -> Part | None:
    if device.vrrp is None:
        return None
    file = RenderedFile(
        "/etc/keepalived/keepalived.conf",
        render("linux/keepalived.conf.j2", plan, device),
        validate=("sh", "-c", _VALID_VRRP, "{path}"),
        service="keepalived",
        requirements=("R-GAP",),
    )
    unit = _drop_in("keepalived")
    # The unit says where its dumps are, which the health check reads.
    health, restart_on = agent.command("vrrp", "status"), (unit.path,)
    return Part((unit, file), Service("keepalived", "reload", health, restart_on=restart_on))


def _lan_watch(_plan: Plan, device: Device) -> Part | None:
    watch, name = device.lan_watch, "heiiki-lan-watch"
    if watch is None:
        return None
    config = {
        "interface": watch.interface,
        "prefix": str(watch.prefix),
        "source": str(watch.source),
        "targets": [str(target) for target in watch.targets],
        "beyond": str(watch.beyond),
        "probe_ms": watch.probe_ms,
        "lost": watch.lost,
    }
    file = RenderedFile("/etc/heiiki/lan_watch.json", by_item(config), service=name, requirements=("R-GAP",))
    health = agent.command("lan-watch", "status")
    return Part((unit(name), file), Service(name, "reload", health, restart_on=(agent.PATH,)))


def _pgw(_plan: Plan, device: Device) -> Part | None:
    """Return what the carrier's packet gateway reads; the gateway itself is the carrier's."""
    pgw, name = device.pgw, "heiiki-pgw"
    if pgw is None:
        return None
    config = {
        "address": str(pgw.gtp_address),
        "interface": "gtp0",
        "mtu": pgw.mtu,
        "apns": [{"name": pgw.apn, "pool": str(pgw.pool)}],
        "subscribers": [{"imsi": sim.imsi, "apn": sim.apn, "address": str(sim.address)} for sim in pgw.sims],
    }
    requirements = ("R-ISO-SITE", "R-SEC-ACCESS")
    file = RenderedFile("/etc/heiiki/pgw.json", by_item(config), service=name, requirements=requirements)
    return Part((file,), Service(name, "reload", agent.command("pgw", "status")))


def _wwan(_plan: Plan, device: Device) -> RenderedFile | None:
    if device.sim is None:
        return None
    return RenderedFile("/etc/heiiki/wwan.json", by_item({"apn": device.sim.apn}))


def _subscribers(_plan: Plan, device: Device) -> RenderedFile | None:
    """Subscriptions for the HSS; the keys are named here, and read on the way to the device."""
    if device.function is not Function.HSS:
        return None
    content = by_item({"subscribers": [_subscriber(sim) for sim in device.subscribers]})
    path = "/etc/heiiki/subscribers.json"
    return RenderedFile(path, content, "0600", secret=True, requirements=("R-SEC-ACCESS",))


def _subscriber(sim: Sim) -> dict[str, object]:
    keys = {field: f"{{{{secret:{sim.keys}:{field}}}}}" for field in ("k", "opc")}
    return {"imsi": sim.imsi, **keys, "apns": [sim.apn]}


_PARTS: tuple[Callable[[Plan, Device], Part | None], ...] = (
    _nftables,
    _links,
    # Before whatever judges certificates, which waits for it.
    time.parts,
    ipsec.parts,
    _frr,
    _keepalived,
    _lan_watch,
    _pgw,
    # Before whatever has its way over an optical line.
    radius.parts,
    pppoe.client,
    # Before whatever has its way over the air.
    wlan.access_point,
    wlan.station,
    wlan.guard,
    # The same over a wire; the port last, since it asks the daemon of its end.
    dot1x.authenticator,
    dot1x.supplicant,
    dot1x.guard,
    dot1x.port,
    vault.parts,
    credentials.revocation,
    credentials.mirror,
    openadr.parts,
    est.parts,
    mms.parts,
    xmpp.parts,
)
"""Parts of a device as their services start, the filter first; None where it has no such part."""

_FILES: tuple[Callable[[Plan, Device], RenderedFile | None], ...] = (_wwan, _subscribers, credentials.config)
"""Files that a program reads by itself; None where the device does not need it."""
