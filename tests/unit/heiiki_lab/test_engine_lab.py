"""The whole engine on the real guest: two hosts and a switch, and nothing left behind.

Kernel and root come from the user's cache; the first run builds them (minutes).
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import awaited

from heiiki import errors
from heiiki.errors import LabError
from heiiki_lab import kernel, root, state, wiring
from heiiki_lab.spec import Endpoint, LabSpec, LinkSpec, NodeSpec
from heiiki_lab.wiring import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]

SPEC = LabSpec(
    "trial",
    (NodeSpec("h1"), NodeSpec("h2", processor=1), NodeSpec("lan", "switch")),
    (
        LinkSpec("leg1", Endpoint("h1", "eth0"), Endpoint("lan", "p1")),
        LinkSpec("leg2", Endpoint("h2", "eth0"), Endpoint("lan", "p2"), mtu=1400),
    ),
)
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(5)
    os._exit(0)
"""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heiiki"


@pytest.fixture(scope="module")
def parts() -> tuple[Path, Path]:
    return kernel.ensure(CACHE, print), root.ensure(CACHE, print)


def start(folder: Path, parts: tuple[Path, Path]) -> Lab:
    return wiring.up(SPEC, folder, *parts, print, memory="1G")


@pytest.fixture(scope="module")
def lab(parts: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = start(tmp_path_factory.mktemp("lab"), parts)
    running.node("h1").run(["ip", "address", "add", "192.0.2.1/24", "dev", "eth0"])
    running.node("h2").run(["ip", "address", "add", "192.0.2.2/24", "dev", "eth0"])
    yield running
    wiring.down(running.state_dir)


def pings(lab: Lab, *, patience: float = 1.0) -> bool:
    return lab.node("h1").exec(["ping", "-c1", f"-W{patience}", "192.0.2.2"]).rc == 0


def test_nodes_are_machines_of_their_own(lab: Lab) -> None:
    for name in ("h1", "h2"):
        node = lab.node(name)
        assert node.run(["hostname"]) == f"{name}\n"
        node.put("/etc/frr/frr.conf", name.encode(), owner="frr", group="frr", mode=0o640)
    assert lab.node("h1").get("/etc/frr/frr.conf") == b"h1"
    assert (
        lab.node("h1").run(["stat", "-c", "%U %a", "/etc/frr/frr.conf", "/run/frr"]) == "frr 640\nfrr 755\n"
    )
    assert {process.pid for process in lab.node("h2").processes()} == {1, 2}


def test_a_node_has_the_processor_of_the_spec(lab: Lab) -> None:
    asked = ["python3", "-c", "import os; print(*os.sched_getaffinity(0))"]
    processors = [lab.node(name).run(asked).split() for name in ("h1", "h2")]
    assert processors == [["0"], [str(1 % len(os.sched_getaffinity(0)))]]


def test_the_machine_runs_a_process_where_the_processor_of_its_node_is(lab: Lab) -> None:
    guest = json.loads((lab.state_dir / "ready.json").read_text())["guest_pid"]
    threads = Path(f"/proc/{guest}/task").glob("*/children")
    children = [int(child) for thread in threads for child in thread.read_text().split()]
    places = [os.sched_getaffinity(child) for child in children]
    assert {len(place) for place in places} == {1}
    assert set().union(*places) == os.sched_getaffinity(0)


def test_interfaces_are_those_of_the_spec(lab: Lab) -> None:
    shown = lab.node("h2").run(["ip", "-brief", "link"])
    names = sorted(line.split("@")[0].split()[0] for line in shown.splitlines())
    assert names == ["eth0", "lo"]
    assert "mtu 1400" in lab.node("h2").run(["ip", "link", "show", "eth0"])
    assert "forwarding" in lab.node("lan").run(["bridge", "link", "show", "dev", "p1"])


def test_the_checkout_is_there_and_cannot_be_written(lab: Lab) -> None:
    node = lab.node("h1")
    assert node.get("/opt/heiiki/src/heiiki/errors.py") == Path(errors.__file__).read_bytes()
    with pytest.raises(LabError, match="Read-only file system"):
        node.put("/opt/heiiki/src/heiiki/errors.py", b"")


def test_packets_cross_the_switch(lab: Lab) -> None:
    assert pings(lab)


@pytest.mark.parametrize(("link", "how"), [("leg1", "silent"), ("leg2", "silent"), ("leg1", "down")])
def test_a_link_fails_and_heals(lab: Lab, link: str, how: str) -> None:
    injector = lab.injector()
    before = lab.guest().ping()
    span = injector.fail_link(link, how)  # type: ignore[arg-type]
    assert before < span.began < span.ended < lab.guest().ping()
    assert {item.name: item.faults for item in wiring.status(lab.state_dir).links}[link] == (how,)
    assert not pings(lab)
    injector.heal(link)
    assert pings(lab, patience=5)
    assert injector.applied() == ()


def test_one_way_loses_what_one_end_sends(lab: Lab) -> None:
    lab.injector().fail_link("leg2", "silent", Endpoint("h2", "eth0"))
    before = received(lab)
    assert not pings(lab)
    assert received(lab) > before
    lab.injector().heal_all()


def received(lab: Lab) -> int:
    return int(lab.node("h2").get("/sys/class/net/eth0/statistics/rx_packets"))


def test_a_lost_carrier_is_told_at_once(lab: Lab) -> None:
    # The best of a few: a kernel that defers the news defers it each time, a busy machine does not.
    assert min(carrier_loss_told(lab) for _ in range(3)) < 0.8
    assert pings(lab, patience=5)


def carrier_loss_told(lab: Lab) -> float:
    """Seconds from the loss of a carrier to the line of a program that listens for it."""
    with lab.node("h2").stream(["ip", "-o", "monitor", "link"]) as monitor:
        awaited("the monitor listens", lambda: netlink_listeners(lab))
        before = time.monotonic()
        lab.node("lan").run(["ip", "link", "set", "p2", "down"])
        told = b""
        while b"NO-CARRIER" not in told:
            told += (monitor.recv(60) or ("stdout", b""))[1]
        took = time.monotonic() - before
    lab.node("lan").run(["ip", "link", "set", "p2", "up"])
    return took


def netlink_listeners(lab: Lab) -> list[str]:
    """The sockets of node h2 that are members of a group of route netlink (protocol 0)."""
    sockets = [line.split() for line in lab.node("h2").run(["cat", "/proc/net/netlink"]).splitlines()[1:]]
    return [pid for _, protocol, pid, groups, *_ in sockets if protocol == "0" and int(groups, 16)]


def test_a_node_is_killed_and_its_services_come_back(lab: Lab) -> None:
    node = lab.node("h2")
    restarted: list[str] = []
    node.spawn(["sleep", "1000"])
    injector = lab.injector(restarted.append)
    injector.fail_node("h2", "kill")
    assert {process.pid for process in node.processes()} == {1, 2}
    assert pings(lab), "the kernel forwards on"
    injector.fail_node("h2", "poweroff")
    assert not pings(lab)
    injector.heal("h2")
    assert restarted == ["h2"]
    assert pings(lab, patience=5)


def test_a_daemon_started_by_a_module_lives_on_and_is_reaped(lab: Lab) -> None:
    node = lab.node("h1")
    node.python(DAEMON).check()
    # What started the daemon is reaped a moment after the module has answered.
    awaited(
        "what started it is reaped",
        lambda: [process.ppid for process in node.processes() if process.pid > 2] == [1],
    )
    awaited("the daemon is reaped", lambda: {process.pid for process in node.processes()} == {1, 2})


def test_a_standstill_of_the_guest_is_recorded(lab: Lab) -> None:
    guest = lab.guest()
    since = guest.clock().monotonic
    pid = json_of(lab)["guest_pid"]
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.6)  # how long the guest stands still
    os.kill(pid, signal.SIGCONT)
    awaited("the standstill is recorded", lambda: any(stall.gap > 0.4 for stall in guest.stalls(since)))
    assert guest.stalls(guest.clock().monotonic) == ()


