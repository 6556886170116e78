"""Routers of vendors' platforms: this release compiles for them, and asks none of them anything."""

from collections.abc import Sequence

from heiiki.errors import TransportError
from heiiki.plan.model import Device, Plan
from heiiki.plan.vendors import platform_of
from heiiki.transport.base import Completed, Transport


def not_examined(device: Device) -> str:
    """Return why a device is not examined, as human-readable text; empty where it is."""
    platform = platform_of(device)
    return f"{platform.title} is not examined by this release" if platform is not None else ""


class Examined:
    """A transport to the devices that can be examined; for any other it says why that cannot be."""

    def __init__(self, plan: Plan, transport: Transport) -> None:
        """Reach the devices of `plan` by `transport`."""
        self._transport = transport
        self._reasons = {one.name: f"{one.name}: {not_examined(one)}" for one in plan.by_hand()}

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        """Run a program; see `Transport`.

        Raises:
            TransportError: also where the device is of a vendor's platform.
        """
        self._refuse(device)
        return self._transport.run(device, argv, stdin=stdin, timeout=timeout)

    def spawn(self, device: str, argv: Sequence[str]) -> None:
        """Start a program; see `Transport`.

        Raises:
            TransportError: also where the device is of a vendor's platform.
        """
        self._refuse(device)
        self._transport.spawn(device, argv)

    def close(self) -> None:
        """Let go of every connection."""
        self._transport.close()

    def _refuse(self, device: str) -> None:
        if reason := self._reasons.get(device):
            raise TransportError(reason)
