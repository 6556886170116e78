"""The operator's maintenance system of one node: addresses, routes, and daemons that are started again.

NextEPC's daemons notice nothing: an SGW that comes back has lost its sessions while the MME still believes
in them, and traffic is dropped in silence. So the SGW's respawner tells the MME's over S11 (UDP) which run of
the SGW this is; when that changes, the MME is started again too. The eNB sees the end of its SCTP connection,
sets S1 up again and has every UE attach: the only way to a consistent core. In the same way the MME's tells
the HSS's over S6a: Diameter refuses a peer for 10 s when it has not yet found its old connection dead.
The eNB uses the channel when attaches stay without an answer, which a half-made context in the MME causes.

Run on a node of the core: ``python3 -m heiiki_lab.mobile.respawn CONFIG``. A second one on the same node
ends at once.
"""

import contextlib
import fcntl
import json
import logging
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from heiiki_lab.mobile.loop import Loop, write_status

PORT = 4998
STATUS = Path("/run/heiiki/respawn.json")

_LOG = logging.getLogger("respawn")

_WATCH_SECONDS = 0.2
_ANNOUNCE_SECONDS = 0.5
_BACK_OFF_SECONDS = 1.0
_SHORT_RUN_SECONDS = 2.0
_ROUTE_RETRY_SECONDS = 1.0
_STATUS_SECONDS = 1.0
_STUCK_QUIET_SECONDS = 15.0
_ESTABLISHED = "01"
_RTMGRP_LINK = 1
_RTMGRP_IPV4_ADDRESS = 0x10


@dataclass(frozen=True, slots=True)
class Daemon:
    """One program to keep running.

    Attributes:
        log: file that takes what it prints.
        ready: text in its own log that shows that it serves; empty: running is enough.
        ready_log: that log.
        wait_for: port on the loopback address that must answer before it is started; 0 for none.
        ready_within: seconds after which it is started again if it does not serve; 0 for never.
    """

    name: str
    argv: tuple[str, ...]
    log: str
    ready: str = ""
    ready_log: str = ""
    wait_for: int = 0
    ready_within: float = 0.0


@dataclass(frozen=True, slots=True)
class Config:
    """What a node's respawner does.

    Attributes:
        addresses: put on the loopback interface.
        routes: each as ``ip route replace`` takes it.
        sysctls: set before anything starts.
        nice: niceness of the daemons once they serve.
        timer_slack_ns: by how much their timers may be late once they serve, since NextEPC polls.
        announce: addresses of the respawners that must follow ours.
        follow: daemons that are started again when the twin's were, or when the eNB asks for it.
        follow_port: only if a TCP connection on this port is open, which is the dead twin's; 0 for always.
    """

    daemons: tuple[Daemon, ...] = ()
    addresses: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    nice: int = 0
    timer_slack_ns: int = 50_000
    announce: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    follow_port: int = 0


def parse_config(text: str) -> Config:
    """Read the configuration file that `core.files` wrote."""
    data: dict[str, Any] = json.loads(text)
    daemons = tuple(Daemon(**{**each, "argv": tuple(each["argv"])}) for each in data["daemons"])
    lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
    values: dict[str, Any] = {**data, **lists, "daemons": daemons}
    return Config(**values)


def report_stuck(address: IPv4Address) -> None:
    """Tell the respawner at `address` that its daemon takes requests and answers none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"stuck", (str(address), PORT))


def connected(port: int, table: Path = Path("/proc/net/tcp")) -> bool:
    """Whether a TCP connection is established from or to `port`."""
    for line in table.read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        if state == _ESTABLISHED and port in {int(end.rpartition(":")[2], 16) for end in (local, remote)}:
            return True
    return False


class Process:
    """A daemon and its runs."""

    def __init__(self, daemon: Daemon, config: Config) -> None:
        self.daemon = daemon
        self._config = config
        self.starts = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._due = 0.0
        self._log_start = 0
        self._serves = False

    def tick(self) -> bool:
        """Start it if it does not run; return whether it was started now."""
        now = time.monotonic()
        if self._child is not None and self._child.poll() is None:
            limit = self.daemon.ready_within
            if not limit or self.ready or now - self._started < limit:
                return False
            _LOG.warning("%s does not serve after %s s", self.daemon.name, limit)
            self.kill()
        if self._child is not None:
            _LOG.warning("%s ended with %s", self.daemon.name, self._child.returncode)
            self._child = None
            self._due = now + (_BACK_OFF_SECONDS if now - self._started < _SHORT_RUN_SECONDS else 0.0)
        if now < self._due or not _answers(self.daemon.wait_for):
            return False
        self._start()
        return True

    def _start(self) -> None:
        Path(self.daemon.log).parent.mkdir(parents=True, exist_ok=True)
        self._log_start = _size(self.daemon.ready_log)
        self._serves = False
        with Path(self.daemon.log).open("ab") as log:
            self._child = subprocess.Popen(
                self.daemon.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self._started = time.monotonic()
        self.starts += 1
        _LOG.info("%s started, pid %d", self.daemon.name, self._child.pid)

    @property
    def pid(self) -> int | None:
        """Its process, if it was started."""
        return self._child.pid if self._child else None

    def kill(self) -> None:
        """End it at once; the next tick starts it again."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._started = 0.0

    @property
    def ready(self) -> bool:
        """Whether it runs and serves: it takes its place among the others once it does."""
        if self._child is None or self._child.poll() is not None:
            return False
        if not self._serves and self._says_so():
            self._serves = True
            self._take_its_place(self._child.pid)
        return self._serves

    def _says_so(self) -> bool:
        if not self.daemon.ready:
            return True
        with contextlib.suppress(OSError), Path(self.daemon.ready_log).open("rb") as log:
            log.seek(self._log_start)
            return self.daemon.ready.encode() in log.read()
        return False

    def _take_its_place(self, pid: int) -> None:
        # Once it serves: at its start it must not wait behind what it will wait behind later.
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                os.setpriority(os.PRIO_PROCESS, int(thread.name), self._config.nice)
                slack = Path("/proc", thread.name, "timerslack_ns")
                slack.write_text(str(self._config.timer_slack_ns), encoding="ascii")

    def status(self) -> dict[str, Any]:
        """What the status file shows."""
        return {"pid": self.pid, "starts": self.starts, "ready": self.ready}


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _answers(port: int) -> bool:
    if not port:
        return True
    with socket.socket() as sock:
        sock.settimeout(_WATCH_SECONDS)
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Network:
    """The node's own addresses and routes; put back when a link that was down comes up again."""

    def __init__(self, loop: Loop, config: Config) -> None:
        self._loop = loop
        self._config = config
        self._pending = False

    def start(self) -> None:
        """Set everything, and watch the links."""
        for name, value in self._config.sysctls.items():
            Path("/proc/sys", *name.split(".")).write_text(value, encoding="ascii")
        events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        events.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_ADDRESS))
        self._loop.readable(events, lambda: self._changed(events))
        self._apply()

    def _changed(self, events: socket.socket) -> None:
        # What changed does not matter: everything is set again.
        with contextlib.suppress(OSError):
            events.recv(65536)
        self._apply_later(_WATCH_SECONDS)

    def _apply_later(self, seconds: float) -> None:
        if not self._pending:
            self._pending = True
            self._loop.later(seconds, self._apply)

    def _apply(self) -> None:
        self._pending = False
        addresses = (f"addr replace {address} dev lo" for address in self._config.addresses)
        routes = (f"route replace {route}" for route in self._config.routes)
        if not _ip_batch([*addresses, *routes]):
            self._apply_later(_ROUTE_RETRY_SECONDS)


