"""Probe: list what programs read besides what was compiled for them, and which of it Debian brought.

``programs`` has, for each unit, patterns of ``files`` and the roots of ``trees``: files that include others,
as strongSwan and keepalived have it. Systemd says what it reads for the unit itself. ``files`` are further
patterns, of the whole host. A file is ``packaged`` where its content is what Debian's package brought.
"""

import hashlib
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path
from typing import Any

_DPKG = Path("/var/lib/dpkg")
_UCF = Path("/var/lib/ucf/hashfile")
"""Configuration that packages install by ucf, which is in no list of theirs: digest and path, a line each."""
_PROPERTIES = "Id,MainPID,StateChangeTimestampMonotonic,FragmentPath,DropInPaths,Environment,EnvironmentFiles"
_INCLUDE = re.compile(r'(?:^|[\s{};])include[a-z]?\s+"?([^\s"{}]+)')
_COMMENT = re.compile(r"#.*|(?m:^\s*!.*)")
_WILD = re.compile(r"[*?\[]")


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what is there: of each program, and of the host."""
    programs = parameters.get("programs", {})
    units = _units(programs) if programs else {}
    found = {name: _program(asked, units[name]) for name, asked in programs.items()}
    files = _matching(parameters.get("files", ()))
    paths = {*files, *(one["path"] for said in found.values() for one in said["files"])}
    packaged = _packaged(paths, [name for asked in programs.values() for name in asked["packages"]])
    for said in found.values():
        for one in said["files"]:
            one["packaged"] = one["path"] in packaged
    return {"programs": found, "files": [{"path": one, "packaged": one in packaged} for one in files]}


def _units(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """What systemd says of each unit."""
    argv = ["systemctl", "show", "-p", _PROPERTIES, *(f"{name}.service" for name in names)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
    blocks = [
        dict(line.partition("=")[::2] for line in block.splitlines()) for block in done.stdout.split("\n\n")
    ]
    # In the order of the question: a unit that has an alias may answer by that.
    return dict(zip(names, blocks, strict=True))


def _program(asked: dict[str, Any], unit: dict[str, str]) -> dict[str, Any]:
    """What one program and its unit read, since when, and which variables none of its files sets."""
    environment = _environment(unit["MainPID"])
    roots = [environment.get(name, root) for root, name in asked["trees"]]
    tree, folders = _tree(roots)
    read = [*_matching(asked["files"]), *tree]
    return {
        "files": [_file(path, own=path in read) for path in dict.fromkeys([*read, *_paths(unit)])],
        "folders": [_changed(folder) for folder in folders],
        "loaded": _loaded(unit["StateChangeTimestampMonotonic"]),
        "environment": sorted(environment.keys() - _declared(unit)),
    }


def _paths(unit: dict[str, str]) -> list[str]:
    """The files of the unit itself, as systemd resolved them."""
    found = [unit["FragmentPath"], *unit["DropInPaths"].split(), *_environment_files(unit)]
    return [path for path in found if path and os.path.lexists(path)]


def _environment_files(unit: dict[str, str]) -> list[str]:
    return re.sub(r"\s*\(ignore_errors=(yes|no)\)", "", unit.get("EnvironmentFiles", "")).split()


def _declared(unit: dict[str, str]) -> set[str]:
    """Names of the variables that the unit's own files set: those files are judged for themselves."""
    lines = shlex.split(unit["Environment"])
    for path in _environment_files(unit):
        if os.path.lexists(path):
            lines += Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    return {line.partition("=")[0].strip() for line in lines}


def _loaded(monotonic_us: str) -> float:
    """When the unit was last started or reloaded, by the clock of now; 0 where it never was."""
    since = int(monotonic_us) / 1e6
    return time.time() - (time.monotonic() - since) if since else 0.0


def _environment(pid: str) -> dict[str, str]:
    try:
        text = Path(f"/proc/{int(pid)}/environ").read_bytes().decode(errors="replace") if int(pid) else ""
    except OSError:
        return {}
    return dict(one.partition("=")[::2] for one in text.split("\0") if "=" in one)


def _matching(patterns: Iterable[str]) -> list[str]:
    found = dict.fromkeys(path for pattern in patterns for path in sorted(glob(pattern)))  # noqa: PTH207 - of an absolute pattern
    return [path for path in found if not Path(path).is_dir()]


def _tree(roots: Iterable[str]) -> tuple[list[str], list[str]]:
    """Every file that is read when `roots` are, and the folders of which every file of some kind is."""
    waiting = [root for root in roots if os.path.lexists(root)]
    seen: dict[str, None] = {}
    folders: dict[str, None] = {}
    while waiting:
        path = waiting.pop(0)
        if path not in seen:
            patterns = list(_includes(path))
            folders.update({str(Path(one).parent): None for one in patterns if _WILD.search(one)})
            seen[path] = None
            waiting += _matching(patterns)
    return list(seen), [folder for folder in folders if Path(folder).is_dir()]


def _includes(path: str) -> Iterator[str]:
    """The patterns that a file includes, each relative to the file."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for one in _INCLUDE.findall(_COMMENT.sub("", text)):
        yield one if one.startswith("/") else str(Path(path).parent / one)


def _file(path: str, *, own: bool) -> dict[str, Any]:
    """`own`: the program reads it by itself, not systemd for it."""
    return {**_changed(path), "own": own}


def _changed(path: str) -> dict[str, Any]:
    """When content, name, mode or owner changed: a program cannot set the time of the inode."""
    times = [Path(path).lstat().st_ctime, Path(path).stat().st_ctime if Path(path).exists() else 0.0]
    return {"path": path, "changed": max(times)}


def _packaged(paths: Iterable[str], first: Iterable[str]) -> set[str]:
    """Those of `paths` whose content is what dpkg or ucf put there; lists of packages `first` come first."""
    digests = {path: _digest(path) for path in paths}
    known = {path for path, digest in _registered() if digests.get(path) == digest}
    known |= {path for path in digests if _says_nothing(path)}
    missing = {path.removeprefix("/usr"): path for path in digests if path not in known}
    for file in _lists(first):
        if not missing:
            break
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            digest, _, name = line.partition("  ")
            # /lib is /usr/lib: a list may have either.
            path = missing.get(f"/{name}".removeprefix("/usr"))
            if path is not None and digests[path] == digest:
                known.add(path)
                del missing[f"/{name}".removeprefix("/usr")]
    return known


def _says_nothing(path: str) -> bool:
    """Whether a file has comments alone: packages make such ones that no list of theirs has."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines)


def _registered() -> Iterator[tuple[str, str]]:
    """Configuration files that dpkg and ucf keep the digests of."""
    for line in (_DPKG / "status").read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if line.startswith(" /") and len(words) == 2:  # noqa: PLR2004 - one that is obsolete has a third word
            yield words[0], words[1]
    if _UCF.exists():
        for line in _UCF.read_text(encoding="utf-8", errors="replace").splitlines():
            digest, _, path = line.partition("  ")
            yield path.strip(), digest


def _lists(first: Iterable[str]) -> list[Path]:
    there = sorted((_DPKG / "info").glob("*.md5sums"))
    names = set(first)
    return sorted(there, key=lambda file: file.name.removesuffix(".md5sums").partition(":")[0] not in names)


def _digest(path: str) -> str:
    try:
        return hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest()
    except OSError:
        return ""
