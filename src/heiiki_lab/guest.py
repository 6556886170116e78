"""The guest machine as a process of this one: a private network to reach it, its start, its end.

Everything here runs in the launcher, inside a network namespace of its own, so that no interface, address or
route of the user's machine is touched. Without root a user namespace goes with it.
"""

import ctypes
import fcntl
import importlib.util
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heiiki.errors import LabError
from heiiki_lab import jail
from heiiki_lab.agent import linux
from heiiki_lab.agent.frames import FrameError, receive, send

# In the launcher's own namespace, where nothing else is: RFC 2544 addresses.
HOST_ADDRESS = "198.18.0.1"
GUEST_ADDRESS = "198.18.0.2"
PREFIX = 30
_MTU = 9000
FIRST_PORT = 7000  # the guest's agent; the nodes' follow in the order of the spec

_ANSIBLE_PLACE = "/mnt/library/ansible/module_utils"
_HOST_END = "toguest"
_GUEST_END = "guest0"
_BOOT_TIMEOUT = 60.0
_POWER_OFF_TIMEOUT = 3.0
_CONSOLE_TAIL = 2000

_SIOCSIFMTU = 0x8922
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_SIOCETHTOOL = 0x8946
_IFF_UP = 1
_ETHTOOL_OFF = {
    "checksum": 0x17,
    "scatter-gather": 0x19,
    "tso": 0x1F,
    "gso": 0x24,
}  # ETHTOOL_S… of linux/ethtool.h

_RELEASE = re.compile(r"^__version__ = ['\"]([\w.]+)['\"]", re.MULTILINE)
_RTM_NEWLINK = 16
_NLM_CREATE = 0x1 | 0x4 | 0x200 | 0x400  # REQUEST, ACK, EXCL, CREATE
_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 3, 18, 1, 2, 1


@dataclass(frozen=True, slots=True)
class Ansible:
    """The Ansible beside this package: its module_utils are loaded in the guest ahead of need.

    Attributes:
        release: its version.
        module_utils: the folder of that name, mounted read-only.
    """

    release: str
    module_utils: Path


def find_ansible() -> Ansible | None:
    """Found by its files alone, for this package never imports it."""
    found = importlib.util.find_spec("ansible")
    for folder in (found.submodule_search_locations or ()) if found else ():
        release = Path(folder, "release.py")
        if release.is_file() and (match := _RELEASE.search(release.read_text(encoding="utf-8"))):
            return Ansible(match[1], Path(folder, "module_utils").resolve())
    return None


@dataclass(frozen=True, slots=True)
class Machine:
    """What the guest is made of.

    Attributes:
        kernel: the user-mode Linux program.
        root: folder of the Debian root, mounted read-only.
        source: folder that holds the package `heiiki`, mounted read-only.
        ansible: the Ansible whose modules are sent to the nodes.
        memory: such as 3G or 800M; only what is touched is taken from the machine.
        cpus: virtual processors.
        console: file that gets what the guest's console says.
        radios: how many radios (IEEE 802.11) it has.
    """

    kernel: Path
    root: Path
    source: Path
    ansible: Ansible | None
    memory: str
    cpus: int
    console: Path
    radios: int = 0


def enter_private_network() -> None:
    """Move this process into a network namespace of its own with one link, whose far end is for the guest.

    Raises:
        LabError: the machine's kernel refuses namespaces or has no veth.
    """
    try:
        _leave_namespaces()
        _make_veth(_HOST_END, _GUEST_END)
        for name in (_HOST_END, _GUEST_END):
            _turn_offloads_off(name)
            _interface_request(_SIOCSIFMTU, name, struct.pack("=i", _MTU))
            _set_up(name)
        _set_up("lo")
        _set_address(_HOST_END, HOST_ADDRESS, PREFIX)
    except OSError as error:
        raise LabError(
            f"no private network for the lab: {error}; the machine must allow network namespaces and veth "
            "links (without root also user namespaces: sysctl kernel.unprivileged_userns_clone)"
        ) from error


