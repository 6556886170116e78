"""On the wire: what leaves a router on every line of every path, looked at while traffic flows.

On a line of ours only ESP, IKE, TLS to the Vault server and CRLs of a mirror may be seen, and what the line
itself needs. Inside a carrier's network the carrier's own protocols are seen too; what it carries for us must
be ESP all the same, whatever the carrier wraps it in.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from heiiki.design.associations import (
    ACCESS,
    ESP,
    Association,
    associations,
    is_hub_line,
    wire_subject,
    wires,
)
from heiiki.plan.firewall import NTP
from heiiki.plan.model import Endpoint, Function, Link, Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify import paths
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.isolation.packets import ProbeRun
from heiiki.verify.verdicts import Keep, live, summarise, unknown
from heiiki_agent.crl_mirror import PORT as CRL_MIRROR
from heiiki_agent.radius import PORT as RADIUS
from heiiki_agent.radius import RADSEC_PORT as RADSEC

SECONDS = 8.0
"""Longer than the probe run that flows meanwhile."""

_IKE, _BGP, _LDP, _BFD, _GTP = [500, 4500], [179], [646], [3784, 3785, 4784], [2123, 2152]
_MULTICAST = ["224.0.0.0/24"]

Rule = list[Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A link and what may be seen on it.

    Attributes:
        requirement: whose evidence it is.
        ends: where to look.
        rules: see probe ``capture``.
    """

    link: Link
    requirement: str
    ends: tuple[Endpoint, ...]
    rules: tuple[Rule, ...]


def lines(plan: Plan) -> Iterator[Line]:
    """Yield every line that a path takes between a site's gateway and the hub's, once, in path order."""
    every = tuple(associations(plan))
    return (_line(plan, every, link) for link in wires(plan))


def _line(plan: Plan, every: tuple[Association, ...], link: Link) -> Line:
    if is_hub_line(link):
        return Line(link, ESP, link.ends, tuple(_hub_line(plan, every, link)))
    tunnels = [one for one in every if one.protects == ACCESS and one.network == link.network]
    if link.site is not None:
        gateways = {end.device for end in link.ends}
        tunnels = [one for one in tunnels if one.initiator.device in gateways]
    ours = (*_protected(plan, tunnels), *_too_long(plan, every, tunnels))
    if link.kind == "radio":
        return Line(link, ACCESS, (_modem(plan, link),), ours)
    if link.kind == "access":
        told = [_only(one.initiator.connection.local) for one in tunnels]
        ends = tuple(plan.above(end) for end in link.ends)
        return Line(link, ACCESS, ends, (*ours, *_line_control(plan, ends, told)))
    control = _core_control(plan) if link.network == "a" else _mobile_control(plan, link)
    return Line(link, ACCESS, link.ends, (*ours, *control))


def _modem(plan: Plan, link: Link) -> Endpoint:
    """The radio itself is ciphered by the SIM (TS 33.401); what is handed to the modem is looked at."""
    for end in link.ends:
        for interface in plan.device(end.device).interfaces:
            if interface.kind == "wwan":
                return Endpoint(end.device, interface.name)
    raise KeyError(f"modem on {link.name}")


def _protected(plan: Plan, tunnels: Iterable[Association]) -> Iterator[Rule]:
    """ESP and IKE between the ends of tunnels; who has no other way asks the Vault server, a mirror, a clock.

    That is the site's gateway, which initiates, and the carrier's edge, which answers.
    """
    for one in tunnels:
        here, there = (_only(side.connection.local) for side in one.sides)
        yield ["esp", "esp", [], here, there]
        yield ["ike", "udp", _IKE, here, there]
        asks, hub = (here, there) if one.protects == ACCESS else (there, here)
        yield ["tls", "tcp", [plan.pki.port], asks, [f"{one.service_address}/32" for one in plan.pki.servers]]
        yield ["crl", "tcp", [CRL_MIRROR], asks, hub]
        times = [f"{one.service_address}/32" for one in plan.time_servers]
        yield ["ntp", "udp", [NTP], asks, times]


