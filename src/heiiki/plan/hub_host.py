"""A host of the hub's LAN as all of them are: an address there, one that carriers are shown, and a name."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface

from heiiki.plan import addresses as addr
from heiiki.plan import identities, names
from heiiki.plan.context import Context
from heiiki.plan.model import (
    Device,
    DeviceClass,
    Firewall,
    Function,
    InputService,
    Interface,
    InterfaceKind,
    Role,
    StaticRoute,
)


def device(  # noqa: PLR0913 - in what hosts differ
    context: Context,
    name: str,
    role: Role,
    function: Function,
    *,
    address: IPv4Address,
    shown: IPv4Address | None = None,
    routes: Iterable[StaticRoute],
    services: Iterable[InputService],
) -> Device:
    """Return the host, without what it serves.

    Args:
        context: the service.
        name: of the host.
        role: that provisions it.
        function: what it is.
        address: on the LAN.
        shown: its service address, for those that have no tunnel; None if it serves none of them.
        routes: back to who asks for that.
        services: what its filter opens.
    """
    lan = IPv4Interface((address, context.hub_lan.prefixlen))
    loopback = (
        ()
        if shown is None
        else (Interface(names.LOOPBACK_IF, InterfaceKind.LOOPBACK, (addr.single(shown),)),)
    )
    return Device(
        name=name,
        role=role,
        function=function,
        platform="linux_host",
        networks=(),
        interfaces=(Interface(names.LAN_IF, InterfaceKind.ETHERNET, (lan,)), *loopback),
        routes=tuple(routes),
        firewall=Firewall(management=context.access, services=tuple(services)),
        identity=identities.identity(context, name, DeviceClass.SERVER),
    )
