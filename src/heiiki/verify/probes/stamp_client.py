"""Probe: put questions to the STAMP process of this host; it is started before them and ended after them.

The process is a transient unit: systemd keeps its capabilities small and removes what it leaves in ``/run``;
nothing is written below ``/etc``.
"""

import subprocess
import time
from collections.abc import Callable
from typing import Any

from heiiki_agent.stamp.control import ask

UNIT = "heiiki-stamp-session.service"
START_LIMIT_S = 60.0
_POLL_S = 0.1
_PROPERTIES = (
    "Description=STAMP (RFC 8762) while a measurement lasts",
    "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SYS_NICE",
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "ProtectHome=yes",
    "ProtectSystem=strict",
    "RuntimeDirectory=heiiki-stamp",
    "RuntimeDirectoryMode=0700",
)


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of the STAMP process to each of ``questions``, in order.

    Args:
        parameters: ``session``, the measurement that asks; ``questions``; ``start``, the command that is
            started first, in place of a process that another measurement left; ``end``, true after the last.

    Raises:
        SystemExit: the process does not start, or does not end.
    """
    session = parameters["session"]
    if "start" in parameters:
        _start(parameters["start"], session)
    answers = [_ask({**question, "session": session}) for question in parameters.get("questions", ())]
    if parameters.get("end"):
        _end(session)
    return {"answers": answers}


def _start(command: list[str], session: str) -> None:
    _run(["systemctl", "stop", UNIT])
    options = [f"--property={setting}" for setting in _PROPERTIES]
    done = _run(["systemd-run", f"--unit={UNIT}", "--collect", "--quiet", *options, *command])
    if done.returncode:
        raise SystemExit(f"{UNIT} cannot be started: {done.stderr.strip()}")
    if not _awaited(lambda: "error" not in _ask({"do": "status", "session": session}) or not _active()):
        _run(["systemctl", "stop", UNIT])
        raise SystemExit(f"{UNIT} did not answer within {START_LIMIT_S:g} s of its start")
    if not _active():
        raise SystemExit(f"{UNIT} ended as soon as it was started; see journalctl -u {UNIT}")


def _end(session: str) -> None:
    """End the process of this measurement; one that another measurement has started since goes on."""
    if "error" in _ask({"do": "end", "session": session}):
        return
    if not _awaited(lambda: not _active()):
        raise SystemExit(f"{UNIT} did not end within {START_LIMIT_S:g} s")


def _awaited(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + START_LIMIT_S
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_S)
    return True


def _active() -> bool:
    return _run(["systemctl", "is-active", UNIT]).stdout.strip() in ("active", "activating", "deactivating")


def _run(argv: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=START_LIMIT_S, check=False, stdin=subprocess.DEVNULL
    )


def _ask(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return ask(question)
    except (OSError, ValueError) as error:
        return {"error": f"no answer from the STAMP process: {error}"}
