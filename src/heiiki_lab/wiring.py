"""A lab from its description: start it, look at it, end it."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from heiiki.errors import LabError
from heiiki_agent.ready import readable
from heiiki_lab import state
from heiiki_lab.client import NodeClient
from heiiki_lab.faults import (
    Injector,
    faults_of_link,
    faults_of_node,
    load_faults,
    look_of,
    steps_between,
)
from heiiki_lab.guest_client import GuestClient
from heiiki_lab.spec import BRIDGE, Endpoint, LabSpec, LinkSpec, NodeKind

_LOG = logging.getLogger(__name__)
_MEMORY = re.compile(r"[1-9]\d*[MG]")
_START_TIMEOUT = 90.0
_STOP_TIMEOUT = 12.0
_FIRST_INDEX = 1000  # of interfaces; roles' own devices get the next free number from 2 on
_SOURCE = Path(__file__).resolve().parents[1]

Report = Callable[[str], None]
Step = tuple[str, Literal["ip", "tc"], Sequence[str]]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node and the faults that it suffers now."""

    name: str
    kind: NodeKind
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A link and the faults that it suffers now."""

    name: str
    a: Endpoint
    b: Endpoint
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabStatus:
    """A lab as it is now.

    Attributes:
        name: of the lab; empty if none was found.
        running: whether it is up; if not, all that follows is empty.
        uptime: seconds.
        memory_used_mib: inside the guest.
        memory_total_mib: of the guest.
        nodes: in the order of the spec.
        links: in the order of the spec.
    """

    name: str = ""
    running: bool = False
    uptime: float = 0.0
    memory_used_mib: int = 0
    memory_total_mib: int = 0
    nodes: tuple[NodeStatus, ...] = ()
    links: tuple[LinkStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is up."""

    spec: LabSpec
    state_dir: Path

    def node(self, name: str) -> NodeClient:
        """A new client of one node.

        Raises:
            LabError: there is no such node.
        """
        return NodeClient(state.socket_path(self.state_dir, self.spec.node(name).name))

    def guest(self) -> GuestClient:
        """A new client of the guest as a whole."""
        return GuestClient(state.socket_path(self.state_dir, state.GUEST))

    def injector(self, restart: Callable[[str], None] | None = None) -> Injector:
        """What fails links and nodes; `restart` brings a healed node's services back."""
        return Injector(self.spec, self.state_dir, restart)


def up(
    spec: LabSpec,
    state_dir: Path,
    kernel: Path,
    root: Path,
    report: Report = _LOG.info,
    *,
    memory: str = "3G",
    cpus: int | None = None,
) -> Lab:
    """Start the guest, make the nodes, wire them.

    Args:
        spec: what the lab consists of.
        state_dir: folder for the running lab's files.
        kernel: the guest's kernel.
        root: folder of the guest's root.
        report: gets a line for each step.
        memory: upper bound of the guest's memory.
        cpus: virtual processors; None is as many as this machine has.

    Raises:
        LabError: a lab runs in `state_dir` already, or a step failed (then nothing is left running).
    """
    if state.is_running(state_dir):
        raise LabError(state.already_running(state_dir))
    if not _MEMORY.fullmatch(memory):
        raise LabError(f"memory {memory!r}: write a number and M or G, such as 3G")
    state_dir = state_dir.resolve()
    state.clean(state_dir)
    for node in spec.nodes:
        state.socket_path(state_dir, node.name)  # too long a path shows here, before anything is started
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    (state_dir / "lab.json").write_text(spec.to_json())
    lab = Lab(spec, state_dir)
    try:
        report("starting the guest")
        _start_launcher(
            state_dir, kernel.resolve(), root.resolve(), memory, cpus or len(os.sched_getaffinity(0))
        )
        _build(lab, report)
    except BaseException:
        _stop_launcher(state_dir)
        raise
    return lab


def connect(state_dir: Path) -> Lab:
    """The lab that is up.

    Raises:
        LabError: none is.
    """
    if not state.is_running(state_dir) or not (state_dir / "ready.json").exists():
        raise LabError(state.not_up(state_dir))
    return Lab(LabSpec.from_json((state_dir / "lab.json").read_text()), state_dir.resolve())


def down(state_dir: Path, report: Report = _LOG.info) -> bool:
    """End the lab and remove every file of it.

    Returns:
        False if none was running; stale files are removed all the same.
    """
    running = state.is_running(state_dir)
    if running:
        report("switching the guest off")
        _stop_launcher(state_dir)
    state.clean(state_dir)
    return running