def _leave_namespaces() -> None:
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        linux.unshare(linux.CLONE_NEWNET)
        return
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")


def _attribute(kind: int, payload: bytes) -> bytes:
    """One rtnetlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def _make_veth(name: str, peer: str) -> None:
    """RTM_NEWLINK by hand: iproute2 is not asked of the user's machine."""
    link = bytes(16)  # struct ifinfomsg, all defaults
    peer_info = _attribute(_VETH_INFO_PEER, link + _attribute(_IFLA_IFNAME, peer.encode() + b"\0"))
    info = _attribute(_IFLA_INFO_KIND, b"veth\0") + _attribute(_IFLA_INFO_DATA, peer_info)
    body = link + _attribute(_IFLA_IFNAME, name.encode() + b"\0") + _attribute(_IFLA_LINKINFO, info)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(struct.pack("=IHHII", 16 + len(body), _RTM_NEWLINK, _NLM_CREATE, 1, 0) + body)
        (code,) = struct.unpack_from("=i", netlink.recv(4096), 16)
    if code:
        raise OSError(-code, os.strerror(-code), "veth")


def _interface_request(request: int, name: str, payload: bytes) -> bytes:
    """An ioctl on struct ifreq."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return fcntl.ioctl(sock, request, struct.pack("16s24s", name.encode(), payload))


def _set_up(name: str) -> None:
    (flags,) = struct.unpack_from("=H", _interface_request(_SIOCGIFFLAGS, name, b""), 16)
    _interface_request(_SIOCSIFFLAGS, name, struct.pack("=H", flags | _IFF_UP))


def _set_address(name: str, address: str, prefix: int) -> None:
    mask = struct.pack("!I", 0xFFFFFFFF << (32 - prefix) & 0xFFFFFFFF)
    for request, value in ((_SIOCSIFADDR, socket.inet_aton(address)), (_SIOCSIFNETMASK, mask)):
        _interface_request(request, name, struct.pack("=HH", socket.AF_INET, 0) + value)


def _turn_offloads_off(name: str) -> None:
    """A raw socket sees packets before the hardware that is not there would finish them."""
    for command in _ETHTOOL_OFF.values():
        value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
        with suppress(OSError):  # one that this kernel fixes off needs no turning off
            _interface_request(_SIOCETHTOOL, name, struct.pack("=Q", ctypes.addressof(value)))


def command_line(machine: Machine) -> list[str]:
    """The guest's kernel and its arguments, complete.

    The first shell mounts the package and hands over to its init; it stands in double quotes because the
    kernel joins its arguments and splits them again by itself.
    """
    shell = (
        f"mount -t tmpfs none /mnt && mkdir -p /mnt/source {_ANSIBLE_PLACE} && "
        f"mount -t hostfs -o ro,hostfs={machine.source} none /mnt/source && {_mount_ansible(machine)}"
        f"exec /usr/bin/python3 -I -S -B /mnt/source/heiiki_lab/agent/boot.py "
        f"{GUEST_ADDRESS}/{PREFIX} {machine.ansible.release if machine.ansible else ''}"
    )
    return [
        str(machine.kernel),
        f"mem={machine.memory}",
        f"ncpus={machine.cpus}",
        "seccomp=on",
        "root=/dev/root",
        "rootfstype=hostfs",
        f"rootflags={machine.root.resolve()}",
        "ro",
        "quiet",
        "con=null",
        "con0=null,fd:1",
        f"vec0:transport=raw,ifname={_GUEST_END},gro=1,depth=128,mtu={_MTU}",
        # Made together, in the first namespace: those of two others would not hear each other.
        f"mac80211_hwsim.radios={machine.radios}",
        f"uml_dir={jail.MEMORY_FOLDER}",
        "umid=guest",
        "init=/bin/sh",
        "--",
        "-c",
        f'"{shell}"',
    ]


def in_jail(machine: Machine) -> list[str]:
    """The words before a program that may see only what the guest is made of."""
    readable = [machine.root.resolve(), machine.kernel, machine.source]
    readable += [machine.ansible.module_utils] if machine.ansible else []
    return [sys.executable, "-I", "-m", jail.__name__, machine.memory, *map(str, readable), "--"]


def _mount_ansible(machine: Machine) -> str:
    if machine.ansible is None:
        return ""
    return f"mount -t hostfs -o ro,hostfs={machine.ansible.module_utils} none {_ANSIBLE_PLACE} && "


def refuse_odd_paths(machine: Machine) -> None:
    """The kernel's argument parser and hostfs know no escapes.

    Raises:
        LabError: a folder's name has a character that they would read as their own.
    """
    paths = [machine.kernel, machine.root.resolve(), machine.source]
    if machine.ansible is not None:
        paths.append(machine.ansible.module_utils)
    for path in paths:
        if odd := sorted(set(str(path)) & set(" \t\n\"',\\$`&;()<>|*?")):
            raise LabError(
                f"{path}: the guest's kernel cannot take a path with {' '.join(odd)!r}; move it elsewhere"
            )


def start(machine: Machine) -> subprocess.Popen[bytes]:
    """Start the guest in a session of its own; it dies with this process, which reaps its orphans.

    It begins on the first of this machine's processors: see `spread`.
    """
    refuse_odd_paths(machine)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    with machine.console.open("wb") as console:
        return subprocess.Popen(
            [*in_jail(machine), *command_line(machine)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            preexec_fn=_before_it_runs,  # noqa: PLW1509 - the launcher has no other thread yet
        )


def _before_it_runs() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def spread(process: subprocess.Popen[bytes], cpus: int) -> None:
    """Give each processor of the guest one of this machine's.

    A process of the guest is run by one of the machine's, which the thread of its processor wakes and awaits
    at every system call. It inherits the thread's place; were they on two processors, each call would cost
    two interrupts between these, which on a virtual machine takes more time than the call.
    """
    threads = sorted(int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir())
    places = sorted(os.sched_getaffinity(0))
    for number, thread in enumerate(threads[:cpus]):
        os.sched_setaffinity(thread, {places[number % len(places)]})


def wait_until_up(process: subprocess.Popen[bytes], console: Path) -> None:
    """Until the guest's agent answers.

    Raises:
        LabError: the guest ended, or did not answer in time; with the end of its console.
    """
    deadline = time.monotonic() + _BOOT_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LabError(
                f"the guest ended while starting (code {process.returncode}):\n{console_tail(console)}"
            )
        with suppress(OSError, FrameError):
            _ask({"op": "ping"}, timeout=1.0)
            return
        time.sleep(0.05)
    raise LabError(f"the guest did not answer within {_BOOT_TIMEOUT:g} s:\n{console_tail(console)}")


def console_tail(console: Path) -> str:
    """The end of what the guest said."""
    return console.read_bytes()[-_CONSOLE_TAIL:].decode(errors="replace").strip() or "(its console is empty)"


def _ask(request: dict[str, str], timeout: float) -> None:
    with socket.create_connection((GUEST_ADDRESS, FIRST_PORT), timeout=timeout) as connection:
        send(connection, request)
        if receive(connection) is None:
            raise FrameError("the guest's agent closed the connection")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the guest to switch itself off; if it does not, kill its process group. Reap every process of it.

    Never SIGTERM or SIGINT: a guest with several processors hangs on them.
    """
    with suppress(OSError, FrameError):
        if process.poll() is None:
            _ask({"op": "power_off"}, timeout=1.0)
            process.wait(_POWER_OFF_TIMEOUT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(0)
    kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the guest's process group, and reap it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    _reap(time.monotonic() + 2.0)


def _reap(deadline: float) -> None:
    """As their subreaper, collect the guest's helpers until none is left."""
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                time.sleep(0.01)


def ports(nodes: Sequence[str]) -> dict[str, int]:
    """The port of each node's agent on GUEST_ADDRESS."""
    return {name: FIRST_PORT + 1 + number for number, name in enumerate(nodes)}
