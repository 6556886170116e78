"""``revoked.yml`` as a program changes it: a line more, or a line less; comments stay where they are."""

import json
import stat
from datetime import date
from pathlib import Path

from heiiki import files
from heiiki.errors import HeiikiError, Problem, RevocationError
from heiiki.intent.load import load
from heiiki.intent.model import Intent, Mark, RevokedDevice
from heiiki.intent.yaml_faults import lines_of
from heiiki.intent.yaml_source import YamlSource

FILE = "revoked.yml"
_HEAD = """\
# Revoked devices. revoke.yml adds a line when one is stolen, enrol.yml takes it away when another
# device takes its place; commit what they change.
devices:
"""


def add(folder: Path, device: str, reason: str, sim: str | None, since: date | None = None) -> bool:
    """Mark a device as revoked; return whether it was not.

    Args:
        folder: the service's.
        device: its name.
        reason: why, on one line.
        sim: IMSI of the SIM in it, if there is one.
        since: the day; today when left out.

    Raises:
        RevocationError: the file cannot be written, or would have mistakes; it stays as it was.
    """
    refuse_undecoded(reason)
    named = _named(folder)
    if device in named:
        return False
    path = folder / FILE
    entry = {"device": device, "since": str(since or date.today()), "reason": reason}  # noqa: DTZ011
    entry |= {"sim": sim} if sim else {}
    # Quoted as in JSON, which is YAML too, whatever the text is.
    fields = ", ".join(f"{key}: {json.dumps(text, ensure_ascii=False)}" for key, text in entry.items())
    text = path.read_bytes().decode("utf-8") if path.exists() else _HEAD
    ending = "\r\n" if "\r\n" in text else "\n"
    kept = text if text.endswith("\n") else f"{text}{ending}"
    _replace(folder, f"{kept}{_indent(path, kept)}- {{{fields}}}{ending}", [*named, device])
    return True


def refuse_undecoded(reason: str) -> None:
    """Refuse a reason that was typed in another encoding than the system's (PEP 383): no file can hold it.

    Raises:
        RevocationError: it was.
    """
    try:
        reason.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RevocationError(
            f"the reason {reason!r} is not in the encoding of this system: nothing was revoked; "
            "give the reason in ASCII, or in UTF-8 under a locale such as C.UTF-8"
        ) from error


def marked(intent: Intent, device: str, reason: str, sim: str | None) -> Intent:
    """Return an intent in which `device` is marked; the files stay as they are."""
    if any(mark.written.device == device for mark in intent.revoked):
        return intent
    written = RevokedDevice(device=device, since=str(date.today()), reason=reason, sim=sim)  # noqa: DTZ011
    place = Problem(Path(FILE), 0, 0, "devices", f"there is no device `{device}`", "name one of the plan")
    return intent.model_copy(update={"revoked": (*intent.revoked, Mark(written, place))})


def unmarked(intent: Intent, device: str) -> Intent:
    """Return an intent in which `device` is not marked; the files stay as they are."""
    left = tuple(mark for mark in intent.revoked if mark.written.device != device)
    return intent.model_copy(update={"revoked": left})


def remove(folder: Path, device: str) -> bool:
    """Take the mark of a device away; tells whether there was one.

    Raises:
        RevocationError: the file cannot be written, or would have mistakes; it stays as it was.
    """
    named = _named(folder)
    if device not in named:
        return False
    path = folder / FILE
    text = path.read_bytes().decode("utf-8")
    lines = lines_of(text)
    first = YamlSource(path, text).position(("devices", named.index(device)))[0] - 1
    end = first + 1
    while end < len(lines) and _depth(lines[end]) > _depth(lines[first]):
        end += 1
    left = [name for name in named if name != device]
    _replace(folder, "".join((*lines[:first], *lines[end:])), left)
    return True


def _named(folder: Path) -> list[str]:
    return [mark.written.device for mark in load(folder).revoked]


def _depth(line: str) -> int:
    """Return the indentation; an empty line or a comment belongs to no entry."""
    bare = line.strip()
    return len(line) - len(line.lstrip()) if bare and not bare.startswith("#") else -1


def _indent(path: Path, text: str) -> str:
    line = YamlSource(path, text).position(("devices", 0))[0] - 1
    found = lines_of(text)[line]
    return " " * _depth(found) if found.lstrip().startswith("- ") else "  "


def _replace(folder: Path, text: str, wanted: list[str]) -> None:
    """Write the file, and take that back when the service is not read with the `wanted` devices then."""
    path = folder / FILE
    before = path.read_bytes() if path.exists() else None
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    try:
        files.replace(path, text.encode("utf-8"), mode)
        try:
            _check(folder, wanted)
        except HeiikiError:
            if before is None:
                path.unlink()
            else:
                files.replace(path, before, mode)
            raise
    except (HeiikiError, OSError) as error:
        raise RevocationError(f"{path} cannot be changed, do it by hand: {error}") from error


def _check(folder: Path, wanted: list[str]) -> None:
    """Refuse a change of lines that took more away than one device."""
    if _named(folder) != wanted:
        raise RevocationError("its devices do not stand on lines of their own")
