"""Where a text is not YAML: the line that a person must mend, often above the one where it shows."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from heiiki.intent.characters import out_of_place

_Mark = Any
"""A place in the text; the C parser has a class of its own for it."""
Fault = tuple[tuple[int, int], str, str]
"""Line and column from 1, what is wrong, what to do."""

_ENTRY = re.compile(r"""\s*(?:-(?:\s|$)|["']?[^\s:#"']+["']?\s*:(?:\s|$))""")
_KEY_ONLY = re.compile(r"""\s*(?:- +)*["']?[\w.-]+["']?\s*$""")
_OPEN_QUOTE = re.compile(r"""(?:^|[:,\[{-])\s+(?:"[^"]*|'[^']*)$""")
_QUOTE = re.compile("[\"']")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_FIX = "mend the line; keys are `key: value`, indented by spaces"


def place(mark: _Mark | None) -> tuple[int, int]:
    """Return line and column of a mark, from 1."""
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def lines_of(text: str) -> list[str]:
    """Return the lines as marks count them, each with its end: `str.splitlines` knows other ends as well."""
    return _LINE.findall(text)


def fault(error: yaml.YAMLError, text: str) -> Fault:
    """Return the mistake behind `error`, at the line that has to be mended."""
    if not isinstance(error, yaml.MarkedYAMLError):
        reason = str(error).partition("\n")[0]
        return (1, 1), f"this is not YAML: {reason}", "write plain UTF-8 text without control characters"
    lines = [line.rstrip("\r\n") for line in lines_of(text)]
    line, column = _guilty(error, lines)
    if found := out_of_place(_line(lines, line)):
        return (line, found[0]), f"this is not YAML: {found[1]}", found[2]
    reason = ", ".join(part for part in (error.context, error.problem) if part)
    return (line, column), f"this is not YAML: {reason}", _FIX


def _guilty(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int]:
    noticed = place(error.problem_mark or error.context_mark)
    began = place(error.context_mark) if error.context_mark is not None else noticed
    context, problem = error.context or "", error.problem or ""
    if context in ("while scanning a simple key", "while scanning a quoted scalar"):
        return began
    if problem.startswith("mapping values") and (before := _above(lines, noticed)):
        return before
    if "did not find expected" in problem and (quote := _open_quote(lines, began[0], noticed)):
        return quote
    if "flow" in context and _indent(lines, noticed[0]) <= _indent(lines, began[0]) and noticed[0] > began[0]:
        return began
    return noticed


def _above(lines: Sequence[str], noticed: tuple[int, int]) -> tuple[int, int] | None:
    """Return the line above a first key when it is none: `name:kita` joins what follows it."""
    if not _KEY_ONLY.match(_line(lines, noticed[0])[: noticed[1] - 1]):
        return None
    for number in range(noticed[0] - 1, 0, -1):
        line = lines[number - 1]
        if line.strip() and not line.lstrip().startswith("#"):
            return (
                None if _ENTRY.match(line) or line.startswith("---") else (number, _indent(lines, number) + 1)
            )
    return None


def _open_quote(lines: Sequence[str], first: int, noticed: tuple[int, int]) -> tuple[int, int] | None:
    """Return where a quote was opened that a later line closed by opening its own."""
    if not _QUOTE.search(_line(lines, noticed[0])[: noticed[1] - 1]):
        return None
    for number in range(first, noticed[0]):
        if found := _OPEN_QUOTE.search(lines[number - 1]):
            column = found.start() + len(found[0]) - len(found[0].lstrip(":,[{- ")) + 1
            return number, column
    return None


def _line(lines: Sequence[str], number: int) -> str:
    """Return a line by its number; the parser counts one behind the last."""
    return lines[number - 1] if number <= len(lines) else ""


def _indent(lines: Sequence[str], number: int) -> int:
    line = _line(lines, number)
    return len(line) - len(line.lstrip())