def status(state_dir: Path) -> LabStatus:
    """What is up, and which faults are in force."""
    try:
        lab = connect(state_dir)
    except LabError:
        return LabStatus()
    faults = load_faults(state_dir)
    with lab.guest() as guest:
        memory = guest.memory()
    started = json.loads((state_dir / "ready.json").read_text())["started"]
    return LabStatus(
        name=lab.spec.name,
        running=True,
        uptime=time.time() - float(started),
        memory_used_mib=memory.used_mib,
        memory_total_mib=memory.total_mib,
        nodes=tuple(NodeStatus(n.name, n.kind, faults_of_node(faults, n.name)) for n in lab.spec.nodes),
        links=tuple(LinkStatus(x.name, x.a, x.b, faults_of_link(faults, x.name)) for x in lab.spec.links),
    )


def _build(lab: Lab, report: Report) -> None:
    nodes = {node.name: node.processor for node in lab.spec.nodes}
    with lab.guest() as guest:
        report(f"making {len(nodes)} nodes")
        pids = guest.make_nodes(nodes)
        report(f"wiring {len(lab.spec.links)} links")
        guest.batch(creation_steps(lab.spec, pids))
        guest.give_radios(lab.spec.radios)
        guest.batch(tuple(setup_steps(lab.spec)))
        guest.batch(steps_between({}, look_of(lab.spec, ())))
    for node in lab.spec.nodes:
        if node.systemd:
            lab.node(node.name).boot()


def creation_steps(spec: LabSpec, pids: dict[str, int]) -> tuple[Step, ...]:
    """All cables, each created in its end a's node straight into both network namespaces.

    Every interface of the lab has a number of its own: the kernel tells a veth's owner of a lost carrier at
    once only if the two ends' numbers differ, else up to a second later (`linkwatch_urgent_event` in
    net/core/link_watch.c).
    """
    by_node: dict[str, list[str]] = defaultdict(list)
    for number, link in enumerate(spec.links):
        if not link.wireless:
            by_node[link.a.node].append(_link_line(link, pids[link.b.node], _FIRST_INDEX + 2 * number))
    return tuple((node, "ip", lines) for node, lines in by_node.items())


def _link_line(link: LinkSpec, peer_pid: int, index: int) -> str:
    mtu = f" mtu {link.mtu}" if link.mtu else ""
    return (
        f"link add name {link.a.interface} index {index} address {link.mac_a}{mtu} type veth "
        f"peer name {link.b.interface} index {index + 1} address {link.mac_b}{mtu} netns {peer_pid}"
    )


def setup_steps(spec: LabSpec) -> Iterator[Step]:
    """Loopbacks and links up, switches bridged: no spanning tree, no delay, no multicast snooping.

    A switch only forwards: with an IPv6 address of its own it would ask for routers on every LAN.
    A radio stays down: the address of one that is up cannot be changed, and its role has one for it.
    """
    ends: dict[str, list[str]] = defaultdict(list)
    for link in spec.links:
        for end in () if link.wireless else link.ends:
            ends[end.node].append(end.interface)
    for node in spec.nodes:
        lines = ["link set dev lo up"]
        if node.kind == "switch":
            options = "stp_state 0 forward_delay 0 mcast_snooping 0"
            lines.append(f"link add name {BRIDGE} type bridge {options}")
            lines += [f"link set dev {name} addrgenmode none" for name in (BRIDGE, *ends[node.name])]
            lines.append(f"link set dev {BRIDGE} up")
            lines += [f"link set dev {name} master {BRIDGE}" for name in ends[node.name]]
        lines += [f"link set dev {name} up" for name in ends[node.name]]
        yield node.name, "ip", lines


def _start_launcher(state_dir: Path, kernel: Path, root: Path, memory: str, cpus: int) -> None:
    """Returns when the guest's agent answers.

    The launcher says so through a pipe; if it dies first, the pipe ends.

    Raises:
        LabError: it does not answer; with what the launcher and the guest said.
    """
    read, write = os.pipe()
    what = [str(state_dir), str(kernel), str(root), memory, str(cpus), str(write)]
    with os.fdopen(read, "rb") as said, (state_dir / "launcher.log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-m", "heiiki_lab.launcher", *what],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": str(_SOURCE)},
            pass_fds=(write,),
            check=True,
        )
        os.close(write)
        if readable([said], _START_TIMEOUT) and said.read():
            return
    log_text = (state_dir / "launcher.log").read_text(errors="replace").strip()
    raise LabError(f"the lab's guest did not start; {state_dir / 'launcher.log'} says:\n{log_text}")


def _stop_launcher(state_dir: Path) -> None:
    """SIGTERM and wait; if that does not help, SIGKILL, which takes the guest with it."""
    while (pid := state.launcher_pid(state_dir)) == 0:
        time.sleep(0.02)  # it has just taken the lock and not yet said who it is
    if pid is None:
        return
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            for number in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(descriptor, number)
                if readable([descriptor], _STOP_TIMEOUT):
                    return
        finally:
            os.close(descriptor)
