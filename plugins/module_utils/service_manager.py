# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starting, reloading and stopping a node's services: by systemd, or from its unit files without it.

Self-contained (standard library only), because it is also a program: ``python3 service_manager.py start-all``
starts whatever of the node's services is not running, in their order. After a power cut or a kill that is all
that has to be done where no systemd does it.
"""

import contextlib
import json
import os
import pwd
import shlex
import signal
import string
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import IO, Any, Protocol

OWNED = "var/lib/heiiki/owned.json"
UNIT_FOLDERS = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = ("python3", "/usr/bin/python3")
PROGRAMS = "/usr/local/lib/heiiki/"
START_S = 90.0
STOP_S = 20.0
POLL_S = 0.05
TIMER_SLACK = Path("/proc/self/timerslack_ns")
SETTLE_POLL_S = 0.5  # each look is a process that speaks to every daemon

# Debian's frr.service reloads by a script that exits 0 whatever happened, and restarts watchfrr on the way.
RELOADS: Mapping[str, tuple[str, ...]] = {
    "frr": ("/usr/lib/frr/frr-reload.py", "--reload", "--stdout", "/etc/frr/frr.conf"),
}
# watchfrr alone starts all daemons at once, and mgmtd may then lose one of them for ever: first one after the
# other.
FIRST: Mapping[str, tuple[str, ...]] = {"frr": ("/usr/lib/frr/watchfrr.sh", "start", "all")}
# A forking service may answer before it has read its configuration. watchfrr is idle once it has started
# every daemon; what a daemon missed while the others were starting beside it, it is then told again.
SETTLED: Mapping[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "frr": (("vtysh", "-c", "show watchfrr"), "global phase: Idle", ("vtysh", "-b")),
}


class ServiceError(Exception):
    """A service could not be started, reloaded or stopped; the message says which and why."""


class ServiceManager(Protocol):
    """What a node needs of whatever runs its services."""

    def start(self, name: str) -> None:
        """Start `name`, now and at every boot; a service that is active already stays as it is."""

    def reload(self, name: str) -> None:
        """Have `name` read its configuration again without a break in its work."""

    def restart(self, name: str) -> None:
        """Stop `name` and start it again."""

    def stop(self, name: str) -> None:
        """Stop `name`, now and for later boots; one that does not run, or does not exist, is no error."""

    def is_active(self, name: str) -> bool:
        """Tell whether `name` runs, or, when its work is done in one go, whether that was done."""


def run(argv: Sequence[str], *, timeout: float = START_S, env: Mapping[str, str] | None = None) -> str:
    """Run `argv` and return what it printed, both streams in one; ServiceError when it does not exit 0."""
    start = _forked_python if _is_own_program(argv) else _process
    with tempfile.TemporaryFile() as said:  # not a pipe: a daemon left behind would hold it open for ever
        try:
            code = start(argv, said, timeout, env)
        except OSError as error:
            raise ServiceError(f"`{shlex.join(argv)}` cannot be run: {error}") from error
        except subprocess.TimeoutExpired as error:
            raise ServiceError(f"`{shlex.join(argv)}` was not done within {timeout:g} s") from error
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    if code:
        told = text[-2000:] or "it printed nothing"
        raise ServiceError(f"`{shlex.join(argv)}` exited {code}: {told}")
    return text


def _process(argv: Sequence[str], said: IO[bytes], timeout: float, env: Mapping[str, str] | None) -> int:
    return subprocess.run(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        env=env,
        check=False,
    ).returncode


def _is_own_program(argv: Sequence[str]) -> bool:
    """Tell whether a fork of this interpreter can run it: one of our programs, written for any Python 3."""
    own = len(argv) > 1 and argv[0] in PYTHON and argv[1].startswith(PROGRAMS)
    return own and threading.active_count() == 1


def _forked_python(
    argv: Sequence[str], said: IO[bytes], timeout: float, env: Mapping[str, str] | None
) -> int:
    """Run a program of ours in a fork, and from its compiled form: a new interpreter takes far longer.

    Raises:
        TimeoutExpired: it was not done in time; it and what it started are killed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os._exit(_as_program(argv[1:], said, env))
    deadline = time.monotonic() + timeout
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise subprocess.TimeoutExpired(list(argv), timeout)
        time.sleep(POLL_S / 5)