def _ip_batch(lines: Iterable[str]) -> bool:
    text = "\n".join(lines) + "\n"
    done = subprocess.run(
        ["ip", "-force", "-batch", "-"], input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        _LOG.info("not yet: %s", done.stderr.strip().replace("\n", "; "))
    return done.returncode == 0


class Respawner:
    """Keeps the daemons of a node, and keeps them in step with the twin."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = Loop()
        self._processes = [Process(daemon, config) for daemon in config.daemons]
        self._epoch = ""
        self._twin_epoch: str | None = None
        self._restarted = -_STUCK_QUIET_SECONDS

    def run(self) -> None:
        """Serve until killed."""
        Network(self._loop, self._config).start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            if self._config.follow:
                sock.bind(("", PORT))
                self._loop.readable(sock, lambda: self._on_message(sock))
            self._watch()
            self._loop.every(_STATUS_SECONDS, self._report)
            self._loop.every(_ANNOUNCE_SECONDS, lambda: self._announce(sock))
            self._loop.run()

    def _watch(self) -> None:
        """Look often while something is not up yet; when all is up, the end of a process wakes us at once."""
        self._tick()
        all_ready = all(process.ready for process in self._processes)
        self._loop.later(_STATUS_SECONDS if all_ready else _WATCH_SECONDS, self._watch)

    def _tick(self) -> None:
        started = [process.pid for process in self._processes if process.tick()]
        for pid in started:
            if pid is not None:
                self._wake_at_end_of(pid)
        if started:
            self._epoch = secrets.token_hex(8)
            self._report()

    def _wake_at_end_of(self, pid: int) -> None:
        descriptor = os.pidfd_open(pid)

        def ended() -> None:
            self._loop.forget(descriptor)
            os.close(descriptor)
            self._tick()

        self._loop.readable(descriptor, ended)

    def _report(self) -> None:
        daemons = {each.daemon.name: each.status() for each in self._processes}
        write_status(STATUS, {"daemons": daemons, "epoch": self._epoch, "twin_epoch": self._twin_epoch})

    def _announce(self, sock: socket.socket) -> None:
        if not self._epoch:
            return
        for address in self._config.announce:
            with contextlib.suppress(OSError):
                sock.sendto(f"epoch {self._epoch}".encode(), (address, PORT))

    def _on_message(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            self._take(sock.recv(256).decode("ascii"))

    def _take(self, text: str) -> None:
        match text.split():
            case ["epoch", epoch]:
                self._on_epoch(epoch)
            case ["stuck"] if time.monotonic() - self._restarted > _STUCK_QUIET_SECONDS:
                self._restart("attaches stay without an answer")

    def _on_epoch(self, epoch: str) -> None:
        port = self._config.follow_port
        if self._twin_epoch not in {None, epoch} and (not port or connected(port)):
            self._restart("the twin was started again, what it knew is lost")
        self._twin_epoch = epoch

    def _restart(self, why: str) -> None:
        _LOG.warning("start again: %s", why)
        self._restarted = time.monotonic()
        for process in self._processes:
            if process.daemon.name in self._config.follow:
                process.kill()
        self._tick()


def _lock() -> int | None:
    STATUS.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(STATUS.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return lock


def main() -> int:
    """Run the respawner with the configuration file named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if _lock() is None:
        _LOG.info("already running on this node")
        return 0
    Respawner(parse_config(Path(sys.argv[1]).read_text(encoding="utf-8"))).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
