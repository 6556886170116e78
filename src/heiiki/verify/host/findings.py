"""What a host has that neither plan nor system explains, and which requirements that endangers."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from heiiki.plan.epc import USER_PLANE
from heiiki.plan.model import Device, EspMode, InterfaceKind, IpsecConnection, Plan
from heiiki.verify.host.explained import CRONTABS, FALLBACKS, QDISCS, SHAPERS, UNITS, Added
from heiiki.verify.host.packages import unexplained
from heiiki.verify.host.routes import OVERHEAD, unexplained_routes
from heiiki.verify.host.sockets import unexplained_packet_sockets, unexplained_sockets

CLOSED, GROUP, MINIMAL = "R-CLOSED", "R-ISO-GROUP", "R-MINIMAL"
SITE, CARRIER, MALICE = "R-ISO-SITE", "R-ISO-CARRIER", "R-ISO-MALICE"
ACCESS, ESP = "R-SEC-ACCESS", "R-SEC-ESP"

_LOCAL, _MAIN, _DEFAULT = "local", "main", "default"
_RULES = frozenset({(0, _LOCAL), (32765, _LOCAL), (32766, _MAIN), (32767, _DEFAULT), (220, "220")})
"""The kernel's own rules, `heiiki-agent links`' place for the first, and the one of strongSwan."""
_L3MDEV = 1000
_POLICY = re.compile(
    r"^src (\S+) dst (\S+)(?: proto (\S+))?[^\n]*\n\s+dir (\w+)([^\n]*(?:\n\s[^\n]*)*)", re.MULTILINE
)
_TEMPLATE = re.compile(
    r"tmpl src (\S+) dst (\S+)\s+proto esp (?:spi \S+ )?reqid \d+ mode (\w+)\s*(?:if_id (0x\w+)\s*)?$"
)
_OWN_V6 = frozenset({"fe80::/64", "ff00::/8", "::1"})
_PACING = frozenset({"limit", "rate", "ecn", "gap", "seed"})
"""What tc(8) says of a netem that has a rate and nothing else."""
_NO_SPI = "00000000"
_FIRST_PERSON, _NOBODY = 1000, 65534


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that nothing explains.

    Attributes:
        part: the part of the answer in which it was found.
        endangers: the requirements that it speaks against, R-MINIMAL left out: against that, each does.
    """

    part: str
    text: str
    endangers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Host:
    """A host as it should be: device and services of the plan, what management adds, and its files' paths."""

    plan: Plan
    device: Device
    services: frozenset[str]
    added: Added
    known: tuple[IPv4Network, ...]
    files: frozenset[str] = frozenset()


def findings(host: Host, said: Mapping[str, Any]) -> list[Finding]:
    """Return what nothing explains in what a host said of itself; what it did not say is passed over."""
    return [one for part, judge in _JUDGES.items() if part in said for one in judge(host, said[part])]


def known_prefixes(plan: Plan) -> tuple[IPv4Network, ...]:
    """Return every prefix of the service: routes that lead into one of them stay in the closed networks."""
    found = {plan.hub_lan, *(site.lan for site in plan.sites)}
    for device in plan.devices:
        found.update(address.network for one in device.interfaces for address in one.addresses)
        found.update(route.prefix for route in device.routes)
        if device.pgw is not None:
            found.add(device.pgw.pool)
    return tuple(prefix for prefix in found if prefix.prefixlen)