def _as_program(argv: Sequence[str], said: IO[bytes], env: Mapping[str, str] | None) -> int:
    """Become the program `argv`, in a fork; returns its exit status."""
    code = 1
    try:
        os.setsid()
        for descriptor, source in (
            (0, os.open(os.devnull, os.O_RDONLY)),
            (1, said.fileno()),
            (2, said.fileno()),
        ):
            os.dup2(source, descriptor)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        sys.stdin, sys.stdout, sys.stderr = (
            open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - they are the process's own
            for descriptor, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        code = _run_main(argv)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - as an interpreter ends with what nobody caught
        os.write(2, traceback.format_exc().encode())
    return code


def _run_main(argv: Sequence[str]) -> int:
    """Run a file as the main program and return what it exits with."""
    sys.argv = list(argv)
    sys.path.insert(0, str(Path(argv[0]).parent))
    name = Path(argv[0]).stem
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__file__ = argv[0]
    try:
        exec(SourceFileLoader(name, argv[0]).get_code(name), main.__dict__)  # type: ignore[arg-type]  # noqa: S102
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        sys.stderr.write(f"{leaving.code}\n")
        return 1
    return 0


def settle(name: str, *, timeout: float = START_S) -> bool:
    """Wait until a service that was just started has read its configuration; False where nobody can ask it.

    Raises:
        ServiceError: it has not within `timeout` seconds.
    """
    if name not in SETTLED:
        return False
    argv, wanted, again = SETTLED[name]
    deadline = time.monotonic() + timeout
    said = ""
    while time.monotonic() < deadline:
        try:
            said = run(argv, timeout=timeout)
        except ServiceError as error:
            said = str(error)
        if wanted in said:
            run(again)
            return True
        time.sleep(SETTLE_POLL_S)
    raise ServiceError(f"{name} had not settled after {timeout:g} s: {said[-500:]}")


class SystemdManager:
    """Services of a host on which systemd is process 1."""

    def __init__(self, systemctl: Sequence[str] = ("systemctl",)) -> None:
        """Use `systemctl`, an argument vector, for every call."""
        self._systemctl = tuple(systemctl)

    def start(self, name: str) -> None:
        """See ServiceManager."""
        self._refresh(name)
        self._call("enable", "--now", name)

    def reload(self, name: str) -> None:
        """See ServiceManager."""
        self._refresh(name)
        if name in RELOADS:
            run(RELOADS[name])
        else:
            self._call("reload", name)

    def restart(self, name: str) -> None:
        """See ServiceManager."""
        self._refresh(name)
        self._call("restart", name)

    def stop(self, name: str) -> None:
        """See ServiceManager."""
        if self._property(name, "LoadState") == "loaded":
            self._call("disable", "--now", name)

    def is_active(self, name: str) -> bool:
        """See ServiceManager."""
        return self._property(name, "ActiveState") in {"active", "reloading"}

    def _refresh(self, name: str) -> None:
        """Have systemd read the unit files again when they changed since it last did."""
        if self._property(name, "NeedDaemonReload") == "yes" or self._property(name, "LoadState") != "loaded":
            self._call("daemon-reload")

    def _property(self, name: str, key: str) -> str:
        return run([*self._systemctl, "show", "--value", "--property", key, f"{name}.service"])

    def _call(self, verb: str, *words: str) -> None:
        units = [f"{word}.service" if not word.startswith("-") else word for word in words]
        run([*self._systemctl, verb, *units])


@dataclass(frozen=True, slots=True)
class Unit:
    """What the unit file of a service says, as far as it is needed without systemd.

    `Restart=` is left out on purpose: a lab that mends by itself what was killed proves nothing.
    """

    name: str
    kind: str = "simple"
    start: tuple[str, ...] = ()
    start_before: tuple[str, ...] = ()
    start_after: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    pid_file: str = ""
    user: str = ""
    folder: str = "/"
    runtime_folders: tuple[str, ...] = ()
    state_folders: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    nice: int = 0
    timer_slack_ns: int = 0


def parse_unit(name: str, texts: Sequence[str]) -> dict[str, list[str]]:
    """Return section [Service] of a unit file and its drop-ins by key; an empty value clears a key."""
    values: dict[str, list[str]] = {}
    for text in texts:
        section = ""
        for line in text.replace("\\\n", " ").splitlines():
            bare = line.strip()
            if bare.startswith("["):
                section = bare
            elif section == "[Service]" and bare and bare[0] not in "#;":
                key, _, value = bare.partition("=")
                values.setdefault(key.strip(), []).append(value.strip().replace("%n", f"{name}.service"))
                if not value.strip():
                    values[key.strip()] = []
    return values


@dataclass(frozen=True, slots=True)
class Running:
    """What is known of a started service; kept in /run, so that nothing of it outlives the node.

    Attributes:
        pid: main process, or 0 for work that was done in one go.
        born: start time of the process in clock ticks, so that a number given anew is not mistaken for it.
    """

    pid: int
    born: int


def _born(pid: int) -> int:
    """Return the start time of a living process (proc(5), field 22); 0 when there is none."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return 0
    return 0 if after_name[0] in "ZX" else int(after_name[19])


class UnitFileManager:
    """Services of a node without systemd, from the same unit files."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Look for unit files, and keep state, below `root`."""
        self._root = root
        self._state = root / "run/heiiki/services"
        self._log = root / "var/log/heiiki"

    def start(self, name: str) -> None:
        """See ServiceManager."""
        if not self.is_active(name):
            self._start(self._unit(name))

    def reload(self, name: str) -> None:
        """See ServiceManager."""
        if name in RELOADS:
            run(RELOADS[name])
            return
        unit = self._unit(name)
        if not unit.reload:
            raise ServiceError(
                f"{name}.service has no ExecReload: give it one, or restart the service on a change"
            )
        if not self.is_active(name):
            raise ServiceError(f"{name} does not run, so it cannot be reloaded: start it")
        self._commands(unit, unit.reload, self._recorded(name))

    def restart(self, name: str) -> None:
        """See ServiceManager."""
        self.stop(name)
        self._start(self._unit(name))

    def stop(self, name: str) -> None:
        """See ServiceManager."""
        running = self._recorded(name)
        if running is None:
            return
        if self.is_active(name):
            unit = self._unit(name)
            self._commands(unit, unit.stop, running)
        self._end(running)
        (self._state / f"{name}.json").unlink(missing_ok=True)

    def is_active(self, name: str) -> bool:
        """See ServiceManager."""
        running = self._recorded(name)
        return running is not None and (running.pid == 0 or _born(running.pid) == running.born)

    def again(self, name: str) -> str:
        """Bring `name` back after a kill; work done in one go is done again. Returns what was done."""
        unit = self._unit(name)
        if unit.kind != "oneshot" and self.is_active(name):
            return "active"
        self._start(unit)
        settle(name)
        return "started"

    def _start(self, unit: Unit) -> None:
        self._folders(unit)
        self._commands(unit, unit.start_before, None)
        if unit.kind == "oneshot":
            self._commands(unit, unit.start, None)
            running = Running(0, 0)
        elif unit.kind == "forking":
            with _manners(unit):
                if unit.name in FIRST:
                    run(FIRST[unit.name], env=unit.environment)
                self._commands(unit, unit.start, None)
            running = self._forked(unit)
        else:
            running = self._spawn(unit)
        self._record(unit.name, running)
        self._commands(unit, unit.start_after, running)

    def _spawn(self, unit: Unit) -> Running:
        if len(unit.start) != 1:
            raise ServiceError(
                f"{unit.name}.service: Type={unit.kind} wants one ExecStart, it has {len(unit.start)}"
            )
        argv = self._argv(unit, unit.start[0], None)
        with (self._log / f"{unit.name}.log").open("ab") as log, _manners(unit):
            try:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=dict(unit.environment),
                    cwd=unit.folder,
                    **_account(unit),
                    start_new_session=True,
                )
            except OSError as error:
                raise ServiceError(f"{unit.name}: `{shlex.join(argv)}` cannot be run: {error}") from error
        running = Running(process.pid, _born(process.pid))
        time.sleep(POLL_S)
        if process.poll() is not None:
            said = (
                (self._log / f"{unit.name}.log").read_text(encoding="utf-8", errors="replace")[-1500:].strip()
            )
            raise ServiceError(f"{unit.name} ended at once with exit code {process.returncode}: {said}")
        process.returncode = 0  # it lives on without us: the node's process 1 reaps it
        return running

    def _forked(self, unit: Unit) -> Running:
        if not unit.pid_file:
            raise ServiceError(
                f"{unit.name}.service: Type=forking without PIDFile: its process cannot be found"
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            running = self._named(unit)
            if running:
                return running
            time.sleep(POLL_S)
        raise ServiceError(
            f"{unit.name} started, but {unit.pid_file} named no living process within {START_S:g} s"
        )

    def _end(self, running: Running) -> None:
        """Ask a process to end, then make it: SIGTERM, and SIGKILL after STOP_S seconds."""
        for number, patience in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
            deadline = time.monotonic() + patience
            while running.pid and _born(running.pid) == running.born:
                if deadline - time.monotonic() > patience - POLL_S:
                    os.kill(running.pid, number)
                if time.monotonic() > deadline:
                    break
                time.sleep(POLL_S)

    def _commands(self, unit: Unit, lines: Sequence[str], running: Running | None) -> None:
        for line in lines:
            forgiving = line.startswith("-")
            try:
                run(self._argv(unit, line, running), env=unit.environment)
            except ServiceError as error:
                if not forgiving:
                    raise ServiceError(f"{unit.name}: {error}") from error

    def _argv(self, unit: Unit, line: str, running: Running | None) -> list[str]:
        """Return the words of a command line: `$NAME` alone in a word is split, `${NAME}` is not."""
        values = {**unit.environment, "MAINPID": str(running.pid if running else "")}
        argv: list[str] = []
        for word in shlex.split(line.lstrip("-@:+!")):
            if word.startswith("$") and not word.startswith("${") and word[1:].isidentifier():
                argv += shlex.split(values.get(word[1:], ""))
            else:
                argv.append(string.Template(word).safe_substitute(values))
        return argv

    def _unit(self, name: str) -> Unit:
        folders = [self._root / folder for folder in UNIT_FOLDERS]
        main = next(
            (folder / f"{name}.service" for folder in folders if (folder / f"{name}.service").is_file()), None
        )
        if main is None:
            raise ServiceError(f"{name}.service is not on this node: install the package that brings it")
        extras = sorted(path for folder in folders for path in (folder / f"{name}.service.d").glob("*.conf"))
        values = parse_unit(name, [path.read_text(encoding="utf-8") for path in (main, *extras)])
        return Unit(
            name=name,
            kind=(values.get("Type") or ["simple"])[-1],
            start=tuple(values.get("ExecStart", ())),
            start_before=tuple(values.get("ExecStartPre", ())),
            start_after=tuple(values.get("ExecStartPost", ())),
            reload=tuple(values.get("ExecReload", ())),
            stop=tuple(values.get("ExecStop", ())),
            pid_file=(values.get("PIDFile") or [""])[-1],
            user=(values.get("User") or [""])[-1],
            folder=(values.get("WorkingDirectory") or ["/"])[-1],
            runtime_folders=_words(values, "RuntimeDirectory"),
            state_folders=_words(values, "StateDirectory"),
            environment=self._environment(values),
            nice=int((values.get("Nice") or ["0"])[-1]),
            timer_slack_ns=int((values.get("TimerSlackNSec") or ["0"])[-1]),
        )

    def _environment(self, values: Mapping[str, Sequence[str]]) -> dict[str, str]:
        environment = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8"}
        for word in _words(values, "Environment"):
            key, _, value = word.partition("=")
            environment[key] = value
        for name in values.get("EnvironmentFile", ()):
            path = self._at(name.lstrip("-"))
            if path.is_file():
                environment.update(_assignments(path.read_text(encoding="utf-8")))
            elif not name.startswith("-"):
                raise ServiceError(
                    f"the environment file {name} is missing: install it, or write `-{name}` in the unit"
                )
        return environment

    def _folders(self, unit: Unit) -> None:
        self._log.mkdir(parents=True, exist_ok=True)
        for parent, names in (("run", unit.runtime_folders), ("var/lib", unit.state_folders)):
            for name in names:
                folder = self._root / parent / name
                folder.mkdir(parents=True, exist_ok=True)
                if unit.user:
                    owner = pwd.getpwnam(unit.user)
                    os.chown(folder, owner.pw_uid, owner.pw_gid)

    def _recorded(self, name: str) -> Running | None:
        """Return what is known of a service: what a start recorded, else what its own pid file says."""
        try:
            return Running(**json.loads((self._state / f"{name}.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return self._found(name)

    def _found(self, name: str) -> Running | None:
        """Return a forking service that somebody else started, or whose start was cut off."""
        try:
            unit = self._unit(name)
        except ServiceError:
            return None
        return self._named(unit) if unit.pid_file else None

    def _named(self, unit: Unit) -> Running | None:
        """Return the living process that the unit's pid file names."""
        path = self._at(unit.pid_file)
        text = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        born = _born(int(text)) if text.isdigit() else 0
        return Running(int(text), born) if born else None

    def _record(self, name: str, running: Running) -> None:
        self._state.mkdir(parents=True, exist_ok=True)
        fresh = self._state / f".{name}.json"
        fresh.write_text(json.dumps(asdict(running)), encoding="utf-8")
        fresh.replace(self._state / f"{name}.json")

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")


@contextlib.contextmanager
def _manners(unit: Unit) -> Iterator[None]:
    """Have a unit's niceness and timer slack meanwhile: what is started inherits them, and its children."""
    nice, slack = os.getpriority(os.PRIO_PROCESS, 0), TIMER_SLACK.read_text(encoding="ascii")
    if unit.nice:
        os.setpriority(os.PRIO_PROCESS, 0, unit.nice)
    if unit.timer_slack_ns:
        TIMER_SLACK.write_text(str(unit.timer_slack_ns), encoding="ascii")
    try:
        yield
    finally:
        if unit.nice:
            os.setpriority(os.PRIO_PROCESS, 0, nice)
        if unit.timer_slack_ns:
            TIMER_SLACK.write_text(slack, encoding="ascii")


def _account(unit: Unit) -> dict[str, Any]:
    """Return whom a process runs as: as under systemd, with that user's own group and no power of root's."""
    if not unit.user:
        return {}
    return {"user": unit.user, "group": pwd.getpwnam(unit.user).pw_gid, "extra_groups": []}


def _words(values: Mapping[str, Sequence[str]], key: str) -> tuple[str, ...]:
    return tuple(word for line in values.get(key, ()) for word in shlex.split(line))


def _assignments(text: str) -> dict[str, str]:
    """Return the variables of an environment file; comments and empty lines are passed over."""
    pairs = (
        line.partition("=") for line in text.splitlines() if line.strip() and line.strip()[0] not in "#;"
    )
    return {key.strip(): " ".join(shlex.split(value)) for key, _, value in pairs}


def find(root: Path = Path("/")) -> ServiceManager:
    """Return the manager that fits the node: systemd where it runs, the unit files themselves elsewhere."""
    return SystemdManager() if (root / "run/systemd/system").is_dir() else UnitFileManager(root)


def start_all(root: Path = Path("/")) -> dict[str, str]:
    """Start every service of the node that does not run, in order; returns what was done with each.

    Work that is done in one go is done again, since a node that comes back has lost part of it.

    Raises:
        ServiceError: a service does not start; the ones after it were not tried.
    """
    owned = root / OWNED
    if not owned.is_file():
        return {}
    done: dict[str, str] = {}
    manager = find(root)
    for service in json.loads(owned.read_text(encoding="utf-8"))["services"]:
        name = service["name"]
        if isinstance(manager, UnitFileManager):
            done[name] = manager.again(name)
        else:
            manager.start(name)
            done[name] = "active"
    return done


def main(argv: Sequence[str]) -> int:
    """Do what the command line says; returns the exit code."""
    if list(argv) != ["start-all"]:
        sys.stderr.write("usage: service_manager.py start-all\n")
        return 2
    try:
        sys.stdout.write(json.dumps(start_all()) + "\n")
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