def _too_long(plan: Plan, every: tuple[Association, ...], tunnels: Iterable[Association]) -> Iterator[Rule]:
    """The carrier's edge may tell a tunnel's end that its ESP packets are too long for the VPN (RFC 1191)."""
    for one in tunnels:
        edges = [other for other in every if (other.protects, other.network) == (ESP, one.network)]
        inside = [
            f"{address.ip}/32"
            for edge in edges
            for interface in plan.device(edge.responder.device).interfaces
            if interface.xfrm is not None
            for address in interface.addresses
        ]
        yield ["icmp", "icmp", [], inside, _only(one.initiator.connection.local)]


def _hub_line(plan: Plan, every: tuple[Association, ...], link: Link) -> Iterator[Rule]:
    yield from _protected(plan, [one for one in every if one.protects == ESP and one.network == link.network])
    yield from _radsec(plan, link)
    yield from _echoes(_addresses(plan, link.ends))


def _radsec(plan: Plan, link: Link) -> Iterator[Rule]:
    """The carrier's edge asks the hub's RADIUS server about sessions of PPPoE, by TLS."""
    for end in link.ends:
        proxy = plan.device(end.device).radius_proxy
        if proxy is not None and proxy.home is not None:
            yield ["radsec", "tcp", [RADSEC], _only(proxy.home.client), _only(proxy.home.address)]


def _line_control(plan: Plan, ends: Iterable[Endpoint], told: Iterable[list[str]]) -> Iterator[Rule]:
    """A site's line carries the session that says where the tunnel ends: loopbacks, and nothing of a LAN.

    The router may tell the tunnel's end by its address on the line as well that packets are too long.
    """
    own = _addresses(plan, ends)
    yield from (["icmp", "icmp", [], own, end] for end in told)
    yield ["bgp", "tcp", _BGP, own, own]
    yield ["bfd", "udp", _BFD, own, own]
    yield from _echoes(own)


def _echoes(own: list[str]) -> Iterator[Rule]:
    yield ["icmp", "icmp", [], own, own]
    yield ["arp", "arp", [], [], []]


def _core_control(plan: Plan) -> Iterator[Rule]:
    """Carrier A's own protocols between its own routers."""
    routers = [one for one in plan.devices if one.function in (Function.PE, Function.P)]
    own = [
        f"{address.ip}/32"
        for router in routers
        for interface in router.interfaces
        if interface.vrf is None and interface.xfrm is None
        for address in interface.addresses
    ]
    yield ["ospf", "ospf", [], own, [*own, *_MULTICAST]]
    if any(one.radius_proxy is not None and one.radius_proxy.clients for one in routers):
        yield ["radius", "udp", [RADIUS], own, own]
    yield ["ldp", "tcp", _LDP, own, own]
    yield ["ldp", "udp", _LDP, own, [*own, *_MULTICAST]]
    yield ["bgp", "tcp", _BGP, own, own]
    yield ["bfd", "udp", _BFD, own, own]
    yield from _echoes(own)


def _mobile_control(plan: Plan, link: Link) -> Iterator[Rule]:
    """Carrier B's own protocols between its own nodes; user packets are inside of GTP-U."""
    own = [*_addresses(plan, link.ends), *_only(plan.mobile.sgw_address)]
    if link.kind != "SGi":
        yield ["gtp", "udp", _GTP, own, own]
    yield from _echoes(own)


def core_of_tunnel(plan: Plan, ends: Iterable[Endpoint], network: str) -> Iterator[Rule]:
    """Yield what may be below the tunnels of `network`, at gateway and hub, while one of them is down.

    Inside the hub's VPN its session with the carrier is seen too: addresses of tunnels' ends, and no LAN's.
    """
    tunnels = [one for one in associations(plan) if one.network == network]
    yield from _protected(plan, tunnels)
    own = [address for end in ends for address in _both(plan, end)]
    yield ["bgp", "tcp", _BGP, own, own]
    yield ["bfd", "udp", _BFD, own, own]
    yield from _echoes(own)


def _both(plan: Plan, end: Endpoint) -> list[str]:
    """An interface's own network, with the other end in it; a modem has an address and no network."""
    return [f"{one.network}" for one in plan.device(end.device).interface(end.interface).addresses]


