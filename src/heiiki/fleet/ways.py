"""By which way a device is reached: our driver of its command line, or a library that a person names."""

from collections.abc import Collection
from importlib import import_module
from typing import Any

from heiiki.errors import HeiikiError
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.cli.session import connect as connect_by_command_line
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.model import DeviceSession, Target

NAPALM = ("juniper_junos",)
"""Platforms that a push may reach by NAPALM."""


def examined(napalm: Collection[str]) -> None:
    """Examine which platforms shall be reached by NAPALM, before any device is asked.

    Raises:
        HeiikiError: NAPALM is no way to one of them, or is not installed.
    """
    if unknown := sorted(set(napalm) - set(NAPALM)):
        raise HeiikiError(
            f"{', '.join(unknown)}: NAPALM is no way to it here; it is one to {', '.join(NAPALM)}"
        )
    if napalm:
        _by_napalm()


async def connect(target: Target, keys: HostKeys, napalm: Collection[str] = ()) -> DeviceSession:
    """Open a session; see `heiiki.fleet.cli.session.connect` for its errors.

    Args:
        target: the device.
        keys: the pinned host keys.
        napalm: platforms whose devices are reached by NAPALM.
    """
    if target.platform not in napalm:
        return await connect_by_command_line(DRIVERS[target.platform], target, keys)
    by_napalm = _by_napalm()
    session: DeviceSession = await by_napalm.connect(by_napalm.PUSHED[target.platform], target, keys)
    return session


def _by_napalm() -> Any:
    """Import it late: it is an extra, and takes a second."""
    try:
        return import_module("heiiki.fleet.by_napalm")
    except ImportError as error:
        raise HeiikiError(f"NAPALM is not here ({error}); install heiiki[devices]") from error
