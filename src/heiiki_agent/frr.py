"""FRRouting's configuration as others may see it, with its keys hidden, and the reload that would show them.

FRRouting keeps keys among its other settings and prints them in its running configuration, and
``frr-reload.py`` logs them and gives them to ``vtysh`` as arguments when they change.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

CONFIG = Path("/etc/frr/frr.conf")
SHOW = ("vtysh", "-c", "show running-config no-header")
RELOAD = ("/usr/lib/frr/frr-reload.py", "--reload", "--stdout", str(CONFIG))
HIDDEN = "(hidden)"

_KEY = re.compile(
    r"\b(?P<word>password|key-string|authentication-key|authentication string|md5)[ \t]+(?P<key>\S.*)"
)
_LIMIT_S = 120

Line = tuple[str, ...]
"""A line, after the contexts that it stands in, outermost first."""


def masked(text: str) -> str:
    """Return configuration, or what a program says of it, without keys: what follows each is hidden too."""
    return _KEY.sub(rf"\g<word> {HIDDEN}", text)


def lines(text: str) -> Iterator[Line]:
    """Yield the lines of a configuration with their contexts, which follow from the indentation."""
    stack: list[tuple[int, str]] = []
    for raw in text.splitlines():
        words, indent = " ".join(raw.split()), len(raw) - len(raw.lstrip())
        if not words or words.startswith(("!", "exit")) or words == "end":
            continue
        while stack and stack[-1][0] >= indent:
            stack.pop()
        yield (*(name for _, name in stack), words)
        stack.append((indent, words))


def keys(text: str) -> dict[Line, str]:
    """Return the key of each line that has one; the line itself without it."""
    found = ((line, _KEY.search(line[-1])) for line in lines(text))
    return {(*line[:-1], masked(line[-1])): match["key"] for line, match in found if match}


def other_keys(wanted: str, running: str) -> list[str]:
    """Return the lines that run with another key than the file has; where one has none is no matter here."""
    meant, there = keys(wanted), keys(running)
    return [" / ".join(line) for line in meant if line in there and there[line] != meant[line]]


def unsigned(wanted: str, sockets: str) -> list[str]:
    """Return the peers of TCP sessions that the kernel does not sign by the file's key (RFC 2385).

    Args:
        wanted: the file.
        sockets: ``ss -tni`` of the sessions that are established: a line, then one of its details.
    """
    meant: dict[str, set[str]] = {}
    for line, key in keys(wanted).items():
        if match := _NEIGHBOR.match(line[-1]):
            meant.setdefault(match[1], set()).add(key)
    return [
        peer
        for peer, told in _SOCKET.findall(sockets)
        if peer in meant and not meant[peer] & set(_SIGNED.findall(told))
    ]


_NEIGHBOR = re.compile(r"neighbor (\S+) password ")
_SOCKET = re.compile(r"^\S.*?(\S+):\d+[ \t]*\n[ \t]+(.*)$", re.MULTILINE)
_SIGNED = re.compile(r"md5keys:\S*?=(\S+)")


def changed_keys(wanted: str, running: str) -> str:
    """Return the commands that bring the running keys to the file's; empty where none differs.

    A key that is the file's alone comes with the session that it belongs to, by the reload.
    """
    meant, there = keys(wanted), keys(running)
    commands = []
    for line, key in there.items():
        if line not in meant:
            commands.append(_command(line, f"no {line[-1].removesuffix(HIDDEN).rstrip()}"))
        elif meant[line] != key:
            commands.append(_command(line, line[-1].replace(HIDDEN, meant[line])))
    return "".join(commands)


def _command(line: Line, command: str) -> str:
    return "".join(f"{one}\n" for one in (*line[:-1], command, *["exit"] * (len(line) - 1)))


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_LIMIT_S, check=False
    )


def _told(argv: Sequence[str]) -> int:
    """Run a program and say what it says, without keys; returns its exit status."""
    done = _run(argv)
    sys.stdout.write(masked(done.stdout))
    return done.returncode


def reload() -> int:
    """Bring FRRouting to its file: keys by a file that only root reads, the rest by FRRouting's own program.

    Returns:
        The exit status of the first step that failed, or 0.
    """
    shown = _run(SHOW)
    if shown.returncode:
        sys.stdout.write(masked(shown.stdout))
        return shown.returncode
    if commands := changed_keys(CONFIG.read_text(encoding="utf-8"), shown.stdout):
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:  # mode 0600
            file.write(commands)
            file.flush()
            if status := _told(("vtysh", "-f", file.name)):
                return status
    return _told(RELOAD)


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="heiiki-agent frr", description="Bring FRRouting to its file.")
    parser.add_argument("action", choices=("reload",))
    parser.parse_args(arguments)
    return reload()
