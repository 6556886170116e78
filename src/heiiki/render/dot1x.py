"""What both ends of a wired LAN with IEEE 802.1X are sent, for hostapd or wpa_supplicant and the port."""

from pathlib import Path

from heiiki.plan.model import Device, Plan
from heiiki.render import agent
from heiiki.render.documents import by_key
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.templates import render
from heiiki.render.units import unit
from heiiki_agent.dot1x import places

REQUIREMENT = "R-SEC-LAN/wired"


def authenticator(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the authenticator; None where the device is none."""
    if device.authenticator is None:
        return None
    name = places.AUTHENTICATOR
    users = _rendered("authenticator.users", places.USERS, name, plan, device)
    config = _rendered("authenticator.conf", places.AUTHENTICATOR_CONFIG, name, plan, device)
    health = _command("authenticator", device.authenticator.interface)
    return Part((unit(name), users, config), Service(name, health=health))


def supplicant(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the supplicant; None where the device is none."""
    if device.supplicant is None:
        return None
    name = places.SUPPLICANT
    config = _rendered("supplicant.conf", places.SUPPLICANT_CONFIG, name, plan, device)
    return Part(
        (unit(name), config), Service(name, health=_command("supplicant", device.supplicant.interface))
    )


def guard(_plan: Plan, device: Device) -> Part | None:
    """Return the guard of a supplicant, which says with what authenticator it may go on."""
    if device.supplicant is None:
        return None
    content = {
        "interface": device.supplicant.interface,
        "access_point": device.supplicant.authenticator,
        "unit": places.SUPPLICANT,
    }
    return _of_agent(places.GUARD, places.GUARD_CONFIG, content, "guarded")


def port(plan: Plan, device: Device) -> Part | None:
    """Return what keeps the controlled port of either end, as the daemon of that end says."""
    end = device.controlled_port
    if end is None:
        return None
    content = {
        "interface": end.interface,
        "side": "authenticator" if device.authenticator is not None else "supplicant",
        "peer": plan.device(end.peer).interface(end.interface).link_address or "",
    }
    return _of_agent(places.PORT, places.PORT_CONFIG, content, "ported")


def _of_agent(name: str, path: Path, content: dict[str, str], health: str) -> Part:
    config = RenderedFile(str(path), by_key(content), service=name, requirements=(REQUIREMENT,))
    return Part((unit(name), config), Service(name, health=_command(health), restart_on=(agent.PATH,)))


def _rendered(template: str, path: Path, service: str, plan: Plan, device: Device) -> RenderedFile:
    text = render(f"linux/{template}.j2", plan, device)
    return RenderedFile(str(path), text, service=service, requirements=(REQUIREMENT,))


def _command(*words: str) -> tuple[str, ...]:
    return agent.command("dot1x", *words)


def listeners(device: Device) -> list[list[str]]:
    """Return what a device runs when a list or its certificate is new; none without a controlled port."""
    if device.authenticator is not None:
        return [list(_command("renew", device.authenticator.interface))]
    if device.supplicant is not None:
        return [["systemctl", "try-reload-or-restart", f"{places.GUARD}.service"]]
    return []
