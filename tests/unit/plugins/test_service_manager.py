"""One contract for both managers; then what the one without systemd does by itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.heiiki.network.plugins.module_utils import service_manager
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import (
    ServiceError,
    ServiceManager,
    SystemdManager,
    UnitFileManager,
)
from waiting import awaited

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
verb, name = words[0], words[-1].removesuffix(".service")
unit, pid, loaded = root / f"etc/systemd/system/{name}.service", root / f"{name}.pid", root / f"{name}.loaded"

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

def start():
    if not alive():
        process = subprocess.Popen(shlex.split(value("ExecStart")), start_new_session=True,
                                   stdin=null, stdout=null, stderr=null)
        pid.write_text(str(process.pid))

if verb == "show":
    stale = loaded.exists() and unit.exists() and loaded.read_text() != unit.read_text()
    print({"LoadState": "loaded" if loaded.exists() else "not-found",
           "NeedDaemonReload": "yes" if stale else "no",
           "ActiveState": "active" if alive() else "inactive"}[words[words.index("--property") + 1]])
elif verb == "daemon-reload":
    for path in (root / "etc/systemd/system").glob("*.service"):
        (root / f"{path.stem}.loaded").write_text(path.read_text())
elif not loaded.exists():
    sys.exit(f"Unit {name}.service could not be found.")
elif verb == "enable":
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

    def said(self) -> list[str]:
        path = self.root / "said"
        return path.read_text().splitlines() if path.exists() else []

    def wait(self, count: int) -> list[str]:
        awaited(f"it says {count} lines", lambda: len(self.said()) >= count)
        return self.said()

    def pid(self) -> int:
        return int(self.wait(1)[-1].split()[1])


def write_unit(root: Path, name: str, text: str) -> None:
    folder = root / "etc/systemd/system"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.service").write_text(text)


@pytest.fixture(params=["unit files", "systemd"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "daemon.sh").write_text(DAEMON)
    write_unit(tmp_path, "echo", UNIT.format(root=tmp_path))
    manager: ServiceManager = UnitFileManager(tmp_path)
    if request.param == "systemd":
        (tmp_path / "systemctl.py").write_text(SYSTEMCTL)
        manager = SystemdManager((sys.executable, "-S", str(tmp_path / "systemctl.py"), str(tmp_path)))
    yield Bench(tmp_path, manager)
    for line in (tmp_path / "said").read_text().splitlines() if (tmp_path / "said").exists() else ():
        if line.startswith("start"):
            subprocess.run(["kill", "-KILL", line.split()[1]], check=False, capture_output=True)


class TestContract:
    def test_a_started_service_is_active(self, bench: Bench) -> None:
        assert not bench.manager.is_active("echo")
        bench.manager.start("echo")
        assert bench.manager.is_active("echo")

    def test_starting_an_active_service_leaves_it_alone(self, bench: Bench) -> None:
        bench.manager.start("echo")
        bench.wait(1)
        bench.manager.start("echo")
        assert len(bench.said()) == 1

    def test_a_reload_reaches_the_same_process(self, bench: Bench) -> None:
        bench.manager.start("echo")
        first = bench.pid()
        bench.manager.reload("echo")
        assert bench.wait(2) == [f"start {first}", "reload"]

    def test_a_restart_makes_a_new_process(self, bench: Bench) -> None:
        bench.manager.start("echo")
        first = bench.pid()
        bench.manager.restart("echo")
        assert bench.wait(2)[1].split()[1] != str(first)
        assert bench.manager.is_active("echo")

    def test_a_stopped_service_is_inactive_and_its_process_gone(self, bench: Bench) -> None:
        bench.manager.start("echo")
        first = bench.pid()
        bench.manager.stop("echo")
        assert not bench.manager.is_active("echo")
        assert service_manager._born(first) == 0

    def test_stopping_what_does_not_run_is_no_error(self, bench: Bench) -> None:
        bench.manager.stop("echo")
        bench.manager.stop("nothing")

    def test_a_killed_service_is_seen_and_starts_again(self, bench: Bench) -> None:
        bench.manager.start("echo")
        os.kill(bench.pid(), signal.SIGKILL)
        awaited("it is seen", lambda: not bench.manager.is_active("echo"))
        bench.manager.start("echo")
        assert bench.manager.is_active("echo")

    def test_a_changed_unit_is_read_again(self, bench: Bench) -> None:
        bench.manager.start("echo")
        bench.wait(1)
        text = UNIT.format(root=bench.root).replace("said\n", "other\n", 1)
        write_unit(bench.root, "echo", text)
        bench.manager.restart("echo")
        other = bench.root / "other"
        awaited("the new one says so", lambda: other.exists() and other.read_text().startswith("start"))
        bench.manager.stop("echo")

    def test_a_service_that_is_not_there_is_an_error_with_its_name(self, bench: Bench) -> None:
        with pytest.raises(ServiceError, match=r"nothing\.service"):
            bench.manager.start("nothing")


def test_a_service_that_ends_at_once_is_an_error_with_its_words(tmp_path: Path) -> None:
    write_unit(tmp_path, "bad", "[Service]\nExecStart=/bin/sh -c 'echo no such key; exit 3'\n")
    with pytest.raises(ServiceError) as caught:
        UnitFileManager(tmp_path).start("bad")
    assert str(caught.value) == "bad ended at once with exit code 3: no such key"


@pytest.mark.skipif(os.getuid() != 0, reason="starts a process of another user")
def test_a_service_with_a_user_has_nothing_of_roots(tmp_path: Path) -> None:
    command = "/bin/sh -c 'id --name --user; id --name --groups; exec sleep 60'"
    write_unit(tmp_path, "one", f"[Service]\nUser=nobody\nExecStart={command}\n")
    manager = UnitFileManager(tmp_path)
    manager.start("one")
    manager.stop("one")
    assert (tmp_path / "var/log/heiiki/one.log").read_text().split() == ["nobody", "nogroup"]


def test_a_service_is_as_nice_as_its_unit_says(tmp_path: Path) -> None:
    write_unit(tmp_path, "one", "[Service]\nNice=3\nExecStart=/bin/sleep 60\n")
    manager = UnitFileManager(tmp_path)
    manager.start("one")
    pid = json.loads((tmp_path / "run/heiiki/services/one.json").read_text())["pid"]
    assert os.getpriority(os.PRIO_PROCESS, pid) == 3
    manager.stop("one")


def test_the_timers_of_a_service_have_the_slack_that_its_unit_gives(tmp_path: Path) -> None:
    before = Path("/proc/self/timerslack_ns").read_text()
    write_unit(tmp_path, "one", "[Service]\nTimerSlackNSec=5000000\nExecStart=/bin/sleep 60\n")
    manager = UnitFileManager(tmp_path)
    manager.start("one")
    pid = json.loads((tmp_path / "run/heiiki/services/one.json").read_text())["pid"]
    assert Path(f"/proc/{pid}/timerslack_ns").read_text() == "5000000\n"
    assert Path("/proc/self/timerslack_ns").read_text() == before
    manager.stop("one")


def test_work_done_in_one_go_stays_active_and_is_done_again_after_a_kill(tmp_path: Path) -> None:
    command = f"/bin/sh -c 'echo done >> {tmp_path}/said'"
    write_unit(tmp_path, "once", f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={command}\n")
    manager = UnitFileManager(tmp_path)
    manager.start("once")
    manager.start("once")
    assert manager.is_active("once")
    assert manager.again("once") == "started"
    assert (tmp_path / "said").read_text() == "done\ndone\n"


def test_a_forking_service_is_known_by_its_pid_file(tmp_path: Path) -> None:
    (tmp_path / "daemon.sh").write_text(DAEMON)
    # As many daemons do, this one keeps the standard output that it was given: that must hold nobody up.
    fork = f"/bin/sh -c 'sh {tmp_path}/daemon.sh {tmp_path}/said & echo $! > {tmp_path}/run/fork.pid'"
    (tmp_path / "run").mkdir()
    write_unit(
        tmp_path,
        "fork",
        f"[Service]\nType=forking\nNice=2\nPIDFile=/run/fork.pid\nExecStart={fork.replace('$', '$$')}\n",
    )
    manager = UnitFileManager(tmp_path)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    manager.start("fork")
    assert manager.is_active("fork")
    assert os.getpriority(os.PRIO_PROCESS, int((tmp_path / "run/fork.pid").read_text())) == own + 2
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
    manager.stop("fork")
    assert not manager.is_active("fork")


def test_a_process_number_given_anew_is_not_mistaken_for_the_service(tmp_path: Path) -> None:
    state = tmp_path / "run/heiiki/services"
    state.mkdir(parents=True)
    (state / "echo.json").write_text(json.dumps({"pid": os.getpid(), "born": 1}))
    assert not UnitFileManager(tmp_path).is_active("echo")


def test_variables_of_a_command_line_are_put_in_as_systemd_does(tmp_path: Path) -> None:
    (tmp_path / "etc/default").mkdir(parents=True)
    (tmp_path / "etc/default/x").write_text("# words\nWORDS=\"--one --two\"\nONE='a b'\nNONE=\n")
    write_unit(
        tmp_path,
        "x",
        "[Service]\nEnvironmentFile=-/etc/default/x\nEnvironmentFile=-/etc/default/missing\n"
        "ExecStart=/bin/prog $WORDS $NONE ${ONE} $MAINPID\n",
    )
    manager = UnitFileManager(tmp_path)
    unit = manager._unit("x")
    running = service_manager.Running(7, 1)
    assert manager._argv(unit, unit.start[0], running) == ["/bin/prog", "--one", "--two", "a b", "7"]


def test_a_missing_environment_file_that_is_wanted_is_an_error(tmp_path: Path) -> None:
    write_unit(tmp_path, "x", "[Service]\nEnvironmentFile=/etc/default/x\nExecStart=/bin/true\n")
    with pytest.raises(ServiceError, match="/etc/default/x is missing"):
        UnitFileManager(tmp_path).start("x")


def test_drop_ins_add_to_a_unit_and_an_empty_value_clears_it(tmp_path: Path) -> None:
    write_unit(tmp_path, "x", "[Service]\nExecStart=/bin/one\nExecStartPre=/bin/before\n")
    folder = tmp_path / "etc/systemd/system/x.service.d"
    folder.mkdir()
    (folder / "a.conf").write_text("[Service]\nExecStart=\nExecStart=/bin/two\n")
    unit = UnitFileManager(tmp_path)._unit("x")
    assert (unit.start, unit.start_before) == (("/bin/two",), ("/bin/before",))


def test_start_all_starts_what_does_not_run_in_order(tmp_path: Path) -> None:
    owned = tmp_path / service_manager.OWNED
    owned.parent.mkdir(parents=True)
    owned.write_text(json.dumps({"services": [{"name": "b"}, {"name": "a"}]}))
    for name in "ab":
        command = f"/bin/sh -c 'echo {name} >> {tmp_path}/said'"
        write_unit(tmp_path, name, f"[Service]\nType=oneshot\nExecStart={command}\n")
    assert service_manager.start_all(tmp_path) == {"b": "started", "a": "started"}
    assert (tmp_path / "said").read_text() == "b\na\n"


def test_start_all_on_a_node_that_was_never_provisioned_does_nothing(tmp_path: Path) -> None:
    assert service_manager.start_all(tmp_path) == {}


def test_the_manager_follows_what_runs_on_the_node(tmp_path: Path) -> None:
    assert isinstance(service_manager.find(tmp_path), UnitFileManager)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert isinstance(service_manager.find(tmp_path), SystemdManager)


def test_the_program_alone_needs_nothing_of_the_collection(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", service_manager.__file__, "sideways"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "usage: service_manager.py start-all\n")


def _own(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the command of a program that counts as one of ours."""
    (folder / "own.py").write_text(text)
    monkeypatch.setattr(service_manager, "PROGRAMS", f"{folder}/")
    monkeypatch.setattr("subprocess.run", None)
    monkeypatch.setattr("threading.active_count", lambda: 1)
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    return ["python3", str(folder / "own.py")]


