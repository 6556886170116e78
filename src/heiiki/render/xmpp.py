"""What the XMPP server is sent: prosody's configuration, the module that decides who reaches whom."""

from functools import cache
from typing import Any

from heiiki.plan.model import Device, Plan, XmppServer
from heiiki.render import agent
from heiiki.render.documents import by_key
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.templates import render
from heiiki_agent.xmpp import places

ACCESS, ISOLATION = "R-SEC-ACCESS/xmpp", "R-ISO-SITE/xmpp"
_COMPILES = ("luac5.4", "-p", "{path}")
_PROVEN = agent.command("xmpp", "prove", str(places.PROOF))


def parts(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the XMPP server."""
    if device.xmpp is None:
        return None
    read_once = (_drop_in(), _module(), _config(plan, device), _proof(device.xmpp))
    # One more site, or one less, ends no session of another.
    service = Service(places.UNIT, "reload", _PROVEN, restart_on=tuple(file.path for file in read_once))
    return Part((*read_once, _devices(device.xmpp)), service)


def copies() -> dict[str, Any]:
    """Return what the daemon needs of the device's credentials."""
    return {"folder": str(places.CREDENTIALS), "user": places.ACCOUNT, "plain": True}


def _config(plan: Plan, device: Device) -> RenderedFile:
    return RenderedFile(
        str(places.CONFIG),
        render("prosody/prosody.cfg.lua.j2", plan, device),
        validate=_COMPILES,
        service=places.UNIT,
        requirements=(ACCESS, ISOLATION),
    )


@cache
def _module() -> RenderedFile:
    return RenderedFile(
        str(places.MODULE),
        render("prosody/mod_auth_heiiki.lua"),
        validate=_COMPILES,
        service=places.UNIT,
        requirements=(ACCESS, ISOLATION),
    )


@cache
def _drop_in() -> RenderedFile:
    path = f"/etc/systemd/system/{places.UNIT}.service.d/heiiki.conf"
    return RenderedFile(path, render(f"linux/{places.UNIT}.service.j2"), service=places.UNIT)


def _devices(server: XmppServer) -> RenderedFile:
    return RenderedFile(
        str(places.DEVICES),
        "".join(f"{jid}\n" for jid in server.devices),
        service=places.UNIT,
        requirements=(ACCESS, ISOLATION),
    )


def _proof(server: XmppServer) -> RenderedFile:
    content = {
        "domain": server.domain,
        "address": str(server.address),
        "port": server.port,
        "jid": server.probe,
        "dras": server.dras,
        "devices": str(places.DEVICES),
    }
    return RenderedFile(str(places.PROOF), by_key(content), service=places.UNIT)