def _addresses(plan: Plan, ends: Iterable[Endpoint]) -> list[str]:
    return [
        f"{address.ip}/32"
        for end in ends
        for address in plan.device(end.device).interface(end.interface).addresses
    ]


def _only(address: IPv4Address) -> list[str]:
    return [f"{address}/32"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What every device saw, and the probe run that flowed meanwhile."""

    answers: Mapping[str, Answer]
    probe_run: ProbeRun


def look(plan: Plan, fleet: Fleet) -> Seen:
    """Look at every line while every path carries packets of both LANs in both directions."""
    wanted = questions(lines(plan), SECONDS)
    with ThreadPoolExecutor(1) as side:
        looking = side.submit(fleet.ask, "capture", wanted, SECONDS + 60)
        probe_run = paths.measure(fleet, tuple(paths.legs(plan)))
        return Seen(looking.result(), probe_run)


def questions(those: Iterable[Line], seconds: float) -> dict[str, dict[str, Any]]:
    """Return the parameters of probe ``capture`` for each device."""
    wanted: dict[str, dict[str, Any]] = {}
    for line in those:
        for end in line.ends:
            own = wanted.setdefault(end.device, {"seconds": seconds, "interfaces": {}})
            own["interfaces"][end.interface] = list(line.rules)
    return wanted


def verdicts(plan: Plan, seen: Seen, keep: Keep) -> Iterator[Verdict]:
    """Yield a verdict for every line."""
    flowed = {
        network: sum(
            bool(one.heard) for one in seen.probe_run.outcomes if one.packet.topic.endswith(f":{network}")
        )
        for network in "ab"
    }
    for line in lines(plan):
        yield of_line(line, seen.answers, flowed[line.link.segment], keep)


def of_line(line: Line, answers: Mapping[str, Answer], flowed: int, keep: Keep) -> Verdict:
    """Return the verdict of one line; `flowed` is how many packets of the LANs crossed it meanwhile."""
    raw = {end.device: answers[end.device].data or answers[end.device].error for end in line.ends}
    evidence = (
        keep(
            f"trust/wire-{line.link.name.replace(':', '+')}.json",
            json.dumps(raw, indent=1, default=dict).encode(),
        ),
    )
    subject = wire_subject(line.link)
    silent = [answers[end.device].error for end in line.ends if answers[end.device].error]
    if len(silent) == len(line.ends):
        return unknown(line.requirement, subject, f"no end could capture: {summarise(silent)}", evidence)
    views = {
        str(end): answers[end.device].data["interfaces"][end.interface]
        for end in line.ends
        if not answers[end.device].error
    }
    clear = [said for end, view in views.items() for said in _clear(end, view)]
    if clear:
        return live(line.requirement, subject, Result.FAIL, summarise(clear), evidence)
    doubts = [said for end, view in views.items() for said in _doubts(end, view)]
    if silent or doubts or not flowed:
        doubts += silent if flowed else [*silent, "no packet of the LANs crossed it meanwhile"]
        return unknown(line.requirement, subject, summarise(doubts), evidence)
    reason = f"{'; '.join(f'{end}: {_counted(view)}' for end, view in views.items())}; nothing else"
    return live(line.requirement, subject, Result.PASS, reason, evidence)


def _clear(end: str, view: Mapping[str, Any]) -> Iterator[str]:
    if view["else"]:
        said = "; ".join(f"{count} {text}" for text, count in view["samples"][:2])
        yield f"{end}: {view['else']} packets that are not what the plan has there: {said}"


def _doubts(end: str, view: Mapping[str, Any]) -> Iterator[str]:
    """Reasons why seeing nothing wrong proves nothing."""
    for side in ("in", "out"):
        if not sum(count[side] for name, count in view["classes"].items() if _is_esp(name)):
            yield f"{end}: no ESP was seen going {side}"
    if view["dropped"]:
        yield f"{end}: {view['dropped']} packets went by unseen"


def _is_esp(name: str) -> bool:
    return name.rsplit("/", maxsplit=1)[-1] == "esp"


def _counted(view: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{counts['in'] + counts['out']} {name.replace('/', ' with ')}"
        for name, counts in sorted(view["classes"].items(), key=lambda item: -sum(item[1].values()))
    )
