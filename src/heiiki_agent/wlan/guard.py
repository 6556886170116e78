"""The guard of a station: wpa_supplicant reads no revocation lists, so it asks this program (CTRL-REQ).

With ``tls_ext_cert_check`` the station goes no further before it is told that the access point's certificate
is good. Without this program it joins none. A list that is past its time is used as far as it goes: the way
to a newer one leads through the access point.
"""

import logging
import re
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from heiiki_agent import status
from heiiki_agent.dot1x.places import SUPPLICANT
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.settings import FOLDER, Dns, Interface
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.verification import why_not
from heiiki_agent.pki.x509 import Certificate
from heiiki_agent.wlan import places, station
from heiiki_agent.wlan.control import Control

_PEER = re.compile(r"CTRL-EVENT-EAP-PEER-CERT depth=0 .*\bcert=([0-9a-f]+)")
_REQUEST = re.compile(r"CTRL-REQ-EXT_CERT_CHECK-(\d+):")
_BEGIN = "CTRL-EVENT-EAP-STARTED"
_ON_WIRE = ("DISCONNECT", "ENABLE_NETWORK 0", "RECONNECT", "REAUTHENTICATE")
"""On a wire nothing begins without the guard: an unanswered question is never given up."""
_LOOK_S = 1.0
_SCAN_S = 1
_AGAIN_S = 0.2
_FRESH_S = 15.0

_log = logging.getLogger("station_guard")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the guard lets the station join.

    Attributes:
        interface: the station's.
        access_point: the DNS name that the certificate of the access point, or of a wired LAN's
            authenticator, must bear.
        folder: the device's own store of certificates and lists.
        unit: whose wpa_supplicant it guards.
    """

    interface: Interface
    access_point: Dns
    folder: Path = FOLDER
    unit: str = places.STATION


def objection(settings: Settings, leaf: Certificate) -> str:
    """Return why the station may not be with an access point that showed `leaf`, or nothing.

    Raises:
        AgentError: the device's own store cannot be read.
    """
    store = Store(settings.folder)
    if settings.access_point not in leaf.names.dns:
        return f"it is not that of {settings.access_point}"
    lists = [one for one in store.lists() if one.covers(leaf)]
    if not lists:
        return "there is no list of its CA here: it cannot be known whether it is revoked"
    if any(leaf.serial in one.serials for one in lists):
        return "it is revoked"
    return why_not(leaf, store.authorities(), store.certificates("roots.pem"))


class Guard:
    """Answers one station's questions, and takes it away from an access point that is good no more."""

    def __init__(self, settings: Settings, state: Path = places.STATE) -> None:
        """Guard as `settings` say, and report to `state`."""
        self._settings, self._state = settings, state
        self._shown: Certificate | None = None
        self._refused = ""
        self._lists_are_new = False

    def run(self) -> NoReturn:
        """Run until a signal ends the process."""
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        signal.signal(signal.SIGHUP, self._remember)
        complaint = ""
        while True:
            try:
                with station.connected(self._settings.interface, self._settings.unit) as daemon:
                    complaint = ""
                    self.attend(daemon)
            except AgentError as error:
                if str(error) != complaint:
                    _log.warning("%s", error)
                complaint = str(error)
                self._report()
                time.sleep(_AGAIN_S)

    def _remember(self, *_: object) -> None:
        self._lists_are_new = True

    def attend(self, daemon: Control) -> NoReturn:
        """Answer until the station is gone, which AgentError says."""
        daemon.ordered("ATTACH")
        # An access point is away for a moment to take its new certificate; a station that looked too soon
        # would look again after 5 s.
        daemon.ask(f"SCAN_INTERVAL {_SCAN_S}")
        self._shown = None
        for command in self._first(daemon):
            daemon.ask(command)
        while True:
            self._report()
            if self._lists_are_new:
                self._lists_are_new = False
                self.examine(daemon)
            event = daemon.event(_LOOK_S)
            if event is None:
                daemon.ask("PING")
            else:
                self.note(daemon, event)

    def _first(self, daemon: Control) -> tuple[str, ...]:
        """Return what has the peer show its certificate; a question that came before has no answer."""
        if self._settings.unit == SUPPLICANT:
            return _ON_WIRE
        if daemon.facts("STATUS").get("wpa_state") == "COMPLETED":
            return ("REAUTHENTICATE",)
        # An access point goes on with what was left half-way, unless the station leaves, and begins no other
        # authentication before that has timed out, a minute later.
        return ("DISCONNECT", "RECONNECT")

    def note(self, daemon: Control, event: str) -> None:
        """Take note of what the station says, and answer what it asks."""
        if event.startswith(_BEGIN):
            self._shown = None
        elif match := _PEER.match(event):
            self._shown = Certificate.read_der(bytes.fromhex(match[1]))
        elif match := _REQUEST.match(event):
            why = self._objection()
            daemon.ordered(f"CTRL-RSP-EXT_CERT_CHECK-{match[1]}:{'bad' if why else 'good'}")

    def examine(self, daemon: Control) -> None:
        """Look once more at the access point that the station is with: lists are new."""
        if daemon.facts("STATUS").get("wpa_state") != "COMPLETED" or not self._objection():
            return
        daemon.ordered("REASSOCIATE")

    def _objection(self) -> str:
        if self._shown is None:
            why = "it showed no certificate"
        else:
            try:
                why = objection(self._settings, self._shown)
            except AgentError as error:
                why = f"it cannot be examined: {error}"
        serial = self._shown.serial if self._shown else "none"
        self._refused = f"authenticator with certificate {serial} refused: {why}" if why else ""
        if why:
            _log.warning("%s", self._refused)
        return why

    def _report(self) -> None:
        facts = {"serial": self._shown.serial if self._shown else None, "refused": self._refused}
        status.report(self._state, _FRESH_S, facts)


def health() -> int:
    """Print what the guard reports; return the exit status."""
    return status.check(places.STATE, places.GUARD)


def _leave(*_: object) -> NoReturn:
    sys.exit(0)
