"""What the manager of services asks of systemd, on a small stand-in for `systemctl`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import (
    ServiceError,
    ServiceManager,
    SystemdManager,
    run,
)
from waiting import PATIENCE_S, awaited

DAEMON = """#!/bin/sh
trap 'echo reload >> "$1"' HUP
echo "start $$" >> "$1"
while :; do sleep 0.02; done
"""

UNIT = """[Unit]
Description=What the contract is tried on

[Service]
Type=exec
ExecStart=/bin/sh {root}/daemon.sh {root}/said
ExecReload=/bin/kill -HUP $MAINPID

[Install]
WantedBy=multi-user.target
"""

# What of systemd the manager relies on: properties, enabling, and a stale unit until daemon-reload.
SYSTEMCTL = """
import os, shlex, signal, subprocess, sys, time
from pathlib import Path

root, words = Path(sys.argv[1]), sys.argv[2:]
null = subprocess.DEVNULL
verb, names = words[0], [word.removesuffix(".service") for word in words if word.endswith(".service")]
name = names[-1] if names else ""
pid, loaded = root / f"{name}.pid", root / f"{name}.loaded"

def alive():
    try:
        state = Path(f"/proc/{pid.read_text()}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"

def value(key):
    for line in loaded.read_text().splitlines():
        if line.startswith(key + "="):
            return line.partition("=")[2]

def stop():
    if alive():
        os.kill(int(pid.read_text()), signal.SIGKILL)
        while alive():
            time.sleep(0.01)
    pid.unlink(missing_ok=True)

def hear_hangups():
    # As systemd does: a shell cannot trap what was ignored when it began, as it is below nohup.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

def start():
    if not alive():
        process = subprocess.Popen(shlex.split(value("ExecStart")), start_new_session=True,
                                   stdin=null, stdout=null, stderr=null, preexec_fn=hear_hangups)
        pid.write_text(str(process.pid))

if verb == "show":
    for each in names:
        unit, known = root / f"etc/systemd/system/{each}.service", root / f"{each}.loaded"
        print("LoadState=" + ("loaded" if known.exists() else "not-found"))
        if any("NeedDaemonReload" in word for word in words):
            linked = root / f"{each}.enabled"
            both = linked.exists() and known.exists()
            newer = both and linked.stat().st_mtime_ns > known.stat().st_mtime_ns
            stale = newer or (known.exists() and unit.exists() and known.read_text() != unit.read_text())
            print("NeedDaemonReload=" + ("yes" if stale else "no"))
elif verb == "list-units":
    for pid in root.glob("*.pid"):
        if alive():
            print(f"{pid.stem}.service loaded active running What the contract is tried on")
elif verb == "status":
    for each in names:
        print(f"{each}.service: what systemd knows of it")
    sys.exit(3)
elif verb == "daemon-reload":
    for path in (root / "etc/systemd/system").glob("*.service"):
        (root / f"{path.stem}.loaded").write_text(path.read_text())
elif verb == "start" and len(names) > 1:
    one = (sys.executable, *sys.argv[:2], "start")
    sys.exit(max(subprocess.call([*one, f"{each}.service"]) for each in names))
elif verb == "enable":
    for each in names:
        if not (root / f"etc/systemd/system/{each}.service").exists():
            sys.exit(f"Unit {each}.service does not exist.")
        (root / f"{each}.enabled").touch()
elif not loaded.exists():
    sys.exit(f"Unit {name}.service could not be found.")
elif verb == "start":
    start()
elif verb == "disable":
    stop()
elif verb == "restart":
    stop()
    start()
elif verb == "reload":
    subprocess.run(shlex.split(value("ExecReload").replace("$MAINPID", pid.read_text())), check=True)
"""


@dataclass(frozen=True)
class Bench:
    root: Path
    manager: ServiceManager

    def start(self) -> None:
        self.manager.prepare(["echo"], ["echo"])
        self.manager.start("echo")

    def said(self) -> list[str]:
        path = self.root / "said"
        return path.read_text().splitlines() if path.exists() else []

    def wait(self, count: int) -> list[str]:
        awaited(f"it says {count} lines", lambda: len(self.said()) >= count)
        return self.said()

    def pid(self) -> int:
        return int(self.wait(1)[-1].split()[1])


def ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def write_unit(root: Path, name: str, text: str) -> None:
    folder = root / "etc/systemd/system"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.service").write_text(text)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "daemon.sh").write_text(DAEMON)
    write_unit(tmp_path, "echo", UNIT.format(root=tmp_path))
    (tmp_path / "systemctl.py").write_text(SYSTEMCTL)
    manager: ServiceManager = SystemdManager(
        (sys.executable, "-S", str(tmp_path / "systemctl.py"), str(tmp_path))
    )
    yield Bench(tmp_path, manager)
    for line in (tmp_path / "said").read_text().splitlines() if (tmp_path / "said").exists() else ():
        if line.startswith("start"):
            subprocess.run(["kill", "-KILL", line.split()[1]], check=False, capture_output=True)


class TestContract:
    def test_a_started_service_is_active(self, bench: Bench) -> None:
        assert not bench.manager.is_active("echo")
        bench.start()
        assert bench.manager.is_active("echo")

    def test_what_is_prepared_to_start_is_enabled(self, bench: Bench) -> None:
        bench.manager.prepare(["echo"], [])
        assert not (bench.root / "echo.enabled").exists()
        bench.manager.prepare(["echo"], ["echo"])
        assert (bench.root / "echo.enabled").exists()
        shown = bench.manager._call("show", "--property=NeedDaemonReload", "echo.service")
        assert "NeedDaemonReload=yes" not in shown

    def test_starting_an_active_service_leaves_it_alone(self, bench: Bench) -> None:
        bench.start()
        bench.wait(1)
        bench.start()
        assert len(bench.said()) == 1

    def test_a_reload_reaches_the_same_process(self, bench: Bench) -> None:
        bench.start()
        first = bench.pid()
        bench.manager.reload("echo")
        assert bench.wait(2) == [f"start {first}", "reload"]

    def test_a_restart_makes_a_new_process(self, bench: Bench) -> None:
        bench.start()
        first = bench.pid()
        bench.manager.restart("echo")
        assert bench.wait(2)[1].split()[1] != str(first)
        assert bench.manager.is_active("echo")

    def test_a_stopped_service_is_inactive_and_its_process_gone(self, bench: Bench) -> None:
        bench.start()
        first = bench.pid()
        bench.manager.stop("echo")
        assert not bench.manager.is_active("echo")
        assert ended(first)

    def test_stopping_what_does_not_run_is_no_error(self, bench: Bench) -> None:
        bench.manager.stop("echo")
        bench.manager.stop("nothing")

    def test_a_killed_service_is_seen_and_starts_again(self, bench: Bench) -> None:
        bench.start()
        os.kill(bench.pid(), signal.SIGKILL)
        awaited("it is seen", lambda: not bench.manager.is_active("echo"))
        bench.start()
        assert bench.manager.is_active("echo")

    def test_a_changed_unit_is_read_again(self, bench: Bench) -> None:
        bench.start()
        bench.wait(1)
        text = UNIT.format(root=bench.root).replace("said\n", "other\n", 1)
        write_unit(bench.root, "echo", text)
        bench.manager.prepare(["echo"], [])
        bench.manager.restart("echo")
        other = bench.root / "other"
        awaited("the new one says so", lambda: other.exists() and other.read_text().startswith("start"))
        bench.manager.stop("echo")

    def test_services_are_started_together_and_the_one_that_does_not_run_is_told(self, bench: Bench) -> None:
        bench.manager.prepare(["echo"], ["echo"])
        with pytest.raises(ServiceError) as caught:
            bench.manager.start("echo", "nothing")
        assert "Unit nothing.service could not be found." in str(caught.value)
        assert str(caught.value).endswith("\nnothing.service: what systemd knows of it")
        assert bench.manager.is_active("echo")

    def test_a_service_that_is_not_there_is_an_error_with_its_name(self, bench: Bench) -> None:
        with pytest.raises(ServiceError, match=r"(?s)nothing\.service.*what systemd knows of it"):
            bench.manager.start("nothing")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["sh", "-c", "echo why; exit 3"], "exited 3: why"),
        (["sh", "-c", "kill -9 $$"], "exited -9: it printed nothing"),
        (["/nowhere/program"], "cannot be run: .*No such file"),
    ],
)
def test_a_program_that_fails_is_told(argv: list[str], told: str) -> None:
    with pytest.raises(ServiceError, match=told):
        run(argv)


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(ServiceError, match=r"was not done within 0.2 s"):
        run(["sleep", "60"], timeout=0.2)


def test_a_daemon_left_behind_does_not_hold_the_caller_up() -> None:
    left = int(run(["sh", "-c", "sleep 3600 & echo $!"], timeout=PATIENCE_S))
    os.kill(left, signal.SIGKILL)
