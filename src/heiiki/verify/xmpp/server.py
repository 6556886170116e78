"""What the checks of the XMPP server have in common: where it is, and who speaks with it."""

import secrets
from dataclasses import dataclass
from typing import Any

from heiiki.plan.model import Device, Function, Plan, XmppServer
from heiiki.verify.network import host


@dataclass(frozen=True, slots=True)
class Served:
    """The server of a service, and its clients.

    Attributes:
        device: name of its host.
        dras: name of the DRAS.
        clients: the sites' controllers that may log in.
    """

    device: str
    server: XmppServer
    dras: str
    clients: tuple[Device, ...]

    def question(self, do: str, resource: str, **more: Any) -> dict[str, Any]:
        """Return what probe ``xmpp`` needs."""
        place = {
            "domain": self.server.domain,
            "address": str(self.server.address),
            "port": self.server.port,
        }
        return {"do": do, "place": place, "resource": resource, **more}


def jid(device: Device) -> str:
    """Return the JID that a device's certificate names; empty where it names none."""
    return next(iter(device.identity.jids), "") if device.identity is not None else ""


def served(plan: Plan) -> Served | None:
    """Return the XMPP server and its clients; None where none is ours to provision."""
    found = next((one for one in plan.managed() if one.xmpp is not None), None)
    if found is None or found.xmpp is None:
        return None
    clients = tuple(one for one in plan.managed() if jid(one) in found.xmpp.devices)
    return Served(found.name, found.xmpp, host(plan, Function.DRAS).name, clients)


def resource() -> str:
    """Return a resource that no program of the service has: a session of its own, beside theirs."""
    return f"verify-{secrets.token_hex(4)}"
