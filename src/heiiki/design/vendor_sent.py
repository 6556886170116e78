"""What a vendor's CE router is sent, read back from its file as the texts of a Linux router are (D21)."""

import math
import re
from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Address

from heiiki.design.sent import BFD, Sent, Watch
from heiiki.plan import names
from heiiki.plan.model import Network
from heiiki.plan.vendors import PLATFORMS, Platform
from heiiki.render.vendors import sent

_VRRP_LOST = 3
_PRIORITIES = 256


class VendorSent(Sent):
    """The file of one device, and what it says of timers."""

    @cached_property
    def platform(self) -> Platform:
        """The device's platform."""
        return PLATFORMS[self.device.platform]

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return sent(dict(self.files), self.device.platform)

    def supervision(self, peer: str) -> Watch:
        """Return BFD of the session with `peer`; the session's hold time where the platform has none."""
        (address,) = self._peers[peer]
        words, place = self.platform.timers, {"address": re.escape(address), "port": self._port(address)}
        if words.session and self._find(words.session, place) and (found := self._find(words.bfd, place)):
            return Watch(BFD, int(found[1]) * int(found[2]) / 1000)
        hold = self._find(words.hold, place)
        return Watch("BGP hold time", float(hold[1]) if hold else None)

    def bfd_detection(self, peer: str) -> float | None:
        """Return how soon the device notices that `peer` is silent, seconds; None where no text says it."""
        return self.supervision(peer).seconds

    @cached_property
    def master_down(self) -> float | None:
        """Master_Down_Interval (RFC 9568 6.1, RFC 3768 6.1), seconds."""
        advert, priority = self._advertisement, self._find(self.platform.timers.priority)
        if advert is None or priority is None:
            return None
        skew = (_PRIORITIES - int(priority[1])) / _PRIORITIES
        # Version 2 counts the skew in seconds, version 3 in advertisement intervals.
        return _VRRP_LOST * advert + skew * (advert if self.platform.timers.advertisement_s < 1 else 1.0)

    @cached_property
    def lan_silent(self) -> float | None:
        """How soon a silent LAN is given up at worst, seconds; infinite where the platform has no watch."""
        if not self.platform.timers.probe:
            return math.inf
        found = self._find(self.platform.timers.probe)
        return None if found is None else float(found["every"]) + int(found["wait"]) / 1000

    @cached_property
    def route_lost(self) -> float | None:
        """How soon the other gateway takes over from one without a route beyond it at worst, seconds."""
        if not self.platform.timers.route:
            return math.inf
        found = self._find(self.platform.timers.route)
        if found is None or self._advertisement is None:
            return None
        # Without a figure it is an event, not a look from time to time.
        looked = int(found[1]) / 1000 if found.groups() else 0.0
        return looked + self._advertisement

    @cached_property
    def ike_gives_up(self) -> float | None:
        """How soon a dead IKE peer is given up, seconds; None where the text does not say it."""
        words = self.platform.timers
        found = self._find(words.liveness)
        if found is None:
            return None
        if words.liveness_tries:
            return float(found[1]) + words.liveness_tries * float(found[2])
        return float(found[1]) * (1 + int(found[2]))

    @cached_property
    def tunnel_mtu(self) -> int | None:
        """The largest packet in the tunnel, octets; None where the text does not say it."""
        found = self._find(self.platform.timers.mtu, {"port": re.escape(self.platform.ports.tunnel)})
        return None if found is None else int(found[1])

    @cached_property
    def _advertisement(self) -> float | None:
        found = self._find(self.platform.timers.advertisement)
        return None if found is None else float(found[1]) * self.platform.timers.advertisement_s

    def _find(self, pattern: str, values: Mapping[str, str] | None = None) -> re.Match[str] | None:
        for key, value in (values or {}).items():
            pattern = pattern.replace(f"{{{key}}}", value)
        return re.search(pattern, self.text, re.MULTILINE) if pattern else None

    def _port(self, address: str) -> str:
        """Return the name of the port by which a peer is reached, as a pattern."""
        ports = self.platform.ports
        by_plan = {names.ACCESS_A_IF: ports.access, names.ON[Network.A].tunnel: ports.tunnel}
        for name, port in by_plan.items():
            if any(IPv4Address(address) in one.network for one in self.device.interface(name).addresses):
                return re.escape(port)
        return re.escape(ports.lan)
