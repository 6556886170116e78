"""What each device is sent, read back once: this stage judges the texts, not the plan (D21)."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from heiiki.design import strongswan
from heiiki.plan.model import Device

FRR = "/etc/frr/frr.conf"
BFD = "BFD"
_KEEPALIVED = "/etc/keepalived/keepalived.conf"
_LAN_WATCH = "/etc/heiiki/lan_watch.json"

_VRRP_LOST = 3

_PROFILE = re.compile(
    r"^ profile (\S+)\n  detect-multiplier (\d+)\n  receive-interval (\d+)\n  transmit-interval (\d+)$",
    re.MULTILINE,
)
_ADVERT = re.compile(r"^\s+advert_int ([0-9.]+)$", re.MULTILINE)
_PRIORITY = re.compile(r"^\s+priority (\d+)$", re.MULTILINE)
_TRACKS = re.compile(r"^    track_file \{$", re.MULTILINE)
_SESSION = re.compile(r"^ neighbor (\S+) bfd profile (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Watch:
    """What notices that a peer is silent, and after how many seconds; None where no text says it."""

    what: str
    seconds: float | None


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

    def supervision(self, peer: str) -> Watch:
        """Return what decides over the session with `peer`."""
        return Watch(BFD, self.bfd_detection(peer))

    def bfd_detection(self, peer: str) -> float | None:
        """Return how soon the device notices that `peer` is silent, seconds; None where FRR has no such BFD.

        The peer's transmit interval times its multiplier (RFC 5880 6.8.4); both ends have one.
        """
        found = [self._profiles.get(self._sessions.get(address, "")) for address in self._peers[peer]]
        known = [item for item in found if item is not None]
        return max(known, default=None) if len(known) == len(found) else None

    @cached_property
    def least_bfd(self) -> float | None:
        """How soon the device may notice a silent peer at best, seconds; None where FRR has no BFD.

        The detection time runs from the last packet, which came at most one interval before the failure.
        """
        profiles = _PROFILE.findall(self.files.get(FRR, ""))
        return min(
            ((int(times) - 1) * min(int(receive), int(send)) / 1000 for _, times, receive, send in profiles),
            default=None,
        )

    @cached_property
    def master_down(self) -> float | None:
        """Master_Down_Interval of RFC 9568 6.1, seconds; None where keepalived has none."""
        found = self._vrrp
        return None if found is None else _VRRP_LOST * found[0] + found[1]

    @cached_property
    def least_vrrp(self) -> float | None:
        """How soon a backup may take over at best, seconds: the last advertisement is one interval old."""
        found = self._vrrp
        return None if found is None else (_VRRP_LOST - 1) * found[0] + found[1]

    @cached_property
    def lan_silent(self) -> float | None:
        """How soon the LAN watch gives the LAN up at worst, seconds; None where there is none."""
        found = self._lan_watch
        return None if found is None else found[0] * (found[1] + 1) / 1000

    @cached_property
    def route_lost(self) -> float | None:
        """How soon the other gateway takes over from one without a route beyond it at worst, seconds.

        The LAN watch waits as for a silent LAN; then keepalived resigns, and the backup takes over after its
        skew time, which is less than an advertisement interval (RFC 9568 6.1). None where a timer is missing,
        or where keepalived tracks nothing.
        """
        if self.lan_silent is None or self._vrrp is None or not _TRACKS.search(self.files[_KEEPALIVED]):
            return None
        return self.lan_silent + self._vrrp[0]

    @cached_property
    def least_lan_watch(self) -> float | None:
        """The same at best, seconds: just before a probe, and the one before was lost by chance."""
        found = self._lan_watch
        return None if found is None else found[0] * (found[1] - 1) / 1000

    @cached_property
    def _vrrp(self) -> tuple[float, float] | None:
        """Advertisement interval and skew time (RFC 9568 6.1), seconds."""
        text = self.files.get(_KEEPALIVED, "")
        advert, priority = _ADVERT.search(text), _PRIORITY.search(text)
        if advert is None or priority is None:
            return None
        interval = float(advert[1])
        return interval, (256 - int(priority[1])) / 256 * interval

    @cached_property
    def _lan_watch(self) -> tuple[int, int] | None:
        """Interval of probes, milliseconds, and how many must be lost."""
        timers = json.loads(self.files.get(_LAN_WATCH, "{}"))
        return (timers["probe_ms"], timers["lost"]) if {"probe_ms", "lost"} <= timers.keys() else None

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
