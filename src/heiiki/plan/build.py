"""Intent in, plan out: one short function, read from top to bottom."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from heiiki.errors import IntentError
from heiiki.intent import Intent, Service
from heiiki.intent.model import Mark
from heiiki.intent.networks import Examined
from heiiki.plan import (
    epc,
    est,
    faults,
    floods,
    hub,
    identities,
    ip_vpn,
    keys,
    mms,
    neighbours,
    openadr,
    paths,
    pppoe,
    site,
    test_equipment,
    time,
    xmpp,
)
from heiiki.plan.addresses import LAN_GATEWAY, host
from heiiki.plan.context import Context
from heiiki.plan.model import (
    Availability,
    ClosedNetwork,
    Device,
    Link,
    Network,
    Plan,
    Risks,
    SharedRisk,
)
from heiiki.plan.timers import PROFILES


def build(intent: Intent) -> Plan:
    """Resolve the intent into the plan.

    The same intent gives the same plan; adding or removing a site changes no value of another.

    Raises:
        IntentError: a device that is marked as revoked, or an element that a risk names, does not exist.
    """
    revoked = {mark.written.device: mark for mark in intent.revoked}
    context = Context(intent.service, intent.sites, PROFILES[intent.service.timers], frozenset(revoked))
    devices = tuple(neighbours.bound(keys.keyed(pppoe.attached(_devices(context), context))))
    devices = time.clocked(_revoked(devices, revoked), context)
    devices = openadr.spoken(xmpp.served(devices, context), context)
    sites = tuple(site.site_plan(context, item) for item in intent.sites)
    devices = est.offered(mms.controlled(devices, sites, context), context)
    links = _links(context)
    ways = tuple(paths.paths(context, links))
    known = {*(device.name for device in devices), *(link.name for link in links)}
    by_name = {device.name: device for device in devices}
    primary = {item.name: Network(item.primary) for item in intent.sites}
    return Plan(
        service=intent.service.service,
        title=intent.service.title,
        digest=intent.digest,
        timers=context.timers,
        networks=_networks(intent.service),
        mobile=epc.mobile(context),
        hub_lan=context.hub_lan,
        hub_virtual_gateway=host(context.hub_lan, LAN_GATEWAY),
        devices=devices,
        links=links,
        sites=sites,
        paths=ways,
        faults=(
            *faults.faults(ways, primary, by_name, {link.name: link for link in links}),
            *floods.floods(sites),
            *mms.faults(devices),
            *openadr.faults(devices, sites),
        ),
        pki=est.known(identities.pki(context), devices),
        time_servers=context.time_servers,
        reliability=_reliability(intent.service),
        management=context.management,
        evidence_days=intent.service.evidence_days,
        risks=_risks(intent, known),
    )


def _devices(context: Context) -> tuple[Device, ...]:
    return (
        *ip_vpn.devices(context),
        *epc.devices(context),
        *hub.devices(context),
        *(device for item in context.sites for device in site.devices(context, item)),
        *test_equipment.devices(context),
    )


def _revoked(devices: tuple[Device, ...], revoked: Mapping[str, Mark]) -> tuple[Device, ...]:
    """Mark the revoked devices, which are not managed any more."""
    known = {device.name for device in devices}
    if missing := [mark.place for name, mark in revoked.items() if name not in known]:
        raise IntentError(missing)
    return tuple(_out(device, revoked.get(device.name)) for device in devices)


def _out(device: Device, mark: Mark | None) -> Device:
    if mark is None:
        return device
    why = f"{mark.written.reason}, since {mark.written.since}"
    return replace(device, managed=False, by_hand=False, revoked=why, revoked_sim=mark.written.sim)


def _links(context: Context) -> tuple[Link, ...]:
    return (
        *ip_vpn.links(context),
        *epc.links(context),
        *hub.links(context),
        *(link for item in context.sites for link in site.links(context, item)),
        *test_equipment.links(context),
    )


def _networks(service: Service) -> tuple[ClosedNetwork, ...]:
    return tuple(
        ClosedNetwork(
            name=name,
            kind=network.kind,
            carrier=network.carrier,
            monthly_yen=network.tariff.monthly_yen,
            included_mb=network.tariff.included_mb,
            yen_per_extra_mb=network.tariff.yen_per_extra_mb,
            transit=_told(network.transit),
        )
        for name, network in ((Network.A, service.networks.a), (Network.B, service.networks.b))
    )


def _told(examined: Examined | None) -> str:
    return f"{examined.by} on {examined.date}: {examined.source}" if examined else ""


def _reliability(service: Service) -> tuple[Availability, ...]:
    return tuple(
        Availability(name, component.mtbf_h, component.mttr_h)
        for name, component in dict(service.reliability).items()
        if component is not None
    )


def _risks(intent: Intent, known: AbstractSet[str]) -> Risks:
    missing = [
        place
        for risk in intent.risks
        for element, place in zip(risk.written.elements, risk.places, strict=True)
        if element not in known
    ]
    if missing:
        raise IntentError(missing)
    examined = intent.service.risks.examined
    told = f"examined by {_told(examined)}" if examined else ""
    written = (risk.written for risk in intent.risks)
    return Risks(told, tuple(SharedRisk(one.name, one.kind, one.elements) for one in written))
