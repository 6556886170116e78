"""The one process that stays on the user's machine while a lab is up: it owns the guest and the way to it.

`python -m heiiki_lab.launcher STATE KERNEL ROOT MEMORY CPUS PIPE` detaches itself, starts the guest, offers a
unix socket for each node. SIGTERM ends the lab; any other death of it ends the guest too.
"""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from operator import methodcaller
from pathlib import Path

from heiiki.errors import LabError
from heiiki_lab import guest, state
from heiiki_lab.spec import LabSpec

_LOG = logging.getLogger(__name__)
_SOURCE = Path(__file__).resolve().parents[1]
_BACKLOG = 256


def main(arguments: Sequence[str]) -> int:
    """Be the launcher; the first process returns at once, the lab lives in its grandchild."""
    state_dir, kernel, root = (Path(argument) for argument in arguments[:3])
    memory, cpus, pipe = arguments[3], int(arguments[4]), int(arguments[5])
    _detach()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    machine = guest.Machine(
        kernel=kernel,
        root=root,
        source=_SOURCE,
        ansible=guest.find_ansible(),
        memory=memory,
        cpus=cpus,
        console=state_dir / "console.log",
        radios=len(_spec(state_dir).radios),
    )
    try:
        with state.hold(state_dir):
            _run(state_dir, machine, pipe)
    except LabError as error:
        _LOG.error("%s", error)
        return 1
    return 0


def _spec(state_dir: Path) -> LabSpec:
    return LabSpec.from_json((state_dir / "lab.json").read_text())


def _detach() -> None:
    """Become a daemon: no terminal, no parent that would have to wait for it."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")


def _run(state_dir: Path, machine: guest.Machine, pipe: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    guest.enter_private_network()
    process = guest.start(machine)
    try:
        guest.wait_until_up(process, machine.console)
        guest.spread(process, machine.cpus)
        names = [node.name for node in _spec(state_dir).nodes]
        ports = {state.GUEST: guest.FIRST_PORT, **guest.ports(names)}
        asyncio.run(_serve(state_dir, ports, process, pipe))
    finally:
        guest.stop(process)
        _remove_sockets(state_dir)


async def _serve(state_dir: Path, ports: dict[str, int], process: subprocess.Popen[bytes], pipe: int) -> None:
    """Until SIGTERM, or until the guest ends by itself.

    Raises:
        LabError: the guest ended by itself.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    (state_dir / "nodes").mkdir(exist_ok=True, mode=0o700)
    for name, port in ports.items():
        path = state.socket_path(state_dir, name)
        path.unlink(missing_ok=True)
        await loop.create_unix_server(partial(_Inside, port), str(path), backlog=_BACKLOG)
    ready = {"pid": os.getpid(), "guest_pid": process.pid, "started": time.time()}
    (state_dir / "ready.json").write_text(json.dumps(ready))
    with os.fdopen(pipe, "wb") as waiting:
        waiting.write(b"up")
    _LOG.info("the guest is up; %d nodes can be reached", len(ports) - 1)
    await _first(stopped, os.pidfd_open(process.pid))
    if not stopped.is_set():
        tail = guest.console_tail(state_dir / "console.log")
        raise LabError(f"the guest ended by itself (code {process.poll()}):\n{tail}")


async def _first(stopped: asyncio.Event, guest_descriptor: int) -> None:
    """Wait for the event or for the guest's end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(guest_descriptor, ended.set)
    waits = [asyncio.ensure_future(stopped.wait()), asyncio.ensure_future(ended.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    loop.remove_reader(guest_descriptor)
    os.close(guest_descriptor)
    for wait in waits:
        wait.cancel()


def _remove_sockets(state_dir: Path) -> None:
    """Remove the sockets: behind them there is no lab any more."""
    for path in (state_dir / "nodes").glob("*.sock"):
        path.unlink(missing_ok=True)
    (state_dir / "ready.json").unlink(missing_ok=True)
    with suppress(OSError):
        (state_dir / "nodes").rmdir()


class _Half(asyncio.Protocol):
    """One side of a proxied connection; what comes in goes out of the peer, no faster than that can send."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: _Half | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio's own promise, for the type
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)

    def pause_writing(self) -> None:
        self._on_peer(methodcaller("pause_reading"))

    def resume_writing(self) -> None:
        self._on_peer(methodcaller("resume_reading"))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._on_peer(methodcaller("close"))

    def _on_peer(self, action: Callable[[asyncio.Transport], None]) -> None:
        if self.peer is not None and self.peer.transport is not None and not self.peer.transport.is_closing():
            action(self.peer.transport)


class _Inside(_Half):
    """The client's side: connects to the agent, and keeps what the client says until that is done."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._early = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._task = asyncio.ensure_future(self._connect())

    def data_received(self, data: bytes) -> None:
        if self.peer is None:
            # Not by a pause: in some 3.11 releases one in connection_made has no effect, and data is lost.
            self._early += data
        else:
            super().data_received(data)

    async def _connect(self) -> None:
        assert self.transport is not None  # noqa: S101 - set before this was started
        loop = asyncio.get_running_loop()
        try:
            _, peer = await loop.create_connection(_Half, guest.GUEST_ADDRESS, self._port)
        except OSError as error:
            _LOG.warning("port %d of the guest: %s", self._port, error)
            self.transport.close()
            return
        self.peer, peer.peer = peer, self
        super().data_received(bytes(self._early))
        if self.transport.is_closing():
            self._on_peer(methodcaller("close"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
