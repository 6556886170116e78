"""What the other ends of a router's lines have for it: where that changes, its older states do not fit."""

import hashlib
from collections.abc import Iterator, Mapping

from heiiki.plan.model import Device, Plan


class Dependence:
    """Knows what every device has for its peers."""

    def __init__(self, plan: Plan) -> None:
        """Read it out of the plan, once."""
        self._of: dict[str, dict[str, str]] = {}
        for device in plan.configured():
            for peer, what, value in _for_peers(device):
                self._of.setdefault(peer, {})[f"{what} of {device.name}"] = value

    def of(self, name: str, secrets: Mapping[str, str]) -> dict[str, str]:
        """Return what other devices have for a router, each as a digest, by what it is.

        Args:
            name: of the router.
            secrets: values that it shares with others, by placeholder.
        """
        shared = {f"key {placeholder.strip('{}')}": value for placeholder, value in secrets.items()}
        found = self._of.get(name, {}) | shared
        return {what: hashlib.sha256(value.encode()).hexdigest() for what, value in found.items()}


def _for_peers(device: Device) -> Iterator[tuple[str, str, str]]:
    """Yield what a device has for each peer: port, session of routing, IPsec connection."""
    for port in device.interfaces:
        yield port.peer, f"port {port.name}", repr((port.addresses, port.mtu, port.gre))
    for instance in device.router.bgp if device.router else ():
        for neighbor in instance.neighbors:
            yield neighbor.device, "session of BGP", repr((instance.asn, neighbor))
    for connection in device.ipsec:
        yield connection.peer, "IPsec connection", repr(connection)
