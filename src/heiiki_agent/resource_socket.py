"""The process that controls and measures a site's resource: one JSON object a line on a local socket."""

import json
import socket
from pathlib import Path
from typing import Any

SOCKET = Path("/run/heiiki-resource/socket")
"""Where it listens; it is the customer's own program."""
_ANSWER_S = 2.0
_LONGEST = 65_536


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
