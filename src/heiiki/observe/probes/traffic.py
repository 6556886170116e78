"""Probe: packets on interfaces, twice with a pause."""

import time
from pathlib import Path
from typing import Any


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return packets received and sent on ``interfaces`` before and after ``seconds``."""
    before, began = _packets(parameters["interfaces"]), time.monotonic()
    time.sleep(parameters["seconds"])
    return {
        "before": before,
        "after": _packets(parameters["interfaces"]),
        "seconds": time.monotonic() - began,
    }


def _packets(interfaces: list[str]) -> int:
    return sum(_counter(name, side) for name in interfaces for side in ("rx_packets", "tx_packets"))


def _counter(interface: str, side: str) -> int:
    try:
        return int(Path(f"/sys/class/net/{interface}/statistics/{side}").read_text(encoding="ascii"))
    except OSError:
        return 0
