"""The controlled port of a wired LAN (IEEE 802.1X-2020 6.3): shut, but for whom EAP has let in.

hostapd and wpa_supplicant authenticate over a wire, and hold no frame back there. The device's packet filter
does: it drops whatever comes in by the port from a link address that is not in a set of its own, and lets
nothing out while the set is empty. EAPOL, by which one gets in, is no IP and passes it by. This program keeps
the set as the daemon says. What it puts there is gone after `LEASE_S` unless it says it again, so that the
port is shut when it dies; when the daemon does, it is shut at once. After a loss of the link both ends
authenticate again, before anything is let through: somebody may have been plugged in.
"""

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NoReturn

from heiiki_agent import netlink, status
from heiiki_agent.dot1x import link, places
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.settings import Interface
from heiiki_agent.ready import readable
from heiiki_agent.wlan.control import Control

LEASE_S = 10
_AGAIN_S, _LOOK_S, _RENEW_S, _ANEW_S, _FRESH_S = 0.2, 1.0, 2.0, 5.0, 15.0
_NFT_S = 5.0
_TABLES = ("inet", "arp")
_SHUT = "\n".join(
    f"flush set {family} heiiki {name}" for family in _TABLES for name in ("let_in", "authorized")
)

_log = logging.getLogger("controlled_port")

