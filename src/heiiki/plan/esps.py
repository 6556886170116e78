"""Systems of energy service providers in the closed group: who may order events by the REST API of DRAS.

They are no devices of ours: the plan gives each an address, a certificate's names and the sites that it may
address. Its key is born there, and what is sent to us is a request for a certificate.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface

from heiiki.intent.esps import ALL
from heiiki.plan import identities, names
from heiiki.plan.context import Context
from heiiki.plan.model import (
    Device,
    DeviceClass,
    Function,
    Interface,
    InterfaceKind,
    RestApi,
    Role,
    ServedEsp,
    ServedVen,
)
from heiiki_agent.openadr.places import REST_PORT


def devices(context: Context) -> Iterator[Device]:
    """Yield the systems, each as a host on the hub's LAN."""
    for one in context.service.esps:
        name = names.esp(one.name)
        address = IPv4Interface((one.address, context.hub_lan.prefixlen))
        yield Device(
            name=name,
            role=Role.ESP,
            function=Function.ESP,
            platform="linux_host",
            networks=(),
            managed=False,
            interfaces=(Interface(names.LAN_IF, InterfaceKind.ETHERNET, (address,)),),
            identity=identities.identity(context, name, DeviceClass.ESP),
        )


def api(context: Context, vens: tuple[ServedVen, ...]) -> RestApi | None:
    """Return the REST API of the VTN that serves `vens`; None where no ESP may address a site of theirs."""
    served = {one.ven_id for one in vens}
    sites = {site.name: names.controller(site) for site in context.sites if names.controller(site) in served}
    esps = tuple(_served(context, frozenset(sites)))
    return RestApi(REST_PORT, tuple(sorted(sites.items())), esps) if esps else None


def sources(context: Context) -> tuple[IPv4Address, ...]:
    """Return where ESPs in service ask from."""
    return tuple(one.address for one in context.service.esps if names.esp(one.name) not in context.revoked)


def _served(context: Context, sites: frozenset[str]) -> Iterator[ServedEsp]:
    for one in context.service.esps:
        device = names.esp(one.name)
        own = sites if one.sites == (ALL,) else sites.intersection(one.sites)
        if own and device not in context.revoked:
            yield ServedEsp(one.name, device, identities.host(context, device), tuple(sorted(own)))
