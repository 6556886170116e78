"""What the registration authority is sent: its program, its configuration, its unit."""

from typing import Any

from heiiki.plan.model import Device, Est, Identity, Pki, Plan
from heiiki.render import agent
from heiiki.render.documents import by_key
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.units import unit
from heiiki_agent.est import places

PROGRAM = "est"
REQUIREMENT = "R-SEC-ACCESS/enrolment"
HEALTH = ("python3", agent.service_path(PROGRAM), "health")


def parts(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the registration authority; None where `device` is none."""
    if device.est is None:
        return None
    program, name = agent.service_path(PROGRAM), places.UNIT
    content = by_key(document(plan.pki, device.est))
    config = RenderedFile(str(places.CONFIG), content, service=name, requirements=(REQUIREMENT,))
    return Part(
        (unit(name), agent.service_file(PROGRAM), config),
        Service(name, "restart", HEALTH, restart_on=(program, config.path)),
    )


def operate(method: str, path: str) -> tuple[str, ...]:
    """Return the argument vector of a request to it on its host; a body goes to its standard input."""
    return ("python3", agent.service_path(PROGRAM), "operate", method, path)


def document(trust: Pki, est: Est) -> dict[str, Any]:
    """Return the program's configuration."""
    return {
        "host": trust.registrar.host if trust.registrar else "",
        "addresses": [str(address) for address in est.addresses],
        "port": est.port,
        "database": str(places.STATE / "est.sqlite"),
        "credentials": agent.credentials(places.CREDENTIALS),
        "log_in": str(places.STATE / "log-in"),
        "control": str(places.CONTROL),
        "status": str(places.STATUS),
        "vault": {
            "servers": [
                {"url": f"https://{one.address}:{trust.port}", "host": one.host} for one in trust.servers
            ],
            "mount": trust.issuing_mount,
        },
        "devices": [names(one.identity) for one in est.clients],
    }


def names(identity: Identity) -> dict[str, Any]:
    """Return a device that may enrol, as the program reads it."""
    return {
        "device": identity.device,
        "dns": list(identity.dns),
        "addresses": [str(address) for address in identity.addresses],
        "uris": list(identity.uris),
        "jids": list(identity.jids),
    }
