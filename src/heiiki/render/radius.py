"""What RADIUS takes: FreeRADIUS as the server of the realm, and as the proxy of a PE."""

from typing import Any

from heiiki.plan.model import Device, Plan
from heiiki.render import agent
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.pppoe import REQUIREMENT
from heiiki.render.templates import render
from heiiki.render.units import unit
from heiiki_agent import radius

_READ_ONCE = (str(radius.CONFIG),)


def parts(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of FreeRADIUS; None where the device needs none."""
    if device.radius_proxy is not None:
        files = (_secret(radius.CONFIG, "proxy.conf", plan, device), _servers(plan, device))
        health = agent.command("radius", "proxy")
    elif device.radius is not None:
        files = (
            _secret(radius.USERS, "users", plan, device),
            RenderedFile(
                str(radius.CONFIG),
                render("freeradius/server.conf.j2", plan, device),
                service=radius.UNIT,
                requirements=(REQUIREMENT,),
            ),
        )
        health = agent.command("radius", "server", str(device.radius.address))
    else:
        return None
    return Part((unit(radius.UNIT), *files), Service(radius.UNIT, health=health, restart_on=(agent.PATH,)))


def copies() -> dict[str, Any]:
    """Return what FreeRADIUS needs of the device's credentials: CAs and CRLs in one file, too."""
    return {"folder": str(radius.CREDENTIALS), "user": radius.ACCOUNT, "plain": True}


def listeners(device: Device) -> list[list[str]]:
    """Return what a device runs when a list or its certificate is new; none where it speaks no RadSec.

    FreeRADIUS reads them at its start alone, and no session of PPPoE ends by that.
    """
    return [["systemctl", "try-restart", f"{radius.UNIT}.service"]] if has_credentials(device) else []


def has_credentials(device: Device) -> bool:
    """Tell whether the device speaks RadSec."""
    proxy = device.radius_proxy
    return device.radius is not None or (proxy is not None and proxy.home is not None)


def _secret(path: Any, template: str, plan: Plan, device: Device) -> RenderedFile:
    return RenderedFile(
        str(path),
        render(f"freeradius/{template}.j2", plan, device),
        "0600",
        radius.ACCOUNT,
        service=radius.UNIT,
        secret=True,
        requirements=(REQUIREMENT,),
    )


def _servers(plan: Plan, device: Device) -> RenderedFile:
    """Root alone reads this: pppd, and the health check."""
    text = render("ppp/servers.j2", plan, device)
    return RenderedFile(str(radius.SERVERS), text, "0600", secret=True, requirements=(REQUIREMENT,))
