"""Who enrols by EST: devices that no role enrols, at the registration authority on the host of DRAS.

It has its place there because that host is reached outside of tunnels already (its time service is), pulls
revocation lists, and keeps no key of a CA. At the Vault server its log-in has these devices certified alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from heiiki.plan import addresses as addr
from heiiki.plan import closed_group, firewall, names
from heiiki.plan.context import Context
from heiiki.plan.model import Device, Est, EstClient, Firewall, Function, Pki, Registrar, Role
from heiiki_agent.est.places import PORT


def offered(devices: Sequence[Device], context: Context) -> tuple[Device, ...]:
    """Return every device, DRAS as a registration authority where the intent has one."""
    if context.service.enrolment is None:
        return tuple(devices)
    clients = tuple(_clients(devices, context))
    return tuple(_serving(device, context, clients) for device in devices)


def known(pki: Pki, devices: Sequence[Device]) -> Pki:
    """Return who vouches for whom, with the registration authority among `devices`, if there is one."""
    for device in devices:
        if device.est is not None and device.identity is not None:
            served = tuple(one.identity for one in device.est.clients)
            host = device.identity.common_name
            return replace(pki, registrar=Registrar(device.name, host, device.sources, served))
    return pki


def enrols(device: Device) -> bool:
    """Tell whether no role enrols a device that has a certificate."""
    return device.identity is not None and (device.by_hand or device.role is Role.ESP)


def _clients(devices: Sequence[Device], context: Context) -> Iterator[EstClient]:
    on_lan = addr.host(context.hub_lan, addr.HUB_DRAS)
    outside = next(one.service_address for one in context.time_servers if one.device == names.DRAS)
    for device in devices:
        if device.identity is None or not enrols(device) or device.revoked:
            continue
        if device.vault_clients:
            # Before its tunnel is up, which needs the certificate.
            yield EstClient(device.identity, device.vault_clients[0].address, outside)
        else:
            yield EstClient(device.identity, _on_lan(device), on_lan)


def _on_lan(device: Device) -> IPv4Address:
    return device.interface(names.LAN_IF).addresses[0].ip


def _serving(device: Device, context: Context, clients: tuple[EstClient, ...]) -> Device:
    for one in clients:
        if one.identity.device == device.name:
            return replace(device, enrols_at=one.server)
    if device.function is not Function.DRAS or not device.managed:
        return device
    outside = next(one.service_address for one in context.time_servers if one.device == device.name)
    addresses = addr.host(context.hub_lan, addr.HUB_DRAS), outside
    filtered = device.firewall or Firewall()
    opened = firewall.On((names.LAN_IF,)).est(*sorted({one.source for one in clients}))
    return replace(
        device,
        est=Est(addresses, PORT, clients),
        firewall=replace(filtered, services=(*filtered.services, *((opened,) if clients else ()))),
        crl_source=closed_group.crl_source(device, context),
    )
