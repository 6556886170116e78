"""Who speaks OpenADR with whom: DRAS is the VTN, each site's controller a VEN.

Both ends verify the other's certificate, so both ask for revocation lists.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

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
)
from heiiki_agent.openadr.places import PORT, End


def spoken(devices: Sequence[Device], context: Context) -> tuple[Device, ...]:
    """Return every device, DRAS with a VTN and the controllers with a VEN, but for those that are revoked."""
    vens = tuple(
        ServedVen(device.name, device.identity.common_name)
        for device in devices
        if device.role is Role.EMS and device.managed and device.identity
    )
    return tuple(_speaking(device, context, vens) for device in devices)


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


def _speaking(device: Device, context: Context, vens: tuple[ServedVen, ...]) -> Device:
    if not device.managed or not vens:
        return device
    if device.function is Function.DRAS:
        return _vtn(device, context, vens)
    return _ven(device, context) if device.role is Role.EMS else device


def _vtn(device: Device, context: Context, vens: tuple[ServedVen, ...]) -> Device:
    here = addr.host(context.hub_lan, addr.HUB_DRAS)
    filtered = device.firewall or Firewall()
    on_lan, api = firewall.On((names.LAN_IF,)), esps.api(context, vens)
    opened = on_lan.openadr(context.service.addresses.site_lan)
    by_rest = (on_lan.rest(*esps.sources(context)),) if api else ()
    every_s, signed = context.timers.openadr_poll_s, _signed(context)
    return replace(
        device,
        vtn=Vtn(context.service.service.upper(), here, PORT, vens, every_s, api, signed),
        firewall=replace(filtered, services=(*filtered.services, opened, *by_rest)),
        crl_source=closed_group.crl_source(device, context),
    )


def _ven(device: Device, context: Context) -> Device:
    vtn = identities.host(context, names.DRAS), addr.host(context.hub_lan, addr.HUB_DRAS), PORT
    ven = Ven(device.name, *vtn, signed=_signed(context))
    return replace(device, ven=ven, crl_source=closed_group.crl_source(device, context))


def _signed(context: Context) -> bool:
    return context.service.openadr.security == "high"
