"""The process that controls and measures a site's resource: one JSON object a line on a local socket."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heiiki_agent import config
from heiiki_agent.errors import AgentError

SOCKET = Path("/run/heiiki-resource/socket")
"""Where it listens; it is the customer's own program."""
_ANSWER_S = 2.0
_LONGEST = 65_536


@dataclass(frozen=True, kw_only=True)
class Done:
    """A line in the resource's own book.

    Attributes:
        event_id: name of the event, or of the order.
        at: when, seconds since 1970.
    """

    key: str
    kind: str
    event_id: str
    at: float


class ResourceAwayError(Exception):
    """The resource did not answer, or not in a way that says whether it took what it was sent."""


def asked(path: Path, question: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a question.

    Raises:
        ResourceAwayError: there is none.
    """
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_ANSWER_S)
            line.connect(str(path))
            line.sendall(json.dumps(question).encode() + b"\n")
            with line.makefile("rb") as stream:
                answer = json.loads(stream.readline(_LONGEST))
    except (OSError, ValueError) as error:
        raise ResourceAwayError(f"{path}: the resource does not answer: {error}") from error
    if not isinstance(answer, dict):
        raise ResourceAwayError(f"{path}: the resource does not answer with an object")
    return answer


def measured(path: Path, what: str) -> float:
    """Return a value, in the resource's own unit.

    Raises:
        ResourceAwayError: there is none.
    """
    value = asked(path, {"measure": what}).get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ResourceAwayError(f"{path}: has no value for {what!r}")
    return float(value)


def book(path: Path, names: str) -> tuple[tuple[Done, ...], str | None]:
    """Return the lines of its book about what has a name that begins so, in the order in which it was done.

    Where it is not known what it did there are none, and the reason stands beside them.
    """
    try:
        return tuple(_lines(path, names)), None
    except (AgentError, ResourceAwayError) as error:
        return (), str(error)


def _lines(path: Path, names: str) -> Iterator[Done]:
    number = 0
    while lines := asked(path, {"book": names, "from": number}).get("book", ...):
        if not isinstance(lines, list):
            raise ResourceAwayError(f"{path}: the resource keeps no book")
        for line in lines:
            yield config.parse(Done, json.dumps(line), f"{path}: book")
        number += len(lines)
