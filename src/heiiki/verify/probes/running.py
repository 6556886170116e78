"""Probe: compare what a device has and runs with what was compiled for it.

The packet filter is compared by meaning: what was compiled is loaded into an empty network namespace and
listed from there, so that both sides went through the same kernel. What routing runs is returned as it is
shown, but for its keys, which are compared here: they never leave the device.
"""

import grp
import hashlib
import json
import pwd
import re
import subprocess
from pathlib import Path
from typing import Any

_LIMIT_S = 40


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the differences of each file and, by file, of what runs, and what could not be read."""
    found: dict[str, Any] = {
        "different": {},
        "unreadable": {},
        "shown": {},
        "keys": {},
        "filter": {},
        "health": {},
        "units": {},
    }
    for file in parameters["files"]:
        _note(found, file["path"], _file(file))
    for path, argv, sockets in parameters["shown"]:
        found["shown"][path], found["keys"][path] = _routing(Path(path), _shown(argv), _shown(sockets))
    for path, content in parameters["nftables"]:
        found["filter"][path] = _nftables(content)
    for path, argv in parameters["health"]:
        found["health"][path] = _checked(argv)
    if parameters["units"]:
        found["units"] = _shown(parameters["units"])
    return found


def _note(found: dict[str, Any], path: str, said: tuple[str, str]) -> None:
    kind, text = said
    if kind:
        found[kind].setdefault(path, []).append(text)


def _file(file: dict[str, Any]) -> tuple[str, str]:
    path = Path(file["path"])
    try:
        content, status = path.read_bytes(), path.stat()
    except FileNotFoundError:
        return "different", "is missing"
    except OSError as error:
        return "unreadable", f"cannot be read: {error.strerror}"
    if not _same(file, content):
        return (
            "different",
            f"differs from what was compiled: SHA-256 {hashlib.sha256(content).hexdigest()[:12]}",
        )
    mode, owner = f"{status.st_mode & 0o7777:04o}", pwd.getpwuid(status.st_uid).pw_name
    group = grp.getgrgid(status.st_gid).gr_name
    if int(mode, 8) != int(file["mode"], 8) or owner != file["owner"]:
        return "different", f"is {mode} {owner}:{group}, not {file['mode']} {file['owner']}"
    return "", ""


def _same(file: dict[str, Any], content: bytes) -> bool:
    if "pattern" in file:
        return re.fullmatch(file["pattern"], content.decode(errors="replace")) is not None
    return bool(hashlib.sha256(content).hexdigest() == file["sha256"])


def _run(argv: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=_LIMIT_S, check=False, input=given)


def _shown(argv: list[str]) -> dict[str, Any]:
    try:
        done = _run(argv)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"rc": None, "out": "", "err": str(error)}
    return {"rc": done.returncode, "out": done.stdout, "err": done.stderr}


def _checked(argv: list[str]) -> dict[str, Any]:
    """What the check of a program says; one of the device's own is run in a fork of this interpreter."""
    if argv[0] != "python3":
        return _shown(argv)
    try:
        from heiiki_agent import forked  # noqa: PLC0415 - it stands on every device that has such a program

        rc, out, err = forked.run(argv, _LIMIT_S)
    except (OSError, ImportError) as error:
        return {"rc": None, "out": "", "err": str(error)}
    return {"rc": rc, "out": out.decode(errors="replace"), "err": err.decode(errors="replace")}


def _routing(
    path: Path, shown: dict[str, Any], sessions: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what routing runs, without its keys, and what is said of these."""
    from heiiki_agent import frr  # noqa: PLC0415 - it stands on every device that routes

    masked = {key: frr.masked(shown[key]) for key in ("out", "err")}
    return shown | masked, _keys(path, shown, sessions)


def _keys(path: Path, shown: dict[str, Any], sessions: dict[str, Any]) -> dict[str, Any]:
    """Return the lines that run with another key than the file's, the peers that use none, or an error."""
    from heiiki_agent import frr  # noqa: PLC0415 - as above

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return {"error": f"cannot be read: {error}"}
    if sessions["rc"] != 0:
        return {"error": f"ss does not say which sessions are signed: {sessions['err'].strip()}"}
    return {"other": frr.other_keys(text, shown["out"]), "unsigned": frr.unsigned(text, sessions["out"])}


def _nftables(content: str) -> dict[str, Any]:
    """Return the objects of the compiled filter and of the kernel's, or why they cannot be read."""
    script = "nft -f - && nft -j -s list ruleset"
    try:
        meant = _run(["unshare", "-n", "sh", "-c", script], content)
        runs = _run(["nft", "-j", "-s", "list", "ruleset"])
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"error": f"nft: {error}"}
    if meant.returncode or runs.returncode:
        return {"error": f"nft: {(meant.stderr or runs.stderr).strip()[:200]}"}
    wanted, there = ruleset(meant.stdout, None), ruleset(runs.stdout, tables(meant.stdout))
    return {} if wanted == there else {"wanted": wanted, "there": there}


def tables(text: str) -> set[tuple[str, str]]:
    """Return family and name of the tables in ``nft -j list ruleset``."""
    return {
        (item["table"]["family"], item["table"]["name"])
        for item in json.loads(text)["nftables"]
        if "table" in item
    }


def ruleset(text: str, only: set[tuple[str, str]] | None) -> list[dict[str, Any]]:
    """Return the objects of the tables `only` (None: of all), without handles and counts, in order."""
    found = []
    for item in json.loads(text)["nftables"]:
        for kind, value in item.items():
            if kind == "metainfo":
                continue
            table = (value["family"], value["name" if kind == "table" else "table"])
            if only is None or table in only:
                # What a set learns from packets is no rule.
                learned = ("elem",) if kind == "set" and "dynamic" in value.get("flags", ()) else ()
                found.append({kind: _bare({key: one for key, one in value.items() if key not in learned})})
    return found


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in value.items() if key not in ("handle", "packets", "bytes")}
    return [_bare(one) for one in value] if isinstance(value, list) else value
