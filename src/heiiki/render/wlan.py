"""What both ends of a wireless LAN are sent: hostapd's configuration, wpa_supplicant's and the guard's."""

from pathlib import Path

from heiiki.plan.model import Device, Plan
from heiiki.render import agent
from heiiki.render.documents import by_key
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.templates import render
from heiiki.render.units import unit
from heiiki_agent.wlan import places

REQUIREMENT = "R-SEC-LAN/wifi"


def access_point(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the access point; None where the device is none."""
    if device.access_point is None:
        return None
    name = places.ACCESS_POINT
    users = _rendered("access_point.users", places.USERS, name, plan, device)
    config = _rendered("access_point.conf", places.ACCESS_POINT_CONFIG, name, plan, device)
    health = agent.command("wlan", "access-point", device.access_point.interface)
    return Part((unit(name), users, config), Service(name, health=health))


def station(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the station; None where the device is none."""
    if device.station is None:
        return None
    name = places.STATION
    config = _rendered("station.conf", places.STATION_CONFIG, name, plan, device)
    health = agent.command("wlan", "station", device.station.interface)
    return Part((unit(name), config), Service(name, health=health))


def guard(_plan: Plan, device: Device) -> Part | None:
    """Return the guard of a station, which says what access point it may join."""
    if device.station is None:
        return None
    content = {"interface": device.station.interface, "access_point": device.station.access_point}
    config = RenderedFile(
        str(places.GUARD_CONFIG), by_key(content), service=places.GUARD, requirements=(REQUIREMENT,)
    )
    health = agent.command("wlan", "guarded")
    return Part((unit(places.GUARD), config), Service(places.GUARD, health=health, restart_on=(agent.PATH,)))


def _rendered(template: str, path: Path, service: str, plan: Plan, device: Device) -> RenderedFile:
    text = render(f"linux/{template}.j2", plan, device)
    return RenderedFile(str(path), text, service=service, requirements=(REQUIREMENT,))


def copies() -> dict[str, object]:
    """Return what the daemons of a LAN need of a device's credentials: CAs and CRLs in one file, too."""
    return {"folder": str(places.CREDENTIALS), "user": "root", "plain": True}


def listeners(device: Device) -> list[list[str]]:
    """Return what a device runs when a list or its certificate is new; none where it is not on the air."""
    if device.access_point is not None:
        return [list(agent.command("wlan", "renew", device.access_point.interface))]
    if device.station is not None:
        return [["systemctl", "try-reload-or-restart", f"{places.GUARD}.service"]]
    return []
