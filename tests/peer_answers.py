"""What Linux devices of the mixed service say of their sessions: they stand, but for those that are down."""

import json
from collections.abc import Collection
from typing import Any

from vendor_service import mixed

from heiiki.transport.base import Completed
from heiiki.verify.routing.expected import expectations


def established(device: str, down: Collection[str] = ()) -> Completed:
    """Return the answer of a device as its vtysh gives it; all sessions of a device in `down` are lost."""
    state = "Active" if device in down else "Established"
    bgp: dict[str, Any] = {}
    bfd = []
    for session in expectations(mixed()[0])[device].sessions:
        family = bgp.setdefault(session.vrf, {}).setdefault("ipv4Unicast", {"peers": {}})
        family["peers"][session.address] = {"state": state}
        status = "down" if device in down else "up"
        bfd.append({"peer": session.address, "vrf": session.vrf, "status": status})
    out = f"{json.dumps(bgp)}\n{json.dumps(bfd)}\n"
    answer = {"commands": {"vtysh": {"rc": 0, "out": out, "err": ""}}}
    return Completed(0, json.dumps(answer).encode(), b"")
