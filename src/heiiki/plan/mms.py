"""Who controls what directly: DRAS, at each controller that has a resource under direct control.

A controller whose resources are all asked by OpenADR serves nothing. Both ends verify the other's
certificate, so both ask for revocation lists.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from heiiki.plan import addresses as addr
from heiiki.plan import closed_group, firewall, identities, names
from heiiki.plan.context import Context
from heiiki.plan.model import (
    ControlledSite,
    Device,
    ElementKind,
    FailureMode,
    Fault,
    Firewall,
    Function,
    MmsClient,
    MmsServer,
    SitePlan,
)
from heiiki_agent.mms.places import PORT, End


def controlled(devices: Sequence[Device], sites: Sequence[SitePlan], context: Context) -> tuple[Device, ...]:
    """Return every device, DRAS as the client and controllers as the servers of direct control."""
    known = {device.name: device for device in devices}
    wanted = tuple(
        _site(site, known[site.controller]) for site in sites if _is_served(site, known[site.controller])
    )
    served = {site.device: site for site in wanted}
    return tuple(_controlling(device, context, served) for device in devices)


def faults(devices: Iterable[Device]) -> Iterator[Fault]:
    """Yield each end that is killed while orders and reports are under way."""
    for device in devices:
        if device.mms_client is not None:
            yield _killed(device, "client", tuple(site.name for site in device.mms_client.sites))
        elif device.mms_server is not None and device.site is not None:
            yield _killed(device, "server", (device.site,))


def _killed(device: Device, end: End, sites: tuple[str, ...]) -> Fault:
    return Fault(device.name, ElementKind.ORDERS, FailureMode.KILLED, None, sites, service=f"mms-{end}")


def _is_served(site: SitePlan, controller: Device) -> bool:
    direct = any(control == "direct" for _, control in site.resources)
    return direct and controller.managed and controller.identity is not None


def _site(site: SitePlan, controller: Device) -> ControlledSite:
    return ControlledSite(
        name=site.name,
        device=controller.name,
        certificate_name=controller.identity.common_name if controller.identity else "",
        address=site.controller_address,
        port=PORT,
        battery=("battery", "direct") in site.resources,
    )


def _controlling(device: Device, context: Context, served: dict[str, ControlledSite]) -> Device:
    if device.function is Function.DRAS and device.managed and served:
        client = MmsClient(tuple(served.values()))
        return replace(device, mms_client=client, crl_source=closed_group.crl_source(device, context))
    site = served.get(device.name)
    return _serving(device, context, site) if site else device


def _serving(device: Device, context: Context, site: ControlledSite) -> Device:
    filtered, dras = device.firewall or Firewall(), addr.host(context.hub_lan, addr.HUB_DRAS)
    server = MmsServer(site.address, site.port, identities.host(context, names.DRAS), dras, site.battery)
    opened = firewall.On((names.LAN_IF,)).mms(dras)
    return replace(
        device,
        mms_server=server,
        firewall=replace(filtered, services=(*filtered.services, opened)),
        crl_source=closed_group.crl_source(device, context),
    )
