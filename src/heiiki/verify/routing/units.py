"""What systemd says of the programs of a device."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

ACTIVE = "active"


def command(names: Iterable[str]) -> list[str]:
    """Return the command that asks systemd for the state of units."""
    return ["systemctl", "show", "-p", "Id,ActiveState,SubState", *(f"{name}.service" for name in names)]


def states(said: Mapping[str, Any]) -> dict[str, str]:
    """Return the state of each unit in the answer to `command`: `ACTIVE`, or what it is instead."""
    found = {}
    for block in str(said.get("out", "")).split("\n\n"):
        facts = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in facts:
            active, more = facts.get("ActiveState", "unknown"), facts.get("SubState", "")
            found[facts["Id"].removesuffix(".service")] = active if active == ACTIVE else f"{active} ({more})"
    return found


def stopped(names: Iterable[str], said: Mapping[str, Any]) -> Iterator[str]:
    """Yield each of the units that does not run."""
    there = states(said)
    for name in names:
        if there.get(name) != ACTIVE:
            yield f"{name} does not run: {there.get(name, 'systemd does not know it')}"
