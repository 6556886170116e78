"""Who asks whom for the time (NTP, RFC 5905), and by which key.

DRAS and XMPP server answer everybody who holds a certificate. Who makes the tunnels asks outside of them, for
a certificate can only be judged by a clock that is right.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Network

from heiiki.intent import Site
from heiiki.plan import keys, names
from heiiki.plan.context import Context
from heiiki.plan.model import Clock, Device, Network, TimeKey

_FIXED = (names.DRAS, names.XMPP, names.HUB_CE_A, names.HUB_CE_B, names.EDGE)
"""Devices of no site, by the number of their key; behind them are carrier A's edge and DRAS' second host."""
_A_SITE = 16
"""Numbers that a site has, from its own number on."""


def clocked(devices: Iterable[Device], context: Context) -> tuple[Device, ...]:
    """Return every device, those with a certificate with a clock; a revoked device is answered no more."""
    every = tuple(devices)
    known = _keys(context)
    clients = tuple(known[device.name] for device in every if _has_clock(device) and device.name in known)
    return tuple(_with_clock(device, context, known, clients) for device in every)


def _has_clock(device: Device) -> bool:
    return device.configured and device.identity is not None


def _keys(context: Context) -> dict[str, TimeKey]:
    fixed = (*_FIXED, context.edge(Network.A), *tuple(context.dras_hosts)[1:])
    numbers = dict(zip(fixed, range(1, 1 + len(fixed)), strict=True))
    for site in context.sites:
        for index, name in enumerate(_of_site(site)):
            numbers.setdefault(name, _A_SITE * site.number + index)
    return {name: TimeKey(number, f"{keys.FOLDER}/{keys.NTP}/{name}") for name, number in numbers.items()}


def _of_site(site: Site) -> Iterator[str]:
    yield from (names.gateway(site, network) for network in Network)
    yield names.controller(site)


def _with_clock(
    device: Device, context: Context, known: dict[str, TimeKey], clients: tuple[TimeKey, ...]
) -> Device:
    if not _has_clock(device):
        return device
    key = known.get(device.name)
    if device.name not in names.HUB_HOSTS:
        return replace(device, clock=_client(device, context, key))
    references = context.service.time.sources
    # Without a source of time the first of them that is there is the service's.
    first = next(name for name in names.HUB_HOSTS if name not in context.revoked)
    is_reference = not references and device.name == first
    others = (one.address for one in context.time_servers if one.device != device.name)
    clock = Clock(
        key=key,
        # Without a reference the other server has its time from this one.
        servers=() if is_reference else tuple(others),
        references=references,
        is_reference=is_reference,
        clients=tuple(one for one in clients if one != key),
        allowed=tuple(_askers(device)),
    )
    return replace(device, clock=clock)


def _askers(device: Device) -> Iterator[IPv4Network]:
    for service in device.firewall.services if device.firewall else ():
        if service.name == keys.NTP:
            yield from service.sources


def _client(device: Device, context: Context, key: TimeKey | None) -> Clock:
    on_hub_lan = device.name in (names.HUB_CE_A, names.HUB_CE_B)
    if on_hub_lan or not device.ipsec:
        return Clock(key, tuple(one.address for one in context.time_servers))
    ends = {connection.local for connection in device.ipsec}
    return Clock(
        key,
        tuple(one.service_address for one in context.time_servers),
        # A carrier lets no other address pass; a gateway on both networks has one for each (`Router.source`).
        source=min(ends) if len(ends) == 1 else None,
    )
