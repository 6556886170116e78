"""Simulated devices for the vendors' routers of a service, on loopback, as they come from the factory."""

import asyncio
import json
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from secrets import token_urlsafe

import asyncssh

from heiiki import files
from heiiki.errors import LabError
from heiiki.pki.server.secrets import new_key, routing_keys
from heiiki.plan import keys
from heiiki.plan.model import Device, Plan
from heiiki.state import FileSecrets
from heiiki_lab.devices.model import DeviceSpec
from heiiki_lab.devices.server import Simulator

USER = "heiiki"
ACCESS = "access.json"
_PRIVATE = 0o600

FACTORY: Mapping[str, str] = {
    "cisco_iosxe": "hostname {name}\narchive\n path flash:archive\nusername heiiki privilege 15 secret 9 x\n",
    "juniper_junos": (
        "set system host-name {name}\nset system login user heiiki class super-user\n"
        "set system services netconf ssh\n"
    ),
    "nec_ix": "hostname {name}\nusername heiiki password hash 0 administrator\n",
    "yamaha_rtx": "login user heiiki *\nadministrator password *\n",
}
"""What each platform has at first: a name, an account, what its rollback needs, and NETCONF on Junos."""


def specs(plan: Plan, secrets: FileSecrets) -> tuple[DeviceSpec, ...]:
    """Return the devices of a service, each with a log-in that is written to `secrets`.

    Raises:
        LabError: the service has no router of a vendor.
    """
    found = tuple(_spec(device, secrets) for device in plan.by_hand())
    if not found:
        raise LabError(
            f"{plan.service} has no router of a vendor's platform: write `platform:` below `a:` of a site"
        )
    for path in routing_keys(plan):
        secrets.write(path, new_key(path))
    return found


def _spec(device: Device, secrets: FileSecrets) -> DeviceSpec:
    login = {"password": token_urlsafe(), "admin_password": token_urlsafe()}
    secrets.write(f"{keys.LOGINS}/{device.name}", login)
    config = FACTORY[device.platform].format(name=device.name)
    admin = login["admin_password"] if device.platform == "yamaha_rtx" else ""
    return DeviceSpec(device.name, device.platform, config, USER, login["password"], admin)


async def serve(plan: Plan, folder: Path, ready: Callable[[Mapping[str, int]], None]) -> None:
    """Serve the devices of a service until the process is told to end.

    Args:
        plan: the service.
        folder: gets the log-ins, keys, and the file by which `heiiki push --access` finds the devices.
        ready: is told the port of each device.

    Raises:
        LabError: the service has no router of a vendor, or `folder` cannot be written.
    """
    asyncssh.set_log_level("ERROR")
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        _emptied(folder)
        ports = await _started(specs(plan, FileSecrets(folder)))
        files.replace(folder / ACCESS, _access(folder, ports), _PRIVATE)
    except OSError as error:
        raise LabError(
            f"{error.filename or folder}: {error.strerror}; name another folder by --state"
        ) from error
    ready(ports)
    await ended.wait()


def _emptied(folder: Path) -> None:
    """Make the folder; nothing of earlier devices stays, which had other keys and configurations.

    Raises:
        LabError: it holds something that no earlier run wrote.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / ACCESS).is_file():
        raise LabError(f"{folder}: holds other files; name another folder by --state")
    if folder.is_dir():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)


async def _started(wanted: tuple[DeviceSpec, ...]) -> dict[str, int]:
    simulator = Simulator()
    return {
        spec.name: (await simulator.order({"do": "add", "spec": asdict(spec)}))["port"] for spec in wanted
    }


def _access(folder: Path, ports: Mapping[str, int]) -> bytes:
    devices = {name: {"host": "127.0.0.1", "port": port} for name, port in ports.items()}
    found = {"user": USER, "alone": True, "state": str(folder.resolve()), "devices": devices}
    return json.dumps(found, indent=1).encode()
