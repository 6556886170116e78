"""What the ends of direct control are sent: their program, its configuration, their unit, the data model."""

from functools import cache
from typing import Any

from heiiki.plan.model import Device, MmsClient, MmsServer, Plan
from heiiki.render import agent
from heiiki.render.documents import by_item
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.templates import render
from heiiki.render.units import unit
from heiiki_agent.mms import places
from heiiki_agent.mms.orders import MOST_ENTRIES
from heiiki_agent.resource_socket import SOCKET

PROGRAM = "mms"
ACCESS, CONTROL = "R-SEC-ACCESS/mms", "R-EVENT/control"
_CREDENTIALS = agent.credentials(places.CREDENTIALS)
_MEASURED = (
    ("MMXU", 1, "TotW"),
    ("MMXU", 1, "TotVAr"),
    ("MMXU", 1, "Hz"),
    ("DSTO", 1, "WhAvail"),
)
"""What every site's resource tells (TR-1072 tables 5.6 and 5.8), in the order of its data set."""
_EVENTS = (
    ("DECP", "Health", "ST"),
    ("DWGC", "WSpt", "MX"),
    ("DWGC", "OpCnt", "ST"),
    ("FSCH", "EnaReq", "ST"),
)
"""What is told as soon as it changes: alarms, what was ordered last, and how many orders were done."""


def parts(_plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the end that `device` is; None where it is neither."""
    if device.mms_server is not None:
        server = device.mms_server
        return _part("server", _server(server), (server.battery,))
    if device.mms_client is not None:
        client = device.mms_client
        return _part("client", _client(client), sorted({site.battery for site in client.sites}))
    return None


def end(device: Device) -> places.End | None:
    """Return which end a device is."""
    if device.mms_server is not None:
        return "server"
    return "client" if device.mms_client is not None else None


def health(which: places.End) -> tuple[str, ...]:
    """Return the argument vector that says whether an end's program lives, and what it says of itself."""
    return ("python3", agent.service_path(PROGRAM), "health", which)


def operate() -> tuple[str, ...]:
    """Return the argument vector of a request to the client on its host, which goes to standard input."""
    return ("python3", agent.service_path(PROGRAM), "operate")


def book(orders: str, which: places.End = "server", since: str = "") -> tuple[str, ...]:
    """Return the argument vector that tells what an end has kept.

    Args:
        orders: how the names of the orders begin.
        which: the end.
        since: events made then or later are told; empty: all that are kept.
    """
    program = ("python3", agent.service_path(PROGRAM), f"{which}-book", "--orders", orders)
    return (*program, "--since", since) if since else program


@cache
def scl(*, battery: bool) -> str:
    """Return the SCL file (ICD, IEC 61850-6) of a controller with a heat store or a battery behind it."""
    return render(
        "iec61850/der.icd.j2", battery=battery, measured=_MEASURED, events=_EVENTS, entries=MOST_ENTRIES
    )


def _path(*, battery: bool) -> str:
    return str(places.MODELS / f"{'battery' if battery else 'heat_storage'}.icd")


def _part(which: places.End, settings: dict[str, Any], batteries: tuple[bool, ...] | list[bool]) -> Part:
    name, program = places.unit(which), agent.service_path(PROGRAM)
    config = RenderedFile(
        str(places.config_file(which)), by_item(settings), service=name, requirements=(ACCESS, CONTROL)
    )
    models = [
        RenderedFile(_path(battery=one), scl(battery=one), service=name, requirements=(CONTROL,))
        for one in batteries
    ]
    restart_on = (program, config.path, *(model.path for model in models))
    return Part(
        (unit(name), agent.service_file(PROGRAM), config, *models),
        Service(name, "restart", health(which), restart_on=restart_on),
    )


def _server(server: MmsServer) -> dict[str, Any]:
    return {
        "address": str(server.address),
        "port": server.port,
        "client": server.client,
        "model": _path(battery=server.battery),
        "database": str(places.STATE / "server.sqlite"),
        "credentials": _CREDENTIALS,
        "resource": str(SOCKET),
        "status": str(places.status_file("server")),
    }


def _client(client: MmsClient) -> dict[str, Any]:
    return {
        "database": str(places.STATE / "client.sqlite"),
        "credentials": _CREDENTIALS,
        "operator": str(places.operator_socket()),
        "status": str(places.status_file("client")),
        "sites": [
            {
                "name": site.name,
                "certificate_name": site.certificate_name,
                "address": str(site.address),
                "port": site.port,
                "model": _path(battery=site.battery),
                "reports": _reports(battery=site.battery),
            }
            for site in client.sites
        ],
    }


def _reports(*, battery: bool) -> list[dict[str, Any]]:
    """Return which reports a site sends, and how often: tables 5.6 and 5.8."""
    measurement = {"name": places.MEASUREMENT, "every_s": 1 if battery else 60}
    schedule = [{"name": places.SCHEDULE, "every_s": 1800}] if battery else []
    return [measurement, {"name": places.EVENT}, *schedule]
