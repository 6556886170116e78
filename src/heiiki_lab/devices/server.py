"""Many simulated devices in one process, each on a port of loopback; orders come as lines of JSON."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import asyncssh

from heiiki_lab.devices.cisco_iosxe import IosXe
from heiiki_lab.devices.device import Device, call_later
from heiiki_lab.devices.juniper_junos import Junos
from heiiki_lab.devices.model import DeviceSpec, Faults
from heiiki_lab.devices.nec_ix import Ix
from heiiki_lab.devices.netconf import Netconf
from heiiki_lab.devices.shell import Shell
from heiiki_lab.devices.terminal import Terminal
from heiiki_lab.devices.yamaha_rtx import Rtx

SHELLS: Mapping[str, type[Shell]] = {
    "cisco_iosxe": IosXe,
    "juniper_junos": Junos,
    "nec_ix": Ix,
    "yamaha_rtx": Rtx,
}

SUBSYSTEMS: Mapping[tuple[str, str], type[Netconf]] = {("juniper_junos", "netconf"): Netconf}
"""Programs beside the command line, by platform and name of the subsystem of SSH."""


class _Gate(asyncssh.SSHServer):
    """Lets in who knows the password."""

    def __init__(self, box: "_Box") -> None:
        self._box = box

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._box.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._box.connections = {one for one in self._box.connections if not one.is_closed()}

    def begin_auth(self, username: str) -> bool:
        del username
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        spec = self._box.device.spec
        return (username, password) == (spec.user, spec.password)

    def session_requested(self) -> asyncssh.SSHServerSession[str]:
        return _Session(self._box.device)


class _Session(asyncssh.SSHServerSession[str]):
    """One session: the command line, or a subsystem that the device has."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._inside: Terminal | Netconf | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        self._channel = chan

    def pty_requested(self, *_: object) -> bool:
        return True

    def shell_requested(self) -> bool:
        return self._enter(Terminal(SHELLS[self._device.spec.platform](self._device)))

    def subsystem_requested(self, subsystem: str) -> bool:
        program = SUBSYSTEMS.get((self._device.spec.platform, subsystem))
        return program is not None and program.offered(self._device) and self._enter(program(self._device))

    def _enter(self, inside: Terminal | Netconf) -> bool:
        inside.connection_made(self._channel)
        self._inside = inside
        return True

    def session_started(self) -> None:
        if self._inside is not None:
            self._inside.session_started()

    def data_received(self, data: str, datatype: asyncssh.DataType) -> None:
        if self._inside is not None:
            self._inside.data_received(data, datatype)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._inside is not None:
            self._inside.connection_lost(exc)


class _Box:
    """A device with its port."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.acceptor: asyncssh.SSHAcceptor | None = None
        self.port = 0

    async def listen(self, key: asyncssh.SSHKey, port: int) -> None:
        self.acceptor = await asyncssh.listen(
            "127.0.0.1",
            port,
            server_factory=lambda: _Gate(self),
            server_host_keys=[key],
            line_editor=False,
            compression_algs=None,
            backlog=512,
        )
        self.port = self.acceptor.get_port()

    def hang_up(self) -> None:
        for connection in tuple(self.connections):
            connection.abort()


class Simulator:
    """Devices by name, and what can be ordered of them."""

    def __init__(self) -> None:
        """Begin without a device."""
        self._boxes: dict[str, _Box] = {}
        self._key = asyncssh.generate_private_key("ssh-ed25519")

    async def order(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Do what one line asks for, and return the answer.

        Raises:
            LookupError: there is no such device, or no such order.
        """
        what = str(order["do"])
        if what == "add":
            return await self._add(DeviceSpec(**order["spec"]))
        box = self._boxes[str(order["device"])]
        orders: dict[str, Callable[[_Box, Mapping[str, Any]], Any]] = {
            "state": self._state,
            "fail": self._fail,
            "expire": lambda box, _: box.device.expire(),
            "type": self._type,
            "reboot": self._reboot,
            "hang_up": lambda box, _: box.hang_up(),
        }
        if what == "new_key":
            await self._again(box, asyncssh.generate_private_key("ssh-ed25519"))
            return {}
        if what == "close":
            await self._close(box)
            return {}
        return orders[what](box, order) or {}

    async def _add(self, spec: DeviceSpec) -> dict[str, Any]:
        box = _Box(Device(spec, call_later, SHELLS[spec.platform].indent))
        await box.listen(self._key, 0)
        if (old := self._boxes.get(spec.name)) is not None:
            await self._close(old)
        self._boxes[spec.name] = box
        return {"port": box.port}

    async def _close(self, box: _Box) -> None:
        box.hang_up()
        if box.acceptor is not None:
            box.acceptor.close()
            await box.acceptor.wait_closed()

    async def _again(self, box: _Box, key: asyncssh.SSHKey) -> None:
        await self._close(box)
        await box.listen(key, box.port)

    def _state(self, box: _Box, _: Mapping[str, Any]) -> dict[str, Any]:
        device = box.device
        return {
            "running": device.text,
            "saved": device.saved,
            "armed": device.timer is not None,
            "log": device.log,
            "typed": device.typed,
            "heard": device.heard,
        }

    def _fail(self, box: _Box, order: Mapping[str, Any]) -> None:
        known = {one.name for one in fields(Faults)}
        for name, value in order["faults"].items():
            if name not in known:
                raise LookupError(name)
            setattr(box.device.faults, name, value)

    def _type(self, box: _Box, order: Mapping[str, Any]) -> None:
        """Let another operator type."""
        shell = SHELLS[box.device.spec.platform](box.device)
        shell.mode = str(order.get("mode", "exec"))
        for line in order["lines"]:
            shell.enter(str(line))
        shell.ended()

    def _reboot(self, box: _Box, _: Mapping[str, Any]) -> None:
        box.device.disarm()
        box.device.restore(box.device.saved)
        box.hang_up()


async def serve() -> None:
    """Take orders from standard input until it ends."""
    simulator = Simulator()
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        try:
            answer = await simulator.order(json.loads(line))
        except (LookupError, TypeError, ValueError, OSError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Serve until standard input ends."""
    asyncssh.set_log_level("ERROR")
    asyncio.run(serve())


if __name__ == "__main__":
    main()
