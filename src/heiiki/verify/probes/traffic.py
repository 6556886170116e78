"""Probe: packets on interfaces, twice with a pause."""

import time
from pathlib import Path
from typing import Any


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the packets of each of ``elements`` (name: interfaces) before and after ``seconds``."""
    elements, began = parameters["elements"], time.monotonic()
    before = {name: _packets(interfaces) for name, interfaces in elements.items()}
    time.sleep(parameters["seconds"])
    after = {name: _packets(interfaces) for name, interfaces in elements.items()}
    return {"before": before, "after": after, "seconds": time.monotonic() - began}


def _packets(interfaces: list[str]) -> int:
    return sum(_counter(name, side) for name in interfaces for side in ("rx_packets", "tx_packets"))


def _counter(interface: str, side: str) -> int:
    try:
        return int(Path(f"/sys/class/net/{interface}/statistics/{side}").read_text(encoding="ascii"))
    except OSError:
        return 0
