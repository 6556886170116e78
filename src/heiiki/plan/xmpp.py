"""Who speaks over XMPP: DRAS with each site's controller, by the server of the closed group.

Who may log in is named by the certificates that are in service: a device that is revoked is not among them.
Server and clients verify each other.
"""

from collections.abc import Sequence
from dataclasses import replace

from heiiki.plan import addresses as addr
from heiiki.plan import closed_group, firewall, identities, names
from heiiki.plan.context import Context
from heiiki.plan.model import Device, Firewall, Function, Role, XmppServer
from heiiki_agent.xmpp.places import PORT


def served(devices: Sequence[Device], context: Context) -> tuple[Device, ...]:
    """Return every device, the XMPP server with whom it serves."""
    clients = tuple(
        jid
        for device in devices
        if device.role is Role.EMS and device.managed and device.identity
        for jid in device.identity.jids
    )
    return tuple(
        _serving(device, context, clients) if device.function is Function.XMPP and device.managed else device
        for device in devices
    )


def _serving(device: Device, context: Context, clients: tuple[str, ...]) -> Device:
    filtered = device.firewall or Firewall()
    sources = context.service.addresses.site_lan, addr.host(context.hub_lan, addr.HUB_DRAS)
    return replace(
        device,
        xmpp=XmppServer(
            domain=identities.domain(context),
            address=addr.host(context.hub_lan, addr.HUB_XMPP),
            port=PORT,
            dras=identities.jid(context, names.DRAS),
            devices=clients,
            probe=identities.jid(context, names.XMPP),
        ),
        firewall=replace(
            filtered, services=(*filtered.services, firewall.On((names.LAN_IF,)).xmpp(*sources))
        ),
        crl_source=closed_group.crl_source(device, context),
    )
