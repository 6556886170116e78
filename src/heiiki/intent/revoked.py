"""``revoked.yml`` as a program changes it: a line more, or a line less; comments stay where they are."""

import json
from datetime import date
from pathlib import Path

from heiiki.errors import IntentError, TheftError
from heiiki.intent.load import load
from heiiki.intent.yaml_source import YamlSource

FILE = "revoked.yml"
_HEAD = """\
# Devices that are shut out. revoke.yml adds a line when one is stolen, enrol.yml takes it away when another
# device takes its place; commit what they change.
devices:
"""


def add(folder: Path, device: str, reason: str, sim: str | None, since: date | None = None) -> bool:
    """Mark a device as shut out; tells whether it was not.

    Args:
        folder: the service's.
        device: its name.
        reason: why, on one line.
        sim: IMSI of the SIM in it, if there is one.
        since: the day; today when left out.

    Raises:
        TheftError: the file cannot be written, or would have mistakes; it stays as it was.
    """
    if device in _named(folder):
        return False
    path = folder / FILE
    entry = {"device": device, "since": str(since or date.today()), "reason": reason}  # noqa: DTZ011
    entry |= {"sim": sim} if sim else {}
    # Quoted as in JSON, which is YAML too, whatever the text is.
    fields = ", ".join(f"{key}: {json.dumps(text, ensure_ascii=False)}" for key, text in entry.items())
    text = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    kept = text if text.endswith("\n") else f"{text}\n"
    _replace(folder, f"{kept}{_indent(path, kept)}- {{{fields}}}\n")
    return True


def remove(folder: Path, device: str) -> bool:
    """Take the mark of a device away; tells whether there was one.

    Raises:
        TheftError: the file cannot be written, or would have mistakes; it stays as it was.
    """
    named = _named(folder)
    if device not in named:
        return False
    path = folder / FILE
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    first = YamlSource(path, text).position(("devices", named.index(device)))[0] - 1
    end = first + 1
    while end < len(lines) and _depth(lines[end]) > _depth(lines[first]):
        end += 1
    _replace(folder, "".join((*lines[:first], *lines[end:])))
    return True


def _named(folder: Path) -> list[str]:
    return [mark.written.device for mark in load(folder).revoked]


def _depth(line: str) -> int:
    """Return the indentation; an empty line or a comment belongs to no entry."""
    bare = line.strip()
    return len(line) - len(line.lstrip()) if bare and not bare.startswith("#") else -1


def _indent(path: Path, text: str) -> str:
    line = YamlSource(path, text).position(("devices", 0))[0] - 1
    found = text.splitlines()[line]
    return " " * _depth(found) if found.lstrip().startswith("- ") else "  "


def _replace(folder: Path, text: str) -> None:
    """Write the file, and take that back when the service cannot be read with it."""
    path = folder / FILE
    before = path.read_bytes() if path.exists() else None
    try:
        path.write_text(text, encoding="utf-8")
        load(folder)
    except (IntentError, OSError) as error:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)
        raise TheftError(f"{path} cannot be changed, do it by hand: {error}") from error
