"""The Linux ends of the lines of vendors' routers: what they shall have, and how they are reached."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from heiiki import deploy
from heiiki.errors import HeiikiError, TransportError
from heiiki.fleet import linux
from heiiki.fleet.linux import LINUX, Ask, LinuxSession
from heiiki.fleet.model import Login, Target
from heiiki.plan.model import Device
from heiiki.render import compile_device
from heiiki.render.placeholders import ReadSecret
from heiiki.service.model import Service


@dataclass(frozen=True, slots=True)
class LinuxEnds:
    """The Linux ends of a service's lines.

    Attributes:
        service: the service.
    """

    service: Service

    def targets(self, devices: Iterable[Device], read: ReadSecret) -> Iterator[Target]:
        """Yield each device with its build, secrets beside it.

        Raises:
            SecretError, VaultError: a secret cannot be read.
        """
        login = Login(self.service.plan.management.user)
        for device in devices:
            build = deploy.whole(compile_device(self.service.plan, device), read)
            known = tuple(build["secrets"].values())
            yield Target(device.name, LINUX, device.name, login, json.dumps(build), secrets=known)

    async def connect(self, target: Target) -> LinuxSession:
        """Open a session over a connection of its own; errors as for `heiiki.fleet.linux.connect`."""
        take_back = deploy.program("hold", {"step": "expired"}).decode()
        return await linux.connect(target, lambda: self._opened(target.name), take_back)

    def _opened(self, name: str) -> tuple[Ask, Callable[[], None]]:
        stack = ExitStack()
        try:
            way = self.service.management.transport(self.service.plan, self.service.hosts)
            transport = stack.enter_context(way)
        except HeiikiError as error:
            raise TransportError(f"{name}: {error}") from error

        def ask(step: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
            sent = deploy.program("hold", step)
            done = transport.run(name, ("python3", "-"), stdin=sent, timeout=seconds)
            try:
                answer: Mapping[str, Any] = json.loads(done.stdout)
            except ValueError as error:
                last = "".join(done.stderr.decode(errors="replace").strip().splitlines()[-1:])
                raise TransportError(f"{name}: the program ended with {done.rc}: {last}") from error
            return answer

        return ask, stack.close
