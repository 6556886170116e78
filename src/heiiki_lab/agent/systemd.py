"""systemd as a node's init, in a PID namespace of its own: to kill it is to cut the node's power.

The fork server and the agent stay outside that namespace, so a node without power can still be reached and
booted again. What the fork server starts while systemd runs is inside, beside systemd's own services.
"""

import os
import signal
import socket
from collections.abc import Callable

from heiiki_lab.agent import linux
from heiiki_lab.agent.fork_server import BASE_ENVIRONMENT, ForkServer, Handler, Request, become

_PROC_FLAGS = linux.MS_NOSUID | linux.MS_NODEV
_COMMAND = (
    "/usr/lib/systemd/systemd",
    "--system",
    "--unit=multi-user.target",
    "--show-status=0",
    "--log-target=console",
    "--log-level=err",
)
# systemd leaves alone in a container what belongs to the machine: clock, devices, kernel modules.
_ENVIRONMENT = {"PATH": BASE_ENVIRONMENT["PATH"], "LANG": BASE_ENVIRONMENT["LANG"], "container": "heiiki"}


class Init:
    """Boots a node's systemd and notices its end."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        """Call `prepare` for a fresh /run before every boot."""
        self._prepare = prepare
        self._outside = os.pidfd_open(os.getpid())
        self._pid = 0

    def handlers(self) -> dict[str, Handler]:
        """Return the requests that a fork server answers by this."""
        return {"boot": self._boot}

    def _boot(self, server: ForkServer, _request: Request, descriptors: list[int]) -> None:
        if self._pid == 0:
            self._start(server)
        with socket.socket(fileno=os.dup(descriptors[0])) as reply:
            reply.send(b'{"pid": 1}')

    def _start(self, server: ForkServer) -> None:
        self._prepare()
        linux.unshare(linux.CLONE_NEWPID)
        started, starting = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            become(_become_systemd)
        os.close(starting)
        with os.fdopen(started, "rb") as pipe:
            pipe.read()  # ends when systemd's program is running: only then may others join its namespace
        self._pid = pid
        server.on_end(pid, self._ended)

    def _ended(self, _code: int) -> None:
        """Leave the dead namespace, in which nothing can be started any more."""
        self._pid = 0
        linux.setns(self._outside, linux.CLONE_NEWPID)
        linux.detach("/proc")


def _become_systemd() -> None:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    linux.mount("proc", "/proc", "proc", _PROC_FLAGS)
    os.execve(_COMMAND[0], _COMMAND, _ENVIRONMENT)  # noqa: S606 - it takes this process's place
