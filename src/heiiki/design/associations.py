"""The security associations of the plan by both of their ends, and the subjects of verdicts on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from heiiki.plan.model import Device, IpsecConnection, Link, Plan

ESP, ACCESS, THEFT = "R-SEC-ESP", "R-SEC-ACCESS", "R-THEFT"


@dataclass(frozen=True, slots=True)
class Side:
    """A device and its end of a connection."""

    device: str
    connection: IpsecConnection


@dataclass(frozen=True, slots=True)
class Association:
    """A connection of the plan: who initiates it, and who answers."""

    initiator: Side
    responder: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both ends."""
        return (self.initiator, self.responder)

    @property
    def protects(self) -> str:
        """The requirement that it serves."""
        return self.initiator.connection.protects

    @property
    def network(self) -> str:
        """The closed network that it crosses."""
        return self.initiator.connection.network

    @property
    def subject(self) -> str:
        """Subject of its verdicts; a gateway on both networks has one association on each."""
        return f"{self.initiator.device} to {self.responder.device}"


def associations(plan: Plan) -> Iterator[Association]:
    """Yield every connection of the plan once, from the side that initiates it."""
    for side, answering in _initiated(plan):
        if answering is not None:
            yield Association(side, answering)


def unanswered(plan: Plan) -> Iterator[Side]:
    """Yield every connection that a device initiates and its peer does not answer."""
    return (side for side, answering in _initiated(plan) if answering is None)


def _initiated(plan: Plan) -> Iterator[tuple[Side, Side | None]]:
    sides = [Side(device.name, connection) for device in plan.devices for connection in device.ipsec]
    answering = {_ends(side): side for side in sides if not side.connection.initiates}
    for side in sides:
        here = side.connection
        if here.initiates:
            yield side, answering.get((here.peer, side.device, here.remote, here.local))


def _ends(side: Side) -> tuple[str, str, IPv4Address, IPv4Address]:
    return side.device, side.connection.peer, side.connection.local, side.connection.remote


def ipsec_devices(plan: Plan) -> tuple[Device, ...]:
    """Return the devices with an IPsec connection, in plan order."""
    return tuple(device for device in plan.devices if device.ipsec)


def protected(device: Device) -> tuple[str, ...]:
    """Return the requirements that the connections of a device serve."""
    return tuple(sorted({connection.protects for connection in device.ipsec}))


def wires(plan: Plan) -> tuple[Link, ...]:
    """Return every link between a site's gateway and the hub's that a path takes, once, in path order."""
    links = {link.name: link for link in plan.links if link.kind != "lan"}
    names = dict.fromkeys(element for path in plan.paths for element in path.elements if element in links)
    return tuple(links[name] for name in names)


def is_hub_line(link: Link) -> bool:
    """Tell whether a link is the hub's line to a carrier (R-SEC-ESP)."""
    return link.kind == "access" and link.site is None


def certificate_subject(device: str) -> str:
    """Subject of the verdict on a device's certificate."""
    return f"certificate of {device}"


def revocation_subject(device: str) -> str:
    """Subject of the verdict on the CRLs that a verifier has."""
    return f"revocation at {device}"


def wire_subject(link: Link) -> str:
    """Subject of the verdict on what is seen on a link."""
    return f"wire {link.name}"
