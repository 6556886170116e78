"""What the guest's kernel sees of the machine: the folders that it is made of, read-only, and nothing else.

A process in the guest that is root may mount hostfs, and hostfs gives what the kernel's process can open. So
that process gets a root folder of its own, and of root's capabilities only the one that its link needs.

`python -I -m heiiki_lab.jail MEMORY READABLE... -- PROGRAM ARGUMENT...` enters the jail and becomes PROGRAM.
Paths in it are those outside; nothing but the memory can be written.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from heiiki_lab.agent import linux

_PLACE = Path("/sys")
"""Where the new root is mounted before it takes the place of the old one: no files are kept there."""

MEMORY_FOLDER = "/.memory"
"""A name that nothing bound into the jail has, for it would be hidden: a checkout may stand in /tmp."""

_DEVICES = ("/dev/null", "/dev/random")
_LIBRARIES = ("lib", "lib64")
_FLAGS = linux.MS_NOSUID | linux.MS_NODEV


def main(arguments: list[str]) -> None:
    """Enter the jail and become the program."""
    cut = arguments.index("--")
    memory, *readable = arguments[:cut]
    command = arguments[cut + 1 :]
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWIPC)
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    _make([Path(path) for path in readable], memory)
    linux.keep_capabilities(linux.CAP_NET_RAW)
    linux.pivot_root(str(_PLACE))
    # The kernel would turn it off by itself, and start again by /proc/self/exe, which is not there.
    linux.turn_address_randomization_off()
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/", "TMPDIR": MEMORY_FOLDER}
    os.execve(command[0], command, environment)  # noqa: S606 - no shell is wanted


def _make(readable: Sequence[Path], memory: str) -> None:
    """Make the new root: `readable`, of which the first is the guest's root, and a folder for its memory."""
    # Of its few files the text on the processors is the large one: 1 MB where there are some 600.
    linux.mount("jail", str(_PLACE), "tmpfs", _FLAGS, "mode=755,size=16M")
    for path in (*readable, *map(Path, _DEVICES)):
        _bind(path)
    # The C library is that of the guest's root: the machine's own folders are not let in.
    for name in _LIBRARIES:
        _PLACE.joinpath(name).symlink_to(readable[0] / "usr" / name)
    _PLACE.joinpath("proc").mkdir()
    _PLACE.joinpath("proc/cpuinfo").write_bytes(Path("/proc/cpuinfo").read_bytes())
    memory_folder = _PLACE / MEMORY_FOLDER[1:]
    memory_folder.mkdir()
    linux.make_readonly(str(_PLACE))
    linux.mount("memory", str(memory_folder), "tmpfs", _FLAGS, f"mode=700,size={memory}")


def _bind(path: Path) -> None:
    place = _PLACE / path.relative_to("/")
    if path.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    linux.mount(str(path), str(place), flags=linux.MS_BIND | linux.MS_REC)


if __name__ == "__main__":
    main(sys.argv[1:])