def json_of(lab: Lab) -> dict[str, int]:
    ready: dict[str, int] = json.loads((lab.state_dir / "ready.json").read_text())
    return ready


def test_the_guest_tells_its_memory(lab: Lab) -> None:
    status = wiring.status(lab.state_dir)
    assert status.running
    assert 0 < status.memory_used_mib < status.memory_total_mib < 1024


def test_a_second_up_is_refused(lab: Lab, parts: tuple[Path, Path]) -> None:
    with pytest.raises(LabError, match="is up already; use it, or run `heiiki lab down` first"):
        start(lab.state_dir, parts)
    assert pings(lab)


def test_everything_of_the_guest_cannot_be_killed_by_mistake(lab: Lab) -> None:
    with pytest.raises(LabError, match="is no node of its own"):
        lab.guest().kill_all()


def test_closed_connections_are_closed_in_the_guest_too(lab: Lab) -> None:
    for _ in range(20):
        lab.node("h1").ping()
    node = lab.node("h1")
    awaited("connections are closed", lambda: open_connections(lab) <= 2)
    data = os.urandom(5 << 20)
    node.put("/tmp/large", data)
    assert node.get("/tmp/large") == data


def open_connections(lab: Lab) -> int:
    """Of the agents; seen from the guest's own network namespace."""
    with lab.guest() as guest:
        return len(guest.run(["ss", "-Htn", "state", "established", "( sport >= :7001 )"]).splitlines())


