"""R-SEC-ACCESS/time on paper: each clock has two sources on each of its networks, which know its key.

Judged are the texts that the devices are sent, and the filters and routes by which a question and its answer
pass. One source that is wrong is noticed by the other; one that is away is not missed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from heiiki.design import vendors
from heiiki.design.revoked import unused
from heiiki.design.sent import Sent
from heiiki.plan import keys, names
from heiiki.plan.model import Device, Network, Plan, Role
from heiiki.plan.vendors import Need
from heiiki.render.time import CONFIG, KEYS
from heiiki.requirements import Result, Stage, Verdict

REQUIREMENT = "R-SEC-ACCESS/time"
LEAST = 2
_SERVER = re.compile(r"^server (\S+)(?: key (\d+))? ", re.MULTILINE)
_ALLOW = re.compile(r"^allow (\S+)$", re.MULTILINE)
_KEY = re.compile(r"^(\d+) AES256 HEX:(\S+)$", re.MULTILINE)


def subjects(plan: Plan) -> Iterator[tuple[str, Network | None]]:
    """Yield each clock with each network over which it must have its sources; None for those at the hub."""
    sites = {site.name for site in plan.sites}
    for device in plan.devices:
        # The clock of an ESP's system is the ESP's own.
        ours = device.identity is not None and device.role is not Role.ESP
        if ours and (device.site is None or device.site in sites):
            for network in _networks(device):
                yield device.name, network


def subject(device: str, network: Network | None) -> str:
    """Subject of the verdict on one clock."""
    return f"clock of {device}" + (f" over {network.upper()}" if network is not None else "")


def _networks(device: Device) -> tuple[Network | None, ...]:
    return (None,) if device.site is None else device.networks or tuple(Network)


class _Prefixes:
    """Prefixes in which addresses are looked up: a server at the hub names every site."""

    def __init__(self, prefixes: Iterable[IPv4Network]) -> None:
        self._by_mask: defaultdict[int, set[int]] = defaultdict(set)
        for prefix in prefixes:
            self._by_mask[int(prefix.netmask)].add(int(prefix.network_address))

    def __contains__(self, address: IPv4Address) -> bool:
        return any(int(address) & mask in networks for mask, networks in self._by_mask.items())


@dataclass(frozen=True, slots=True)
class _Server:
    """A time server, as its texts and its filter have it.

    Attributes:
        keys: by their numbers, what stands for each.
        allowed: whom chronyd answers.
        opened: whom its filter lets ask.
    """

    keys: Mapping[str, str]
    allowed: _Prefixes
    opened: _Prefixes

    @classmethod
    def of(cls, device: Device, sent: Sent) -> "_Server":
        """Return the server that `device` is sent to be."""
        services = device.firewall.services if device.firewall else ()
        return cls(
            _keys(sent),
            _Prefixes(map(IPv4Network, _ALLOW.findall(sent.files.get(CONFIG, "")))),
            _Prefixes(one for service in services if service.name == keys.NTP for one in service.sources),
        )


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield one verdict for each clock and network."""
    servers: dict[str, _Server] = {}
    for one in plan.time_servers:
        if one.device in sent:
            server = _Server.of(plan.device(one.device), sent[one.device])
            servers |= dict.fromkeys((str(one.address), str(one.service_address)), server)
    for name, network in subjects(plan):
        device, about = plan.device(name), subject(name, network)
        if why := _not_asked(plan, device, network):
            yield Verdict(REQUIREMENT, about, Stage.DESIGN, Result.NOT_APPLICABLE, why)
        elif device.by_hand:
            yield vendors.answer(Need.TIME, REQUIREMENT, about, device, sent[name])
        else:
            yield _verdict(servers, device, sent[name], network)


def _not_asked(plan: Plan, device: Device, network: Network | None) -> str:
    """Return why nothing is asked of a clock over a network, or nothing."""
    if device.clock is None:
        return "it is revoked: no time server answers it"
    if network is not None and device.site is not None:
        gateways = [plan.site(device.site).gateway(network)]
        if why := unused(plan, gateways):
            return why
    if device.clock.is_reference:
        return "no source of time is declared (`time:`): this clock is the time of the service"
    return ""


def _verdict(servers: Mapping[str, _Server], device: Device, sent: Sent, network: Network | None) -> Verdict:
    about, text = subject(device.name, network), sent.files.get(CONFIG, "")
    own, good, wrong = _keys(sent), [], []
    for address, number in _SERVER.findall(text):
        key = _Asked(address, number, own.get(number, ""))
        if why := _hindrance(servers, device, network, key):
            wrong.append(f"{address} {why}")
        else:
            good.append(address)
    # Of the servers, each is the other's second source at most.
    least = 1 if device.name in names.HUB_HOSTS else LEAST
    enough = len(good) >= least
    return Verdict(
        REQUIREMENT,
        about,
        Stage.DESIGN,
        Result.PASS if enough else Result.FAIL,
        reason=f"asks {', '.join(good)}" if enough else "; ".join(wrong) or "it is sent too few sources",
        measured=float(len(good)),
        bound=float(least),
        unit="sources at least",
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A source as a device is sent it; without a key, number and key are empty."""

    address: str
    number: str
    key: str


def _hindrance(servers: Mapping[str, _Server], device: Device, network: Network | None, asked: _Asked) -> str:
    """Return why a device does not have the time from a source over a network, or nothing."""
    address, server = IPv4Address(asked.address), servers.get(asked.address)
    if server is None:
        declared = device.clock is not None and address in device.clock.references
        return "" if declared else "is no time server of the plan"
    if asked.number and server.keys.get(asked.number) != (asked.key or None):
        return f"does not share key {asked.number}"
    asker = _asker(device, network)
    if asker not in server.allowed:
        return f"does not answer {asker}"
    if asker not in server.opened:
        return f"does not let {asker} in"
    return "" if _passes(device, network, address) else "is not reached by that network"


def _keys(sent: Sent) -> dict[str, str]:
    return dict(_KEY.findall(sent.files.get(KEYS, "")))


def _asker(device: Device, network: Network | None) -> IPv4Address:
    """Return the address that the device asks from: over a network, that of its tunnel there."""
    ends = [one.local for one in device.ipsec if network is not None and one.network == network]
    if ends:
        return ends[0]
    if device.clock is not None and device.clock.source is not None:
        return device.clock.source
    on_lan = [one for item in device.interfaces if item.name == names.LAN_IF for one in item.addresses]
    # Carrier A's edge has the hub's line; every other device has a LAN.
    return on_lan[0].ip if on_lan else next(one.local for one in device.ipsec)


def _passes(device: Device, network: Network | None, address: IPv4Address) -> bool:
    """Tell whether a gateway, outside of its tunnels, has a route there, and lets the answer in."""
    if network is None or not device.ipsec:
        return True
    uplink = names.ON[network].uplink
    let_in = any(
        address in prefix
        for source in (device.firewall.sources if device.firewall else ())
        if source.interface == uplink
        for prefix in source.prefixes
    )
    return let_in and _leads(device, network, address)


def _leads(device: Device, network: Network, address: IPv4Address) -> bool:
    if network is Network.B:
        return any(
            route.interface == names.ON[network].uplink and address in route.prefix for route in device.routes
        )
    sets = device.router.prefix_sets if device.router else ()
    accepted = {
        neighbor.accept
        for instance in (device.router.bgp if device.router else ())
        for neighbor in instance.neighbors
    }
    return any(address in prefix for one in sets if one.name in accepted for prefix in one.prefixes)