def _interfaces(host: Host, found: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    planned = {one.name: one for one in host.device.interfaces}
    unlinked = {"lo", *({USER_PLANE} if host.device.pgw is not None else ())}
    virtual = (
        {} if host.device.vrrp is None else {host.device.vrrp.virtual_interface: host.device.vrrp.address}
    )
    for one in found:
        name = one["ifname"]
        if "xdp" in one:
            yield Finding(
                "interfaces", f"a program is attached to {name} (XDP)", frozenset({SITE, CARRIER, MALICE})
            )
        if name in host.added.interfaces or name == host.plan.management.interface:
            continue
        if "PROMISC" in one["flags"]:
            yield Finding(
                "interfaces", f"{name} hears what is for others (PROMISC)", frozenset({SITE, CARRIER})
            )
        if name not in planned and name not in virtual and name not in unlinked:
            if name not in FALLBACKS or "UP" in one["flags"]:
                yield Finding("interfaces", f"interface {name}", frozenset({CLOSED, GROUP, SITE}))
            continue
        allowed = {address.ip for address in planned[name].addresses} if name in planned else set()
        allowed |= {virtual[name]} if name in virtual else set()
        yield from _addresses(host, name, one.get("addr_info", ()), allowed)


def _addresses(
    host: Host, name: str, found: Iterable[Mapping[str, Any]], allowed: set[IPv4Address]
) -> Iterator[Finding]:
    sim = host.device.sim.address if host.device.sim is not None else None
    for one in found:
        if one["family"] != "inet":
            if one.get("scope") == "global":
                yield Finding("interfaces", f"address {one['local']} of {name}", frozenset({CLOSED, GROUP}))
            continue
        address = IPv4Address(one["local"])
        by_modem = address == sim and host.device.interface(name).kind is InterfaceKind.WWAN
        if address not in allowed and not address.is_loopback and not by_modem:
            yield Finding("interfaces", f"address {address} of {name}", frozenset({CLOSED, GROUP, SITE}))


def _routes(host: Host, found: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for text in unexplained_routes(host.device, host.known, _managed(host), found):
        yield Finding("routes", text, frozenset({CLOSED, GROUP, SITE}))


def _routes_v6(host: Host, found: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """The plan has no IPv6 (it is switched off): nothing but what the kernel makes by itself is explained."""
    for one in found:
        if one.get("type", "unicast") in OVERHEAD or one.get("dev") in _managed(host):
            continue
        by_itself = one.get("protocol") == "kernel" and (one["dst"] in _OWN_V6 or one.get("dev") == "lo")
        if not by_itself:
            text = f"route {one['dst']} dev {one.get('dev', 'none')}, table {one.get('table', _MAIN)}"
            yield Finding("routes6", text, frozenset({CLOSED, GROUP, SITE}))


def _managed(host: Host) -> frozenset[str]:
    named = host.plan.management.interface
    return host.added.interfaces | ({named} if named else frozenset())


def _rules(_host: Host, found: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for one in found:
        plain = set(one) <= {"priority", "src", "table"} and one.get("src") == "all"
        if plain and (one["priority"], str(one.get("table"))) in _RULES:
            continue
        if one["priority"] == _L3MDEV and "l3mdev" in str(one):
            continue
        yield Finding("rules", f"routing rule {one}", frozenset({CLOSED, SITE}))


def _tables(host: Host, found: Mapping[str, Any]) -> Iterator[Finding]:
    ours = {("inet", "heiiki")} if host.device.firewall is not None else set()
    ours |= {("arp", "heiiki")} if host.device.neighbours else set()
    ours |= {("ip", "heiiki_pgw")} if host.device.pgw is not None else set()
    for one in (item["table"] for item in found.get("nftables", ()) if "table" in item):
        if (one["family"], one["name"]) not in ours:
            text = f"table {one['family']} {one['name']} of the packet filter"
            yield Finding("tables", text, frozenset({CLOSED, GROUP, SITE, CARRIER, MALICE, ACCESS, ESP}))


def _qdiscs(host: Host, found: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """Whether those of a shaped tunnel are as planned is judged with its links (config)."""
    shaped = {item.name for item in host.device.interfaces if item.rate}
    for one in found:
        known = one["kind"] in QDISCS or (one["kind"] in SHAPERS and one.get("dev") in shaped)
        if not (known or _is_a_line(one, host.added.rates.get(one.get("dev", "")))):
            text = f"queueing discipline {one['kind']} of {one.get('dev')}"
            yield Finding("qdiscs", text, frozenset({SITE, CARRIER}))


def _is_a_line(one: Mapping[str, Any], kbps: int | None) -> bool:
    """Whether it gives a line the rate that it is to have, and does nothing else: no loss, no delay."""
    said = one.get("options", {})
    paces = kbps is not None and said.get("rate", {}).get("rate") == kbps * 125
    return one["kind"] == "netem" and paces and set(said) <= _PACING


def _policies(host: Host, found: str) -> Iterator[Finding]:
    """One beside the plan's, though between the same ends, may let through in clear what it selects."""
    planned = {policy for one in host.device.ipsec for policy in _planned_policies(one)}
    for source, destination, protocol, way, more in _POLICY.findall(found):
        template = _TEMPLATE.search(more)
        ways = template.groups() if template and more.count("tmpl") == 1 else ()
        if (source, destination, protocol, way, *ways) not in planned:
            bare = "" if "tmpl" in more else ", which demands no ESP"
            text = f"IPsec policy {way} of {source} to {destination}{bare}"
            yield Finding("policies", text, frozenset({ACCESS, ESP}))


def _planned_policies(one: IpsecConnection) -> Iterator[tuple[str | None, ...]]:
    """Yield what the kernel lists for a connection: selector, direction, and the ends and mode of its ESP."""
    inside, outside = (str(one.selector.local), str(one.selector.remote)), (str(one.local), str(one.remote))
    if one.mode is EspMode.TRANSPORT:
        outside = ("0.0.0.0", "0.0.0.0")  # noqa: S104 - as the kernel writes that it needs none
    last = (one.mode.value, hex(one.if_id) if one.if_id else None)
    protocol = one.selector.protocol or ""
    yield (*inside, protocol, "out", *outside, *last)
    for way in ("in", "fwd"):
        yield (*reversed(inside), protocol, way, *reversed(outside), *last)


def _states(host: Host, found: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """A state that no SA of the IKE daemon explains; one that waits for an SA has no SPI yet."""
    planned = {(str(one.local), str(one.remote)) for one in host.device.ipsec}
    for one in found:
        waits = one["spi"] == _NO_SPI and (one["source"], one["destination"]) in planned
        if not (one["known"] or waits):
            text = (
                f"IPsec state {one['protocol']} 0x{one['spi']} of {one['source']} to {one['destination']}"
                ", which is of no SA of the IKE daemon"
            )
            yield Finding("states", text, frozenset({ACCESS, ESP}))


def _sockets(host: Host, found: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for text in unexplained_sockets(host.device, host.services, host.added.programs, found):
        yield Finding("sockets", text)


def _packet_sockets(host: Host, found: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for text in unexplained_packet_sockets(host.device, host.services, _managed(host), found):
        yield Finding("packet_sockets", text, frozenset({SITE, CARRIER}))


def _settings(host: Host, found: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """An interface that answers, routes or learns for others; ``lo`` has no neighbours."""
    routes = host.device.router is not None or host.device.pgw is not None
    for interface, values in found.items():
        if interface == "lo" or interface in _managed(host):
            continue
        for name, value in values.items():
            if not (name == "forwarding" and routes):
                text = f"sysctl net.ipv4.conf.{interface}.{name}={value}"
                yield Finding("settings", text, frozenset({SITE, GROUP, MALICE}))


def _units(host: Host, found: Iterable[str]) -> Iterator[Finding]:
    for name in found:
        if name.removesuffix(".service") not in host.services and not re.match(UNITS, name):
            yield Finding("units", f"unit {name}")


def _drop_ins(host: Host, found: Iterable[str]) -> Iterator[Finding]:
    """What is added to a unit may lift every bound that it has."""
    ours = {f"/etc/systemd/system/{name}.service.d/heiiki.conf" for name in host.services}
    for path in found:
        unit = path.split("/")[-2].removesuffix(".d")
        if path not in ours and (unit.removesuffix(".service") in host.services or not re.match(UNITS, unit)):
            yield Finding("drop_ins", f"drop-in {path}")


def _files(host: Host, found: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """What programs of every host read; what those of the plan read is judged with their values (config)."""
    for one in found:
        if not (one["packaged"] or one["path"] in host.files | host.added.files):
            yield Finding("files", f"{one['path']}, which no package put there as it is")


def _accounts(host: Host, found: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    persons = host.added.accounts
    for one in found:
        name, uid = one["name"], one["uid"]
        if (uid == 0 and name != "root") or (_FIRST_PERSON <= uid != _NOBODY and name not in persons):
            yield Finding("accounts", f"account {name} ({uid})")
        if one["keys"] and name not in persons:
            yield Finding("accounts", f"{one['keys']} SSH keys may log in as {name}")


def _named(
    what: str, endangers: frozenset[str] = frozenset()
) -> Callable[[Host, Iterable[str]], Iterator[Finding]]:
    def judge(_host: Host, found: Iterable[str]) -> Iterator[Finding]:
        return (Finding(what, f"{what} {name}", endangers) for name in found)

    return judge


def _crontabs(_host: Host, found: Iterable[str]) -> Iterator[Finding]:
    return (Finding("crontabs", f"crontab {name}") for name in found if name not in CRONTABS)


def _authorities(_host: Host, found: Iterable[str]) -> Iterator[Finding]:
    for name in found:
        if not re.fullmatch(r"heiiki-[0-9a-f]{16}\.pem", name):
            text = f"CA certificate /etc/swanctl/x509ca/{name}"
            yield Finding("authorities", text, frozenset({ACCESS, ESP}))


def _packages(host: Host, found: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for text in unexplained(host.device, host.services, host.added.packages, found):
        yield Finding("packages", f"package {text}")


_JUDGES: Mapping[str, Callable[[Host, Any], Iterator[Finding]]] = {
    "addresses": _interfaces,
    "routes": _routes,
    "routes6": _routes_v6,
    "rules": _rules,
    "rules6": _rules,
    "tables": _tables,
    "qdiscs": _qdiscs,
    "filters": _named("filter of tc", frozenset({SITE, CARRIER})),
    "policies": _policies,
    "states": _states,
    "sockets": _sockets,
    "packet_sockets": _packet_sockets,
    "settings": _settings,
    "units": _units,
    "drop_ins": _drop_ins,
    "files": _files,
    "namespaces": _named("network namespace", frozenset({CLOSED, GROUP, SITE})),
    "crontabs": _crontabs,
    "accounts": _accounts,
    "authorities": _authorities,
    "packages": _packages,
}
"""Who judges each part of what the probe ``host`` says."""

PARTS = tuple(_JUDGES)
