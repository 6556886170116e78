"""Text for a terminal: in whatever encoding it has, with nothing in it that could steer it."""

import codecs
import io
import os
import sys
from typing import TextIO

import click

from heiiki.errors import HeiikiError, printable

_ERRORS = "heiiki.substitute"
_SUPERSCRIPTS = dict(zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True))
_SUBSTITUTES = {
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "±": "+-",
    "×": "x",
    "→": "->",
    "←": "<-",
    "…": "...",
    "·": "*",
    "–": "-",
    "—": "-",
    "─": "-",
    "“": '"',
    "”": '"',
    "‘": "'",  # noqa: RUF001 - it is meant
    "’": "'",
    "µ": "u",
    "✓": "ok",
    "✗": "no",
}
"""What is written where the encoding of a terminal lacks a sign; the rest becomes a question mark."""


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    at = range(error.start, error.end)
    return "".join(_plain(error.object[index], error.object[:index][-1:]) for index in at), error.end


def _plain(char: str, before: str) -> str:
    """Return ASCII for a character: `<=` for U+2264, `^-5` for a power, `?` for what has no such form."""
    if char in _SUPERSCRIPTS:
        return f"{'' if before and before in _SUPERSCRIPTS else '^'}{_SUPERSCRIPTS[char]}"
    return _SUBSTITUTES.get(char, "?")


codecs.register_error(_ERRORS, _substitute)


def prepare() -> None:
    """Let standard output and error write every text, whatever the locale's encoding is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def say(text: object, *, err: bool = False) -> None:
    """Write lines of text; what could steer a terminal is written as escapes.

    Raises:
        OutputError: standard output cannot be written to.
        BrokenPipeError: its reader has gone.
    """
    lines = "\n".join(printable(line) for line in str(text).split("\n"))
    try:
        click.echo(lines, err=err)
    except BrokenPipeError:
        raise
    except OSError as error:
        _abandon(sys.stderr if err else sys.stdout)
        # The exit code tells what went wrong where even standard error is full.
        if not err:
            raise OutputError(f"standard output: {error.strerror}; make room, or write elsewhere") from error


class OutputError(HeiikiError):
    """Standard output cannot be written to: neither the answer nor JSON has a way out."""


def _abandon(stream: TextIO) -> None:
    """Send what a stream could not write to nowhere: Python would try again at its end, and exit with 120."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a descriptor is all that is needed
        os.dup2(nowhere.fileno(), stream.fileno())
