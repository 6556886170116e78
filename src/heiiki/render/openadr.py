"""What the ends of OpenADR are sent: their program, its configuration, their unit."""

from typing import Any

from heiiki.plan.model import Device, Doubled, Plan, RestApi, ServedVen, Ven, Vtn, VtnHost, XmppLogin
from heiiki.render import agent
from heiiki.render.documents import by_key
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.units import unit
from heiiki_agent.openadr import places
from heiiki_agent.resource_socket import SOCKET

PROGRAM = "openadr"
REQUIREMENT = "R-EVENT"
ACCESS = "R-SEC-ACCESS/rest"
_CREDENTIALS = agent.credentials(places.CREDENTIALS)


def parts(_plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the end that `device` is; None where it is neither."""
    if device.vtn is not None:
        return _part("vtn", _vtn(device.vtn), (REQUIREMENT, *((ACCESS,) if device.vtn.rest else ())))
    return _part("ven", _ven(device.ven), (REQUIREMENT,)) if device.ven is not None else None


def health(which: places.End) -> tuple[str, ...]:
    """Return the argument vector that says whether an end's program lives, and what it says of itself."""
    return ("python3", agent.service_path(PROGRAM), "health", which)


def operate(method: str, *paths: str) -> tuple[str, ...]:
    """Return the argument vector of requests to the VTN on its host; a body goes to its standard input."""
    return ("python3", agent.service_path(PROGRAM), "operate", method, *paths)


def book(which: places.End, events: str, since: str) -> tuple[str, ...]:
    """Return the argument vector that tells what an end has kept of events whose name begins so."""
    program = ("python3", agent.service_path(PROGRAM), f"{which}-book")
    return (*program, "--events", events, "--since", since)


def end(device: Device) -> places.End | None:
    """Return which end a device is."""
    if device.vtn is not None:
        return "vtn"
    return "ven" if device.ven is not None else None


def _part(which: places.End, settings: dict[str, Any], requirements: tuple[str, ...]) -> Part:
    name, program = places.unit(which), agent.service_path(PROGRAM)
    config = RenderedFile(
        str(places.config_file(which)), by_key(settings), service=name, requirements=requirements
    )
    restart_on = (program, config.path)
    return Part(
        (unit(name), agent.service_file(PROGRAM), config),
        Service(name, "restart", health(which), restart_on=restart_on),
    )


def _vtn(vtn: Vtn) -> dict[str, Any]:
    return {
        "control": str(places.control_socket()),
        "status": str(places.status_file("vtn")),
        "vtns": [
            {
                "vtn_id": vtn.vtn_id,
                "address": str(vtn.address),
                "port": vtn.port,
                "database": str(places.STATE / "vtn.sqlite"),
                "credentials": _CREDENTIALS,
                "poll_every_s": vtn.poll_every_s,
                "vens": [_served(one, over_xmpp=vtn.xmpp is not None) for one in vtn.vens],
                **({"rest": _rest(vtn.rest)} if vtn.rest else {}),
                **_security(signed=vtn.signed),
                **({"xmpp": _login(vtn.xmpp)} if vtn.xmpp else {}),
                **({"doubled": _doubled(vtn.doubled)} if vtn.doubled else {}),
            }
        ],
    }


def _rest(api: RestApi) -> dict[str, Any]:
    return {
        "port": api.port,
        "sites": dict(api.sites),
        "esps": [
            {"name": one.name, "certificate_name": one.certificate_name, "sites": list(one.sites)}
            for one in api.esps
        ],
    }


def _ven(ven: Ven) -> dict[str, Any]:
    return {
        "name": ven.name,
        "vtn_name": ven.vtn_name,
        "vtn_address": str(ven.vtn_address),
        "vtn_port": ven.vtn_port,
        "database": str(places.STATE / "ven.sqlite"),
        "credentials": _CREDENTIALS,
        "resource": str(SOCKET),
        "status": str(places.status_file("ven")),
        "offers": _OFFERS,
        **_security(signed=ven.signed),
        **({"xmpp": {**_login(ven.xmpp), "vtn": ven.xmpp.vtn}} if ven.xmpp else {}),
        **({"vtn_others": [_place(one) for one in ven.others]} if ven.others else {}),
    }


def _doubled(doubled: Doubled) -> dict[str, Any]:
    return {"name": doubled.name, "port": doubled.port, "peer": _place(doubled.peer)}


def _place(host: VtnHost) -> dict[str, Any]:
    return {"name": host.name, "address": str(host.address), "port": host.port}


def _served(ven: ServedVen, *, over_xmpp: bool) -> dict[str, Any]:
    known = {"ven_id": ven.ven_id, "certificate_name": ven.certificate_name}
    return {**known, "jid": ven.jid} if over_xmpp else known


def _login(login: XmppLogin) -> dict[str, Any]:
    servers = [{"address": str(address), "port": port} for address, port in login.servers]
    return {"domain": login.domain, "servers": servers, "jid": login.jid}


def _security(*, signed: bool) -> dict[str, Any]:
    return {"security": "high"} if signed else {}


_OFFERS = [
    {"r_id": "power", "kind": "usage", "unit": "power:powerReal", "scale": "k"},
    {"r_id": "stored", "kind": "storedEnergy", "unit": "power:energyReal", "scale": "k"},
]
"""What every site's resource tells: its power, and the energy that it has stored (TR-1072 table 5.6)."""
