"""Making a node: its own namespaces, its own root in RAM over the guest's read-only one, two processes."""

import grp
import os
import pwd
import socket
import uuid
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from heiiki_lab.agent import linux
from heiiki_lab.agent.fork_server import ForkServer, become
from heiiki_lab.agent.preload import CODE_CACHE
from heiiki_lab.agent.server import Agent
from heiiki_lab.agent.systemd import Init

# Places in the guest's own root.
HEIIKI = Path("/run/heiiki")
BASE = HEIIKI / "base"
NODES = HEIIKI / "nodes"
CGROUPS = Path("/sys/fs/cgroup")
SOURCE = Path("/opt/heiiki/src")

_NAMESPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWCGROUP
)
_NO_FIELDS = "-" * 5  # what tmpfiles.d(5) means by a field left out
_SAFE = linux.MS_NOSUID | linux.MS_NODEV
_SYSCTLS = {
    # An interface set down by a fault keeps its global IPv6 addresses, as it does its IPv4 ones.
    "net/ipv6/conf/all/keep_addr_on_down": "1",
    "net/ipv6/conf/default/keep_addr_on_down": "1",
}


def start_node(name: str, processor: int, listener: socket.socket, reply: socket.socket) -> None:
    """Fork a node; `reply` gets its pid, then "ready".

    A process can have only one PID namespace for its children, so a short-lived one stands between for each
    node.
    """
    if os.fork() == 0:
        become(lambda: _between(name, processor, listener, reply))


def _between(name: str, processor: int, listener: socket.socket, reply: socket.socket) -> int:
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[processor % len(processors)]})
    close_all_but(0, 1, 2, listener.fileno(), reply.fileno())
    join_cgroup(name)
    linux.unshare(_NAMESPACES)
    pid = os.fork()
    if pid:
        reply.send(b'{"pid": %d}' % pid)
        return 0
    _become_node(name, listener, reply)
    return 1


def _become_node(name: str, listener: socket.socket, reply: socket.socket) -> None:
    """PID 1 of the node: build its world, start its agent, then watch over it until it ends."""
    os.setsid()
    build_root(name)
    socket.sethostname(name)
    for path, value in _SYSCTLS.items():
        Path("/proc/sys", path).write_text(value)
    reply.send(b'{"ready": true}')
    reply.close()
    agent = fork_agent(lambda control: Agent(name, listener, control, alone=True))
    listener.close()
    ForkServer(*agent, Init(fresh_run).handlers()).run()


def join_cgroup(name: str) -> None:
    """A control group of the node's own: it becomes the root of what the node's systemd sees of them."""
    group = CGROUPS / name
    group.mkdir(exist_ok=True)
    (group / "cgroup.procs").write_text("0")  # this process


def fork_agent(make: Callable[[socket.socket], Agent]) -> tuple[socket.socket, int]:
    """Fork an agent.

    Returns:
        The fork server's end of the socket pair between them, and the agent's pid.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        become(lambda: make(theirs).serve())
    theirs.close()
    return ours, pid


def close_all_but(*kept: int) -> None:
    """A node must not hold the guest's own sockets open."""
    edges = sorted(kept)
    for low, high in pairwise((*edges, 1024)):
        os.closerange(low + 1, high)


def build_root(name: str) -> None:
    """A root of one's own: the guest's read-only one, a layer in RAM above it, fresh /run and /tmp."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    folder = NODES / name
    upper, work, root = folder / "upper", folder / "work", folder / "root"
    for path in (upper, work, root):
        path.mkdir(parents=True)
    linux.mount("node", str(root), "overlay", options=f"lowerdir={BASE},upperdir={upper},workdir={work}")
    (root / "opt/heiiki/src").mkdir(parents=True, exist_ok=True)
    linux.mount(str(SOURCE), str(root / "opt/heiiki/src"), flags=linux.MS_BIND)
    mount_system(root)
    cache = root / CODE_CACHE.relative_to("/")
    cache.mkdir(exist_ok=True)
    linux.mount(str(CODE_CACHE), str(cache), flags=linux.MS_BIND)
    linux.mount("/dev", str(root / "dev"), flags=linux.MS_BIND)
    mount_devices(root)
    linux.pivot_root(str(root))
    write_identity(name)
    make_runtime_folders()


def mount_system(root: Path) -> None:
    """/proc, /sys with its control groups, /run, /tmp of the calling process's namespaces under `root`."""
    linux.mount("proc", str(root / "proc"), "proc", _SAFE)
    linux.mount("sysfs", str(root / "sys"), "sysfs", _SAFE)
    linux.mount("cgroup", str(root / CGROUPS.relative_to("/")), "cgroup2", _SAFE)
    linux.mount("run", str(root / "run"), "tmpfs", _SAFE, "mode=755")
    linux.mount("tmp", str(root / "tmp"), "tmpfs", _SAFE, "mode=1777")


def fresh_run() -> None:
    """Empty /run, as a machine finds it when it boots."""
    linux.detach("/run")
    linux.mount("run", "/run", "tmpfs", _SAFE, "mode=755")
    make_runtime_folders()


def mount_devices(root: Path) -> None:
    """Pseudo-terminals and shared memory of one's own; /dev itself is there."""
    for name in ("pts", "shm"):
        (root / "dev" / name).mkdir(exist_ok=True)
    linux.mount("devpts", str(root / "dev/pts"), "devpts", options="newinstance,ptmxmode=0666,mode=620,gid=5")
    linux.mount("shm", str(root / "dev/shm"), "tmpfs", _SAFE, "mode=1777")


def write_identity(name: str) -> None:
    """Names of the node in /etc; no resolver, for nothing in a closed network asks the world for names.

    Without a machine ID systemd takes this for its first boot and enables every service that is installed.
    """
    Path("/etc/machine-id").write_text(f"{uuid.uuid5(uuid.NAMESPACE_DNS, name).hex}\n")
    Path("/etc/hostname").write_text(f"{name}\n")
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 {name}\n")
    Path("/etc/resolv.conf").unlink(missing_ok=True)
    Path("/etc/resolv.conf").write_text("")


def make_runtime_folders() -> None:
    """The folders under /run that packages expect (systemd-tmpfiles makes them elsewhere)."""
    Path("/run/lock").mkdir(mode=0o1777, exist_ok=True)
    _make_folder("/run/sshd", 0o755, "root", "root")
    _make_folder("/run/frr", 0o755, "frr", "frr")
    for file in sorted(Path("/usr/lib/tmpfiles.d").glob("*.conf")):
        for line in file.read_text().splitlines():
            kind, path, mode, owner, group, *_ = [*line.split(), *_NO_FIELDS]
            if kind in {"d", "D"} and path.startswith(("/run/", "/var/run/")):
                _make_folder(path, 0o755 if mode == "-" else int(mode.lstrip("~:"), 8), owner, group)


def _make_folder(path: str, mode: int, owner: str, group: str) -> None:
    """Only if the account is there: it came with the package that wants the folder."""
    with suppress(KeyError):
        uid = pwd.getpwnam("root" if owner == "-" else owner).pw_uid
        gid = grp.getgrnam("root" if group == "-" else group).gr_gid
        Path(path).mkdir(parents=True, exist_ok=True)
        Path(path).chmod(mode)
        os.chown(path, uid, gid)
