"""What a device with IPsec connections is sent: connections, the daemon's settings, its unit's drop-in."""

from heiiki.plan.model import Device, IpsecConnection, Plan
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.templates import render

SERVICE = "strongswan"
"""The unit of Debian's `charon-systemd`; it needs no systemd."""


def parts(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the IKE daemon.

    A device that has no certificate yet is sent the same: its daemon runs, and tries again until it has one.
    """
    if not device.ipsec:
        return None
    requirements = tuple(sorted({connection.protects for connection in device.ipsec}))
    files = (
        RenderedFile(
            "/etc/strongswan.d/heiiki.conf",
            render("linux/charon.conf.j2", plan, device),
            service=SERVICE,
            requirements=requirements,
        ),
        RenderedFile(
            "/etc/swanctl/swanctl.conf",
            render("linux/swanctl.conf.j2", plan, device),
            "0640",
            service=SERVICE,
            requirements=requirements,
        ),
        RenderedFile(
            f"/etc/systemd/system/{SERVICE}.service.d/heiiki.conf",
            render("linux/strongswan.service.j2"),
            service=SERVICE,
        ),
        RenderedFile(f"/etc/logrotate.d/heiiki-{SERVICE}", render("linux/strongswan.logrotate.j2")),
    )
    return Part(files, Service(SERVICE, "reload", _loaded(device.ipsec), running=_RUNNING))


_RUNNING = ("sh", "-c", "swanctl --list-conns 2>/dev/null | sort")
"""Sorted: a connection that changed moves to the end of the daemon's list."""


def _loaded(connections: tuple[IpsecConnection, ...]) -> tuple[str, ...]:
    """Return what tells whether the daemon answers and has every connection: they are loaded in order."""
    return ("sh", "-c", f"swanctl --list-conns 2>/dev/null | grep -q '^{connections[-1].name}: '")