# Nothing left


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "lab"
    wiring.down(tmp_path / "lab")


def traces(folder: Path) -> dict[str, set[str]]:
    """What a lab might leave on this machine: its processes, namespaces, mounts, links, files."""
    processes = {
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(folder).encode() in read(path) or b"uml-userspace" in read(path)
    }
    return {
        "processes": processes,
        "mounts": {line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line},
        "links": {path.name for path in Path("/sys/class/net").iterdir()},
        "files": {path.name for path in folder.glob("*")} if folder.exists() else set(),
        "memory": {path.name for path in Path("/dev/shm").iterdir() if path.name.startswith("vm_file")},
    }


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def descendants(folder: Path) -> set[str]:
    """Processes that belong to the lab in `folder`, found by their network namespace."""
    pid = state.launcher_pid(folder)
    wanted = Path(f"/proc/{pid}/ns/net").readlink()
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "ns/net").readlink() == wanted:
                found.add(path.name)
        except OSError:
            continue
    return found


def wait_for_end(processes: set[str]) -> None:
    awaited("every process has ended", lambda: not any(Path("/proc", pid).exists() for pid in processes))


def test_down_leaves_nothing(parts: tuple[Path, Path], folder: Path) -> None:
    before = traces(folder)
    lab = start(folder, parts)
    processes = descendants(lab.state_dir)
    assert len(processes) > 2
    with lab.node("h1").stream(["sleep", "1000"]):
        assert wiring.down(lab.state_dir) is True
    wait_for_end(processes)
    assert traces(folder) == before
    assert not folder.exists()


def test_a_killed_launcher_takes_everything_with_it(parts: tuple[Path, Path], folder: Path) -> None:
    before = traces(folder)
    lab = start(folder, parts)
    processes = descendants(folder)
    pid = state.launcher_pid(folder)
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_for_end(processes)
    with pytest.raises(LabError, match="is not up"):
        lab.node("h1").ping()
    again = start(folder, parts)
    assert again.node("h1").ping() > 0
    wiring.down(folder)
    assert traces(folder) == before


def test_a_guest_that_dies_is_reported(parts: tuple[Path, Path], folder: Path) -> None:
    lab = start(folder, parts)
    processes = descendants(folder)
    os.kill(json_of(lab)["guest_pid"], signal.SIGKILL)
    wait_for_end(processes)
    with pytest.raises(
        LabError, match=r"its guest ended unexpectedly: see .*console\.log.*run `heiiki lab up`"
    ):
        wiring.connect(folder)
    assert "the guest ended by itself" in (folder / "launcher.log").read_text()
    assert wiring.down(folder) is False
    assert not folder.exists()


def test_a_kernel_that_does_not_start_is_reported(parts: tuple[Path, Path], folder: Path) -> None:
    with pytest.raises(
        LabError, match=r"did not start; .*launcher\.log says:(.|\n)*the guest ended while starting"
    ):
        wiring.up(SPEC, folder, Path("/bin/false"), parts[1], print)
    assert not state.is_running(folder)
    with pytest.raises(LabError, match="cannot take a path with"):
        wiring.up(SPEC, folder, folder.with_name("a kernel"), parts[1], print)