def test_a_program_of_ours_runs_in_a_fork_as_it_would_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
import os, sys
from dataclasses import dataclass
@dataclass(slots=True)
class Here:
    text: "str"
if __name__ == "__main__":
    print(Here(os.environ["WHAT"]).text, sys.argv[1:], repr(sys.stdin.read()), file=sys.stderr)
"""
    argv = _own(tmp_path, text, monkeypatch)
    before = dict(os.environ)
    assert service_manager.run([*argv, "a", "b"], env={"WHAT": "it"}) == "it ['a', 'b'] ''"
    assert dict(os.environ) == before
    assert list((tmp_path / "__pycache__").glob("own.*.pyc"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("print('why'); raise SystemExit(3)", "exited 3: why"),
        ("raise SystemExit('why')", "exited 1: why"),
        ("1 / 0", "(?s)exited 1: .*ZeroDivisionError"),
        ("import os; os.kill(os.getpid(), 9)", "exited -9: it printed nothing"),
    ],
)
def test_a_program_of_ours_that_fails_is_told_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    with pytest.raises(ServiceError, match=told):
        service_manager.run(_own(tmp_path, text, monkeypatch))


def test_a_program_of_ours_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = _own(tmp_path, "import signal; signal.pause()", monkeypatch)
    with pytest.raises(ServiceError, match=r"was not done within 0.2 s"):
        service_manager.run(argv, timeout=0.2)


def test_a_program_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = _own(tmp_path, "", monkeypatch)
    (tmp_path / "own.py").unlink()
    with pytest.raises(ServiceError, match=r"(?s)exited 1: .*FileNotFoundError"):
        service_manager.run(argv)
