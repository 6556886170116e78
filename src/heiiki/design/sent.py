"""What each device is sent, read back once: this stage judges the texts, not the plan (D21)."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from heiiki.design import strongswan
from heiiki.plan.model import Device, Plan
from heiiki.render.model import DeviceBuild

FRR = "/etc/frr/frr.conf"

_PROFILE = re.compile(
    r"^ profile (\S+)\n  detect-multiplier (\d+)\n  receive-interval (\d+)\n  transmit-interval (\d+)$",
    re.MULTILINE,
)
_SESSION = re.compile(r"^ neighbor (\S+) bfd profile (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Sent:
    """What one device is sent.

    Each text is parsed once, however many verdicts ask: that of a router at the hub names every site.

    Attributes:
        files: content by path; empty for a device that is sent nothing.
    """

    device: Device
    files: Mapping[str, str]

    @cached_property
    def connections(self) -> strongswan.Section:
        """The IPsec connections, by name."""
        return strongswan.connections(self.files)

    @cached_property
    def daemon(self) -> strongswan.Section:
        """The settings of the IKE daemon."""
        return strongswan.daemon(self.files)

    def bfd_detection(self, peer: str) -> float | None:
        """Return how soon the device notices that `peer` is silent, seconds; None where FRR has no such BFD.

        The peer's transmit interval times its multiplier (RFC 5880 6.8.4); both ends have one.
        """
        found = [self._profiles.get(self._sessions.get(address, "")) for address in self._peers[peer]]
        known = [item for item in found if item is not None]
        return max(known, default=None) if len(known) == len(found) else None

    @cached_property
    def _sessions(self) -> dict[str, str]:
        """The BFD profile of each peer, by address."""
        return dict(_SESSION.findall(self.files.get(FRR, "")))

    @cached_property
    def _profiles(self) -> dict[str, float]:
        """The detection time of each BFD profile, seconds."""
        return {
            name: int(times) * max(int(receive), int(send)) / 1000
            for name, times, receive, send in _PROFILE.findall(self.files.get(FRR, ""))
        }

    @cached_property
    def _peers(self) -> Mapping[str, list[str]]:
        """The addresses of each peer, by its name."""
        found: dict[str, list[str]] = defaultdict(list)
        for instance in self.device.router.bgp if self.device.router else ():
            for neighbor in instance.neighbors:
                found[neighbor.device].append(str(neighbor.address))
        return found


def read(plan: Plan, builds: Iterable[DeviceBuild]) -> dict[str, Sent]:
    """Return what each device of the plan is sent, by its name."""
    files = {build.device: build.contents for build in builds}
    return {device.name: Sent(device, files.get(device.name, {})) for device in plan.devices}
