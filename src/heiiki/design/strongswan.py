"""The files that the IKE daemon is sent, read back: settings nested in sections, ``name { key = value }``."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

Section = dict[str, Any]

_TOKEN = re.compile(r"#[^\n]*|([\w.*-]+)\s*\{|(\})|([\w.*-]+)\s*=[ \t]*([^\n#}]*)")


def parse(text: str) -> Section:
    """Return the settings of a file; a value is text, a section a mapping.

    Raises:
        ValueError: the braces do not match.
    """
    root: Section = {}
    stack = [root]
    for section, end, key, value in _TOKEN.findall(text):
        if section:
            stack.append(stack[-1].setdefault(section, {}))
        elif end:
            stack.pop()
            if not stack:
                raise ValueError("a } too many")
        elif key:
            stack[-1][key] = value.strip().strip('"')
    if len(stack) != 1:
        raise ValueError("a } is missing")
    return root


def merged(texts: Iterable[str]) -> Section:
    """Return the settings of several files; the later ones win."""
    found: Section = {}
    for text in texts:
        _merge(found, parse(text))
    return found


def _merge(into: Section, more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def connections(files: Mapping[str, str]) -> Section:
    """Return the connections in the files that a device is sent, by name; empty when it is sent none."""
    texts = (content for path, content in files.items() if path.startswith("/etc/swanctl/"))
    found: Section = merged(texts).get("connections", {})
    return found


def daemon(files: Mapping[str, str]) -> Section:
    """Return the settings of the daemon in the files that a device is sent."""
    return _daemon(tuple(content for path, content in files.items() if path.startswith("/etc/strongswan")))


@lru_cache(maxsize=8)
def _daemon(texts: tuple[str, ...]) -> Section:
    """Return the daemon's settings; most devices of a service are sent the same texts."""
    settings = merged(texts)
    return {**settings.get("charon", {}), **settings.get("charon-systemd", {})}


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}


def seconds(text: str) -> float:
    """Return a time such as ``4h``, ``2s`` or ``0.8`` in seconds.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"([0-9.]+)\s*([smhd]?)", text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    return float(found[1]) * _UNITS[found[2]]
