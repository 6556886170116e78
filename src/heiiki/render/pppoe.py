"""What optical access takes: pppd at the site, an access concentrator for each line of a PE."""

from functools import cache
from pathlib import Path

from heiiki.plan.model import Device, Plan, PppoeLine
from heiiki.render import agent
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.templates import render
from heiiki.render.units import FOLDER as UNITS
from heiiki.render.units import unit
from heiiki_agent import pppoe

REQUIREMENT = "R-SEC-ACCESS/line"


def client(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of a site's router; None where its line carries IP by itself."""
    if device.pppoe is None:
        return None
    options = RenderedFile(
        str(pppoe.CLIENT_OPTIONS),
        render("ppp/line.options.j2", plan, device),
        "0600",
        service=pppoe.CLIENT_UNIT,
        secret=True,
        requirements=(REQUIREMENT,),
    )
    health = agent.command("pppoe", "status", device.pppoe.interface)
    return Part((unit(pppoe.CLIENT_UNIT), options), Service(pppoe.CLIENT_UNIT, health=health))


def concentrators(plan: Plan, device: Device) -> tuple[Part, ...]:
    """Return the files and the service of each line that ends at a PE: one session on each, at a time."""
    return tuple(_concentrator(plan, device, line) for line in device.pppoe_lines)


def shared(plan: Plan, device: Device) -> tuple[RenderedFile, ...]:
    """Return what pppd reads for every line of a PE; it is read again for each session."""
    if not device.pppoe_lines:
        return ()
    return (_pre_up(), _dictionary(), _port_map(), _radius_client(plan, device))


def _concentrator(plan: Plan, device: Device, line: PppoeLine) -> Part:
    name = pppoe.server_unit(line.interface)
    started = render("linux/heiiki-pppoe-server.service.j2", plan, device, line=line)
    options = RenderedFile(
        str(pppoe.server_options(line.interface)),
        render("ppp/server.options.j2", plan, device, line=line),
        service=name,
        requirements=(REQUIREMENT,),
    )
    health = agent.command("pppoe", "status", line.interface)
    return Part(
        (RenderedFile(f"{UNITS}/{name}.service", started, service=name), options),
        Service(name, health=health),
    )


@cache
def _pre_up() -> RenderedFile:
    return _file(pppoe.PRE_UP, render("ppp/pre-up.j2"), "0755")


@cache
def _dictionary() -> RenderedFile:
    return _file(pppoe.DICTIONARY, render("ppp/dictionary.j2"))


@cache
def _port_map() -> RenderedFile:
    return _file(pppoe.PORT_MAP, "# Ports have no numbers here: NAS-Port-Id names the line.\n")


def _radius_client(plan: Plan, device: Device) -> RenderedFile:
    return _file(pppoe.RADIUS_CLIENT, render("ppp/radiusclient.conf.j2", plan, device))


def _file(path: Path, content: str, mode: str = "0644") -> RenderedFile:
    return RenderedFile(str(path), content, mode, requirements=(REQUIREMENT,))
