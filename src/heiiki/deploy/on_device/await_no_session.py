"""Waits until the packet gateway has no session of a SIM; changes nothing."""

import json
import time
from pathlib import Path
from typing import Any

_POLL_S = 0.1


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return an empty ``error`` as soon as there is no session.

    Args:
        parameters: ``file``: the gateway's status; ``without``: the IMSI; ``wait_s``: how long to wait.
    """
    until = time.monotonic() + parameters["wait_s"]
    while (error := _left(Path(parameters["file"]), parameters["without"])) and time.monotonic() < until:
        time.sleep(_POLL_S)
    return {"changed": [], "error": error}


def _left(status: Path, imsi: str) -> str:
    try:
        sessions = json.loads(status.read_text(encoding="utf-8"))["sessions"]
    except (OSError, ValueError, KeyError) as error:
        return f"{status} cannot be read: {error}"
    return f"the session of {imsi} goes on" if any(one["imsi"] == imsi for one in sessions) else ""
