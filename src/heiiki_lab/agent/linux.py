"""System calls that Python 3.11 does not offer, by ctypes. Each raises OSError as the os module would."""

import ctypes
import os
import struct
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 2
MS_NODEV = 4
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

CAP_NET_RAW = 13

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38

_ADDR_NO_RANDOMIZE = 0x0040000

# x86-64, the one architecture that user-mode Linux runs on
_SYS_PIVOT_ROOT = 155
_SYS_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1
_RB_POWER_OFF = 0x4321FEDC

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones of one's own."""
    _check(_libc.unshare(flags), f"unshare {flags:#x}")


def setns(descriptor: int, kind: int) -> None:
    """Move the calling thread into the namespace behind `descriptor`."""
    _check(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Attach a file system to the tree."""
    arguments = (source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags))
    _check(_libc.mount(*arguments, options.encode() or None), f"mount {kind} {target}")


def make_readonly(target: str) -> None:
    """Let nothing be written below `target`, a mount point, and the mounts in it."""
    wanted = struct.pack("=4Q", _MOUNT_ATTR_RDONLY, 0, 0, 0)  # struct mount_attr
    arguments = (_AT_FDCWD, target.encode(), _AT_RECURSIVE, wanted, ctypes.c_size_t(len(wanted)))
    _check(_libc.syscall(ctypes.c_long(_SYS_MOUNT_SETATTR), *arguments), f"mount_setattr {target}")


def detach(target: str) -> None:
    """Take a mount out of the tree at once; it ends when its last user does."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new_root: str) -> None:
    """Make `new_root`, a mount point, the root and drop the old one."""
    os.chdir(new_root)
    _check(_libc.syscall(ctypes.c_long(_SYS_PIVOT_ROOT), b".", b"."), f"pivot_root {new_root}")
    detach(".")
    os.chdir("/")


def prctl(option: int, value: int) -> None:
    """Change one property of this process."""
    arguments = (option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    _check(_libc.prctl(*arguments), f"prctl {option}")


def keep_capabilities(*kept: int) -> None:
    """Leave the program that this process becomes no other capabilities than those `kept`, even as root."""
    for capability in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii")) + 1):
        if capability not in kept:
            prctl(_PR_CAPBSET_DROP, capability)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def turn_address_randomization_off() -> None:
    """Let the program that this process becomes stand at the same addresses in every run."""
    _check(_libc.personality(ctypes.c_ulong(_ADDR_NO_RANDOMIZE)), "personality")


def power_off() -> None:
    """Switch the (virtual) machine off. Does not return."""
    _check(_libc.reboot(ctypes.c_int(_RB_POWER_OFF)), "reboot")
