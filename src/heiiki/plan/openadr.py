"""Who speaks OpenADR with whom: DRAS is the VTN, each site's controller a VEN.

Both ends verify the other's certificate, so both ask for revocation lists.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from heiiki.plan import addresses as addr
from heiiki.plan import closed_group, esps, firewall, identities, names
from heiiki.plan.context import Context
from heiiki.plan.model import (
    Device,
    ElementKind,
    FailureMode,
    Fault,
    Firewall,
    Function,
    Role,
    ServedVen,
    SitePlan,
    Ven,
    Vtn,
    XmppLogin,
)
from heiiki_agent.openadr.places import PORT, End

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
    """Yield each end that is killed while events are under way; being last, they saw all other faults."""
    every = tuple(site.name for site in sites)
    for device in devices:
        if device.vtn is not None:
            yield _killed(device, "vtn", every)
        elif device.ven is not None:
            yield _killed(device, "ven", tuple(site.name for site in sites if site.controller == device.name))


def _killed(device: Device, end: End, sites: tuple[str, ...]) -> Fault:
    return Fault(device.name, ElementKind.EVENTS, FailureMode.KILLED, None, sites, service=end)


def _speaking(device: Device, context: Context, vens: tuple[ServedVen, ...], servers: _Servers) -> Device:
    if not device.managed or not vens:
        return device
    if device.function is Function.DRAS:
        return _vtn(device, context, vens, servers)
    return _ven(device, context, servers) if device.role is Role.EMS else device


def _vtn(device: Device, context: Context, vens: tuple[ServedVen, ...], servers: _Servers) -> Device:
    here = addr.host(context.hub_lan, addr.HUB_DRAS)
    filtered = device.firewall or Firewall()
    on_lan, api = firewall.On((names.LAN_IF,)), esps.api(context, vens)
    opened = on_lan.openadr(context.service.addresses.site_lan)
    by_rest = (on_lan.rest(*esps.sources(context)),) if api else ()
    every_s, signed = context.timers.openadr_poll_s, _signed(context)
    login = _login(device, context, servers)
    return replace(
        device,
        vtn=Vtn(context.service.service.upper(), here, PORT, vens, every_s, api, signed, login),
        firewall=replace(filtered, services=(*filtered.services, opened, *by_rest)),
        crl_source=closed_group.crl_source(device, context),
    )


def _ven(device: Device, context: Context, servers: _Servers) -> Device:
    vtn = identities.host(context, names.DRAS), addr.host(context.hub_lan, addr.HUB_DRAS), PORT
    ven = Ven(device.name, *vtn, signed=_signed(context), xmpp=_login(device, context, servers))
    return replace(device, ven=ven, crl_source=closed_group.crl_source(device, context))


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
