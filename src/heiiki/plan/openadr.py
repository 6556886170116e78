"""Who speaks OpenADR with whom: DRAS is the VTN, on one host or two, each site's controller a VEN.

Both ends verify the other's certificate, so both ask for revocation lists.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from heiiki.plan import closed_group, esps, firewall, identities, names
from heiiki.plan.context import Context
from heiiki.plan.model import (
    Device,
    Doubled,
    ElementKind,
    FailureMode,
    Fault,
    Firewall,
    Role,
    ServedVen,
    SitePlan,
    Ven,
    Vtn,
    VtnHost,
    XmppLogin,
)
from heiiki_agent.openadr.places import PAIR_PORT, PORT, End

_Servers = tuple[tuple[IPv4Address, int], ...]


def spoken(devices: Sequence[Device], context: Context) -> tuple[Device, ...]:
    """Return every device, DRAS with a VTN and the controllers with a VEN, but for those that are revoked."""
    vens = tuple(
        ServedVen(device.name, device.identity.common_name, device.identity.jids[0])
        for device in devices
        if device.role is Role.EMS and device.managed and device.identity
    )
    servers = tuple(
        (device.xmpp.address, device.xmpp.port)
        for device in devices
        if device.managed and device.xmpp is not None
    )
    return tuple(_speaking(device, context, vens, servers) for device in devices)


def faults(devices: Iterable[Device], sites: Sequence[SitePlan]) -> Iterator[Fault]:
    """Yield each end that is killed while events are under way; being last, they saw all other faults.

    A host of the VTN that has a second one fails once more for good, which takes over.
    """
    known, every = tuple(devices), tuple(site.name for site in sites)
    vtns = {device.name for device in known if device.vtn is not None}
    for device in known:
        if device.vtn is not None:
            yield _killed(device, "vtn", every)
            if device.vtn.doubled is not None and device.vtn.doubled.device in vtns:
                yield Fault(device.name, ElementKind.EVENTS, FailureMode.FAILOVER, None, every, service="vtn")
        elif device.ven is not None:
            yield _killed(device, "ven", tuple(site.name for site in sites if site.controller == device.name))


def _killed(device: Device, end: End, sites: tuple[str, ...]) -> Fault:
    return Fault(device.name, ElementKind.EVENTS, FailureMode.KILLED, None, sites, service=end)


def _speaking(device: Device, context: Context, vens: tuple[ServedVen, ...], servers: _Servers) -> Device:
    if not device.managed or not vens:
        return device
    if device.role is Role.DRAS_SERVER:
        return _vtn(device, context, vens, servers)
    return _ven(device, context, servers) if device.role is Role.EMS else device


def _vtn(device: Device, context: Context, vens: tuple[ServedVen, ...], servers: _Servers) -> Device:
    here = context.dras_hosts[device.name]
    filtered = device.firewall or Firewall()
    on_lan, api, doubled = firewall.On((names.LAN_IF,)), esps.api(context, vens), _doubled(device, context)
    opened = on_lan.openadr(context.service.addresses.site_lan)
    by_rest = (on_lan.rest(*esps.sources(context)),) if api else ()
    by_peer = (on_lan.openadr_pair(doubled.peer.address),) if doubled else ()
    every_s, signed = context.timers.openadr_poll_s, _signed(context)
    login = _login(device, context, servers)
    name = context.service.service.upper()
    return replace(
        device,
        vtn=Vtn(name, here, PORT, vens, every_s, api, signed, login, doubled),
        firewall=replace(filtered, services=(*filtered.services, opened, *by_rest, *by_peer)),
        crl_source=closed_group.crl_source(device, context),
    )


def _doubled(device: Device, context: Context) -> Doubled | None:
    """Return how a host keeps the book with the other one, also while that one is revoked.

    Its book has epochs, so it needs to know of two hosts; certificates tell it that the other one is out.
    """
    for other in context.dras_hosts:
        if other != device.name:
            own = identities.host(context, device.name)
            return Doubled(own, PAIR_PORT, other, _host(context, other, PAIR_PORT))
    return None


def _ven(device: Device, context: Context, servers: _Servers) -> Device:
    hosts = [name for name in context.dras_hosts if name not in context.revoked] or [names.DRAS]
    first, *others = (_host(context, name, PORT) for name in hosts)
    login = _login(device, context, servers)
    ven = Ven(
        device.name,
        first.name,
        first.address,
        first.port,
        signed=_signed(context),
        xmpp=login,
        others=tuple(others),
    )
    return replace(device, ven=ven, crl_source=closed_group.crl_source(device, context))


def _host(context: Context, name: str, port: int) -> VtnHost:
    return VtnHost(identities.host(context, name), context.dras_hosts[name], port)


def _signed(context: Context) -> bool:
    return context.service.openadr.security == "high"


def _login(device: Device, context: Context, servers: _Servers) -> XmppLogin | None:
    """Return by what a device speaks over XMPP; None where it does not, or no server is in service."""
    if context.service.openadr.transport != "xmpp" or not servers or device.identity is None:
        return None
    return XmppLogin(
        domain=identities.domain(context),
        servers=servers,
        jid=device.identity.jids[0],
        vtn=identities.jid(context, names.DRAS),
    )
