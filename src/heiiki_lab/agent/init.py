"""PID 1 of the guest: its writable root over the read-only one, network, stall detectors, agent."""

import os
import resource
import socket
import subprocess
from functools import partial
from pathlib import Path

from heiiki_lab.agent import linux, node
from heiiki_lab.agent.fork_server import BASE_ENVIRONMENT, ForkServer, Request, become, open_standard_streams
from heiiki_lab.agent.guest import FIRST_PORT, GuestAgent
from heiiki_lab.agent.preload import CODE_CACHE, preload
from heiiki_lab.agent.stall_detector import Stalls, detect_stalls

STAGE = Path("/mnt")
_OPEN_FILES = 65536
_STREAMS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
"""What udev or systemd adds to devtmpfs elsewhere."""

_SYSCTLS = {
    # No tunl0, gre0 and so on in every new node: only those that are asked for.
    "net/core/fb_tunnels_only_for_init_net": "2",
    "fs/inotify/max_user_instances": "4096",
    "kernel/printk": "4 4 1 7",
    # One for all nodes, and theirs only to read: what the devices' settings ask for.
    "net/netfilter/nf_conntrack_max": "65536",
}


def main(interface_address: str, ansible_release: str) -> None:
    """Never returns while the guest lives: when PID 1 ends the kernel panics, which the launcher sees.

    Args:
        interface_address: the guest's own address and prefix length on vec0.
        ansible_release: of the Ansible whose module_utils stand under STAGE; empty if there is none.
    """
    preload(STAGE / "library" if ansible_release else None, ansible_release)
    _build_root()
    _open_console()
    os.environ.clear()
    os.environ.update(BASE_ENVIRONMENT)
    for path, value in _SYSCTLS.items():
        Path("/proc/sys", path).write_text(value)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, _OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    socket.sethostname("guest")
    _bring_up_network(interface_address)
    _serve(interface_address.partition("/")[0])


def _build_root() -> None:
    """Over the root that the kernel has mounted read-only; the first shell put a tmpfs on STAGE."""
    root = STAGE / "root"
    for name in ("upper", "work", "root"):
        (STAGE / name).mkdir()
    options = f"lowerdir=/,upperdir={STAGE}/upper,workdir={STAGE}/work"
    linux.mount("guest", str(root), "overlay", options=options)
    node.mount_system(root)
    heiiki = root / node.HEIIKI.relative_to("/")
    heiiki.mkdir()
    linux.mount("nodes", str(heiiki), "tmpfs", linux.MS_NOSUID, "mode=755,size=90%")
    for name in ("base", "nodes"):
        (heiiki / name).mkdir()
    (root / CODE_CACHE.relative_to("/")).mkdir(parents=True, exist_ok=True)
    source = root / node.SOURCE.relative_to("/")
    source.mkdir(parents=True, exist_ok=True)
    linux.mount("/", str(heiiki / "base"), flags=linux.MS_BIND)
    linux.mount(str(STAGE / "source"), str(source), flags=linux.MS_BIND)
    linux.mount("dev", str(root / "dev"), "devtmpfs")
    for name, target in _STREAMS.items():
        (root / "dev" / name).symlink_to(target)
    node.mount_devices(root)
    linux.pivot_root(str(root))
    node.write_identity("guest")
    node.make_runtime_folders()


def _open_console() -> None:
    """Nothing to read; what we and the kernel say goes to the console, which is the launcher's log."""
    null, console = os.open("/dev/null", os.O_RDONLY), os.open("/dev/console", os.O_WRONLY)
    for number, descriptor in enumerate((null, console, console)):
        os.dup2(descriptor, number)
    open_standard_streams()


def _bring_up_network(interface_address: str) -> None:
    lines = f"link set lo up\naddress add {interface_address} dev vec0\nlink set vec0 up\n"
    subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)


def _serve(address: str) -> None:
    stalls = Stalls(os.sched_getaffinity(0))
    for processor, ring in stalls.rings.items():
        # Before the fork: what runs a process on the machine outside stays where the process was forked.
        os.sched_setaffinity(0, {processor})
        if os.fork() == 0:
            become(partial(detect_stalls, ring))
    os.sched_setaffinity(0, stalls.rings)
    listener = socket.create_server((address, FIRST_PORT), backlog=256)
    agent = node.fork_agent(lambda control: GuestAgent("_guest", listener, control, address, stalls))
    listener.close()
    ForkServer(*agent, {"node": _start_node}).run()


def _start_node(_fork_server: ForkServer, request: Request, descriptors: list[int]) -> None:
    reply, listener = (socket.socket(fileno=os.dup(descriptor)) for descriptor in descriptors)
    with reply, listener:
        node.start_node(request["name"], request["processor"], listener, reply)