LinkAddress = Annotated[str, r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"]
Sessions = Mapping[str, str]
"""By link address, what tells one authentication of it from the next."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A port.

    Attributes:
        interface: its name.
        side: which of both ends this is.
        peer: link address of the other end.
    """

    interface: Interface
    side: Literal["authenticator", "supplicant"]
    peer: LinkAddress


class Authenticator:
    """What hostapd says of its supplicants."""

    unit = places.AUTHENTICATOR

    def __init__(self, settings: Settings) -> None:
        """Of the port of `settings`."""
        self._settings = settings

    def sessions(self, daemon: Control) -> Sessions:
        """Return who is authorized."""
        stations = dict(daemon.stations())
        if self._settings.peer not in stations:
            # It waits to be spoken to, and the other end does not know that it began again.
            daemon.ask(f"NEW_STA {self._settings.peer}")
        return {
            address: f"{facts.get('dot1xAuthSessionId')} {facts.get('dot1xAuthBackendAuthSuccesses')}"
            for address, facts in stations.items()
            if "[AUTHORIZED]" in facts.get("flags", "")
        }

    def again(self, daemon: Control, address: str) -> None:
        """Have a supplicant authenticate again."""
        daemon.ask(f"EAPOL_REAUTH {address}")


class Supplicant:
    """What wpa_supplicant says of its authenticator."""

    unit = places.SUPPLICANT

    def __init__(self, settings: Settings) -> None:
        """Of the port of `settings`."""
        self._settings = settings

    def sessions(self, daemon: Control) -> Sessions:
        """Return the authenticator, if it is authenticated."""
        said = daemon.facts("STATUS")
        good = said.get("suppPortStatus") == "Authorized" and said.get("EAP state") == "SUCCESS"
        return {self._settings.peer: said.get("eap_session_id", "")} if good else {}

    def again(self, daemon: Control, _address: str) -> None:
        """Have the authenticator begin again."""
        daemon.ask("REAUTHENTICATE")


class Filter:
    """The sets of the packet filter."""

    def __init__(self, interface: str) -> None:
        """Of the port `interface`."""
        self._interface = interface
        self._held: tuple[str, ...] | None = None
        self._renewed = 0.0

    def let_in(self, addresses: Collection[str]) -> None:
        """Let in `addresses` alone; nothing goes out either where there are none.

        Raises:
            AgentError: the filter is not loaded, or nft fails. What it held before is not known then.
        """
        wanted, now = tuple(sorted(addresses)), time.monotonic()
        if wanted == self._held and (not wanted or now - self._renewed < _RENEW_S):
            return
        self._held = None
        lines = [_SHUT]
        for family in _TABLES if wanted else ():
            elements = ", ".join(f"{one} timeout {LEASE_S}s" for one in wanted)
            lines.append(f"add element {family} heiiki let_in {{ {elements} }}")
            lines.append(
                f'add element {family} heiiki authorized {{ "{self._interface}" timeout {LEASE_S}s }}'
            )
        _nft("\n".join(lines))
        self._held, self._renewed = wanted, now


class Port:
    """Keeps one port as the daemon at its end says."""

    def __init__(self, settings: Settings) -> None:
        """Keep the port of `settings`."""
        self._settings = settings
        self._end = (Authenticator if settings.side == "authenticator" else Supplicant)(settings)
        self._filter = Filter(settings.interface)
        self._kernel = netlink.Requests()
        self._changes = netlink.Changes(netlink.GROUP_LINK)
        self._losses: int | None = None
        self._barred: dict[str, str] = {}
        self._asked = 0.0

    def run(self) -> NoReturn:
        """Run until a signal ends the process; the port is shut then."""
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        complaint = ""
        try:
            while True:
                try:
                    self._shut("")
                    unit = self._end.unit
                    with Control(places.control(unit, self._settings.interface), unit) as daemon:
                        complaint = ""
                        self._attend(daemon)
                except (AgentError, OSError) as error:
                    if str(error) != complaint:
                        _log.warning("%s", error)
                    complaint = str(error)
                    self._shut(complaint)
                    time.sleep(_AGAIN_S)
        finally:
            shut()

    def _shut(self, why: str) -> None:
        try:
            self._filter.let_in(())
        except AgentError as error:
            # Its sets come empty when it is loaded, and what they hold is gone after a while.
            why = "; ".join(filter(None, (why, str(error))))
        self._report((), why)

    def _attend(self, daemon: Control) -> NoReturn:
        """Keep the port until the daemon is gone, which AgentError says."""
        daemon.ordered("ATTACH")
        while True:
            inside, why = self._look(daemon)
            self._filter.let_in(inside)
            self._report(inside, why)
            self._wait(daemon)

    def _look(self, daemon: Control) -> tuple[tuple[str, ...], str]:
        """Return who may be let in, and why none may, if so."""
        now, there = time.monotonic(), link.read(self._kernel, self._settings.interface)
        sessions = self._end.sessions(daemon)
        if there.losses != self._losses:
            # What was before the first look may have been before a loss, too.
            self._barred, self._losses, self._asked = dict(sessions), there.losses, 0.0
        if not there.up:
            return (), f"{self._settings.interface} has no carrier"
        waiting = [address for address, one in sessions.items() if self._barred.get(address) == one]
        if waiting and now - self._asked > _ANEW_S:
            self._asked = now
            for address in waiting:
                self._end.again(daemon, address)
        inside = tuple(address for address in sessions if address not in waiting)
        return inside, "" if inside else "no peer has authenticated"

    def _wait(self, daemon: Control) -> None:
        """Wait until the daemon says something, the link changes, or it is time to look again."""
        if daemon.forget():
            return
        if daemon.fileno() in readable((daemon.fileno(), self._changes.fileno()), _LOOK_S):
            daemon.event(0.0)
        self._changes.pending()

    def _report(self, inside: Collection[str], why: str) -> None:
        facts = {"interface": self._settings.interface, "let_in": sorted(inside), "why": why}
        status.report(places.PORT_STATE, _FRESH_S, facts)


def shut() -> None:
    """Shut the port.

    Raises:
        AgentError: the filter is not loaded, or nft fails.
    """
    _nft(_SHUT)


def health() -> int:
    """Print what the port reports; return the exit status."""
    return status.check(places.PORT_STATE, places.PORT)


def _nft(script: str) -> None:
    try:
        done = subprocess.run(
            ["nft", "-f", "-"], input=script, capture_output=True, text=True, timeout=_NFT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError(f"nft cannot be run: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise AgentError(f"the packet filter does not take it: {said[0] if said else 'nft says nothing'}")


def _leave(*_: object) -> NoReturn:
    sys.exit(0)
