"""Everything in Heiiki that needs root on the user's machine: three commands, all about the build folders.

1. `bootstrap`: mmdebstrap makes a Debian tree (it must create device nodes and files of many owners);
2. `inside`: a program is run with such a tree as its root (the kernel is compiled so);
3. `remove`: such a tree is deleted again.

When the caller is not root, each is run by sudo, and nothing else is. Mount and process namespaces of their
own make every mount and process of a command vanish with it, even when it is killed.
"""

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from heiiki.errors import LabError

_PROXIES = "http_proxy,https_proxy,no_proxy"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAMESPACES = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *(
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--propagation",
        "private",
        "--",
    ),
)


@dataclass(frozen=True, slots=True)
class Tools:
    """mmdebstrap, unpacked, and the keys that Debian signs its archive with.

    Attributes:
        programs: folder that holds mmdebstrap and its helper; it must stand on PATH.
        keyring: file of Debian's archive keys.
    """

    programs: Path
    keyring: Path


@dataclass(frozen=True, slots=True)
class Tree:
    """A Debian tree to make.

    Attributes:
        suite: Debian release, such as `trixie`.
        packages: packages beyond the minimal system.
        target: folder to make; must not exist.
        mirror: address of the Debian archive; None for mmdebstrap's own.
        hooks: commands run when the packages are installed, as mmdebstrap's --customize-hook takes them.
        excluded: path patterns that are not unpacked.
    """

    suite: str
    packages: Sequence[str]
    target: Path
    mirror: str | None
    hooks: Sequence[str] = ()
    excluded: Sequence[str] = ()


def bootstrap(tools: Tools, tree: Tree) -> tuple[str, ...]:
    """The command that makes a Debian tree."""
    command = [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--keyring={tools.keyring}",
        f"--include={','.join(tree.packages)}",
        '--aptopt=Acquire::Languages "none"',
        # A build that loses power is built again: waiting for the disk after every file buys nothing.
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in tree.excluded),
        *(f"--customize-hook={hook}" for hook in tree.hooks),
        tree.suite,
        str(tree.target),
        *([tree.mirror] if tree.mirror else []),
    ]
    return _as_root("env", f"PATH={tools.programs}:{_PATH}", "LC_ALL=C", *command)


def inside(root: Path, *command: str, online: bool = False) -> tuple[str, ...]:
    """The command that runs `command` with `root` as its root folder.

    The environment is empty but for the basics, so that MAKEFLAGS and the like do not get in; with `online`
    it is the caller's, for a proxy may be named there (on the command line its password would show).
    """
    clean = () if online else ("-i",)
    environment = (*clean, "LC_ALL=C", f"PATH={_PATH}", "HOME=/root", "TMPDIR=/tmp")
    return _as_root("chroot", str(root), "env", *environment, *command)


def remove(tree: Path) -> tuple[str, ...]:
    """The command that deletes a tree made by `bootstrap`; it never crosses into another file system."""
    return _as_root("rm", "--recursive", "--force", "--one-file-system", "--", str(tree))


def hook(*words: str) -> str:
    """A customize hook that runs `words` with the new tree's path added at the end."""
    return f'{shlex.join(words)} "$1"'


def _as_root(*command: str) -> tuple[str, ...]:
    wrapped = (*_NAMESPACES, *command)
    if os.geteuid() == 0:
        return wrapped
    if shutil.which("sudo") is None:
        raise LabError(
            f"root rights are needed to run {command[0]}, and there is no sudo; "
            "run `heiiki lab up` once as root, or install sudo"
        )
    return ("sudo", f"--preserve-env={_PROXIES}", "--", *wrapped)
