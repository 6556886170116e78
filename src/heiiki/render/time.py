"""What a device with a clock of the service is sent: chrony's configuration, its keys, its unit's drop-in."""

from heiiki.plan.model import Device, Plan
from heiiki.render import agent
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.templates import render

SERVICE = "chrony"
CONFIG = "/etc/chrony/chrony.conf"
KEYS = "/etc/chrony/chrony.keys"
REQUIREMENT = "R-SEC-ACCESS/time"
_USER = "_chrony"
"""The account that Debian's package makes; the daemon reads its keys after it has become that."""


def parts(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the clock; chronyd reads them at its start only."""
    if device.clock is None:
        return None
    keys = (_keys(plan, device),) if device.clock.key is not None else ()
    files = (
        RenderedFile(
            f"/etc/systemd/system/{SERVICE}.service.d/heiiki.conf",
            render(f"linux/{SERVICE}.service.j2"),
            service=SERVICE,
        ),
        *keys,
        RenderedFile(
            CONFIG,
            render("linux/chrony.conf.j2", plan, device),
            validate=("chronyd", "-p", "-f", "{path}"),
            service=SERVICE,
            requirements=(REQUIREMENT,),
        ),
    )
    return Part(files, Service(SERVICE, "restart", agent.command("clock", "status")))


def _keys(plan: Plan, device: Device) -> RenderedFile:
    return RenderedFile(
        KEYS,
        render("linux/chrony.keys.j2", plan, device),
        "0600",
        _USER,
        service=SERVICE,
        secret=True,
        requirements=(REQUIREMENT,),
    )
