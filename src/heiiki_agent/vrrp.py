"""What keepalived runs with: its state and timers, from the dump that it writes on SIGUSR1."""

import argparse
import json
import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from heiiki_agent.errors import AgentError

PID = Path("/run/keepalived.pid")
DUMPS = (Path("/run/keepalived/keepalived.data"), Path("/run/keepalived/keepalived_parent.data"))
LIMIT_S = 10.0

_POLL_S = 0.02
_END = "------< Interfaces >------"
"""What follows the instances in a dump: then they have been written whole."""

_NUMBERS = frozenset({"router_id", "priority", "preempt_delay_s"})
_FACTS = {
    "state": r"State = (\S+)",
    "interface": r"Interface = .*?(?:vmac on )?(\S+)",
    "virtual_interface": r"Use VMAC, i/f name ([^,\s]+),.*",
    "router_id": r"Virtual Router ID = (\d+)",
    "priority": r"Priority = (\d+)",
    "advert_ms": r"Advert interval = ([\d.]+ \S+)",
    "preempt": r"Preempt = (\S+)",
    "preempt_delay_s": r"Preempt delay = ([\d.]+) secs?",
}
_FILE = re.compile(r"^ Track file = (\S+)\n +File = (\S+)$", re.MULTILINE)
_TRACKED = re.compile(r"^ +(\S+), weight 0$", re.MULTILINE)
"""Of weight 0: another number in the file than 0 makes the instance resign; any other weight only makes it
less preferred."""
_ADDRESS = re.compile(r"\s+(\d+\.\d+\.\d+\.\d+)(?:/\d+)? dev \S+.*")


def instances(dump: str) -> list[dict[str, Any]]:
    """Return the VRRP instances of a dump: state, interfaces, numbers, timers and addresses."""
    written = dump.partition(_END)[0]
    files = dict(_FILE.findall(written))
    parts = re.split(r"^ VRRP Instance = ", written, flags=re.MULTILINE)[1:]
    return [_instance(part.partition("\n------<")[0], files) for part in parts]


def _instance(text: str, files: Mapping[str, str]) -> dict[str, Any]:
    name, *lines = text.splitlines()
    tracked = _TRACKED.findall(text.partition("Tracked files :")[2])
    found: dict[str, Any] = {"name": name.strip(), "addresses": [], "tracks": [files[one] for one in tracked]}
    for line in lines:
        if address := _ADDRESS.fullmatch(line):
            found["addresses"].append(address[1])
        for fact, pattern in _FACTS.items():
            if fact not in found and (match := re.fullmatch(pattern, line.strip())):
                found[fact] = float(match[1]) if fact in _NUMBERS else match[1]
    if "advert_ms" in found:
        number, unit = found["advert_ms"].split()
        found["advert_ms"] = float(number) * (1 if unit.startswith("milli") else 1000)
    return found


def dumped(pid: Path = PID, dumps: Sequence[Path] = DUMPS, limit_s: float = LIMIT_S) -> str:
    """Have keepalived write what it runs with, and return it.

    Raises:
        AgentError: it does not run, or does not write.
    """
    for path in dumps:
        path.unlink(missing_ok=True)
    try:
        _signal(int(pid.read_text()))
    except (FileNotFoundError, ProcessLookupError, ValueError):
        raise AgentError("keepalived does not run; start it: systemctl start keepalived") from None
    try:
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            with suppress(FileNotFoundError):
                if _END in (text := dumps[0].read_text(errors="replace")):
                    return text
            time.sleep(_POLL_S)
    finally:
        for path in dumps:
            path.unlink(missing_ok=True)
    raise AgentError(
        f"keepalived did not write {dumps[0]} within {limit_s:g} s; restart it: systemctl restart keepalived"
    )


def _signal(pid: int) -> None:
    """Ask for a dump; the number may by now be another process's, which the signal would end."""
    if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() != "keepalived":
        raise ProcessLookupError(pid)
    os.kill(pid, signal.SIGUSR1)


def main(arguments: Sequence[str]) -> int:
    """Print the instances that keepalived runs, as JSON, and return the exit status."""
    parser = argparse.ArgumentParser(prog="heiiki-agent vrrp")
    parser.add_argument("action", choices=("status",))
    parser.parse_args(arguments)
    print(json.dumps(instances(dumped())))
    return 0
