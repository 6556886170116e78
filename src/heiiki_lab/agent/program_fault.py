"""Failing one program of a node, and mending it; runs on the node.

A program that hangs is stopped (SIGSTOP). One that is dead is killed (SIGKILL) and stays so: what would start
it again, watchfrr or systemd, is kept from it until the program is mended.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_RUNTIME_UNITS = Path("/run/systemd/system")
_DROP_IN = "zz-heiiki-fault.conf"
_WATCHDOG = "watchfrr"
_LIMIT_S = 30.0
_POLL_S = 0.05
_ENDED = "ZX"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a program is found: its unit and, where the unit has others beside it, the process's name."""

    unit: str
    process: str = ""

    @property
    def drop_in(self) -> Path:
        return _RUNTIME_UNITS / f"{self.unit}.service.d" / _DROP_IN


_PLACES = {
    "zebra": _Place("frr", "zebra"),
    "bgpd": _Place("frr", "bgpd"),
    "bfdd": _Place("frr", "bfdd"),
    "keepalived": _Place("keepalived"),
    "lan-watch": _Place("heiiki-lan-watch"),
    "charon": _Place("strongswan"),
    "pppd": _Place("heiiki-pppoe"),
}


def fail(program: str, how: str) -> dict[str, float]:
    """Fail `program`: ``hung`` or ``dead``; returns when the first step began and when the last was done.

    Raises:
        RuntimeError: it does not run, or did not fail.
    """
    place = _PLACES[program]
    found = _pids(place)
    if not found:
        raise RuntimeError(f"{program} does not run, so it cannot be failed")
    if how == "dead":
        _keep_dead(place)
        found = _pids(place)
    began = time.monotonic()
    for pid in found:
        os.kill(pid, signal.SIGKILL if how == "dead" else signal.SIGSTOP)
    _await(lambda: not healthy(program), f"{program} did not fail")
    return {"began": began, "ended": time.monotonic()}


def mend(program: str) -> dict[str, float]:
    """Have `program` run again; returns as `fail` does.

    Raises:
        RuntimeError: it was not failed any more, or does not run again.
    """
    place = _PLACES[program]
    came_back = healthy(program)
    began = time.monotonic()
    _allow(place)
    for pid in _pids(place):
        os.kill(pid, signal.SIGCONT)
    _await(lambda: healthy(program), f"{program} does not run again")
    if came_back:
        raise RuntimeError(f"{program} ran again before it was mended, so its failure was not measured")
    return {"began": began, "ended": time.monotonic()}


def healthy(program: str) -> bool:
    """Tell whether the program runs, and none of its processes is stopped."""
    states = [_state(pid) for pid in _pids(_PLACES[program])]
    return bool(states) and "T" not in states


def _keep_dead(place: _Place) -> None:
    if place.process:
        for pid in _pids(_Place(place.unit, _WATCHDOG)):
            os.kill(pid, signal.SIGSTOP)
        return
    place.drop_in.parent.mkdir(parents=True, exist_ok=True)
    place.drop_in.write_text("[Service]\nRestart=no\n", encoding="utf-8")
    _systemctl("daemon-reload")


def _allow(place: _Place) -> None:
    """Let what starts the program again do so; a unit is started at once, and its setting put back then."""
    if place.process:
        for pid in _pids(_Place(place.unit, _WATCHDOG)):
            os.kill(pid, signal.SIGCONT)
    elif place.drop_in.exists():
        _systemctl("start", place.unit)
        place.drop_in.unlink()
        place.drop_in.parent.rmdir()
        _systemctl("daemon-reload")


def _pids(place: _Place) -> list[int]:
    """Return the living processes of a unit's control group; of a name where one is given."""
    said = _systemctl("show", "--value", "--property=ControlGroup", place.unit).strip()
    group = Path("/sys/fs/cgroup") / said.lstrip("/")
    files = group.rglob("cgroup.procs") if said else ()
    every = [int(word) for file in files for word in file.read_text(encoding="ascii").split()]
    return [pid for pid in every if pid and _state(pid) not in _ENDED and _is(pid, place.process)]


def _is(pid: int, process: str) -> bool:
    return not process or _read(pid, "comm").strip() == process


def _state(pid: int) -> str:
    """Return the state letter of a process; that of one that ended where there is none."""
    return (_read(pid, "stat").rpartition(")")[2].split() or [_ENDED[0]])[0]


def _read(pid: int, name: str) -> str:
    try:
        return (_PROC / str(pid) / name).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _await(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(f"{otherwise} within {_LIMIT_S:g} s")
        time.sleep(_POLL_S)


def _systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"systemctl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def main(words: Sequence[str]) -> None:
    """Do ``fail PROGRAM HOW`` or ``mend PROGRAM``; print when, or the error, as JSON."""
    work: dict[str, Callable[..., dict[str, float]]] = {"fail": fail, "mend": mend}
    try:
        answer: dict[str, object] = dict(work[words[0]](*words[1:]))
    except (RuntimeError, OSError) as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
