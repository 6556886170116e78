"""Supervision of sites' gateways at the hub: one that goes silent may have been carried away (TR-1072 4.4).

The hub's end of each tunnel asks its peer for liveness every few seconds (RFC 7296 2.4), so an IKE SA that
stands is a gateway that was heard just now. One without for `SILENT_S` raises an alarm: a line in the log of
priority alert, with the command that bars the gateway. All of them at once are a line or a network that
failed, and one line.
"""

import logging
import time
from collections.abc import Mapping

from heiiki_agent.pki.associations import session

SILENT_S = 300.0

_log = logging.getLogger("credentials")


def heard(names: Mapping[str, str]) -> dict[str, bool]:
    """Return, for each connection that strongSwan has loaded, whether an IKE SA of it stands.

    One that is not loaded was withdrawn: its device is revoked.

    Args:
        names: the device at the other end, by connection.

    Raises:
        AgentError: strongSwan does not answer.
    """
    with session() as daemon:
        loaded = daemon.request("get-conns").get("conns", [])
        told = daemon.streamed("list-sas", "list-sa")
    standing = {
        name
        for event in told
        for name, association in event.items()
        if association["state"] in {"ESTABLISHED", "REKEYING"}
    }
    return {device: name in standing for name, device in names.items() if name in loaded}


class Supervision:
    """How long each gateway has been silent."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def look(self, names: Mapping[str, str]) -> dict[str, float]:
        """Return the silent ones, and for how many seconds; says aloud who is silent for too long.

        Args:
            names: the device at the other end, by connection.

        Raises:
            AgentError: strongSwan does not answer.
        """
        found, now = heard(names), time.monotonic()
        self._since = {name: self._since.get(name, now) for name, there in found.items() if not there}
        silent = {name: round(now - since, 1) for name, since in self._since.items()}
        self._tell({name for name, seconds in silent.items() if seconds >= SILENT_S}, len(found))
        return silent

    def _tell(self, late: set[str], supervised: int) -> None:
        for name in sorted(self._told - late):
            _log.warning("%s: is heard again, or no longer asked for", name)
        fresh = sorted(late - self._told)
        minutes = SILENT_S / 60
        if fresh and len(late) == supervised > 1:
            _log.error("no gateway was heard for %.0f minutes: the line or the network is down", minutes)
        else:
            for name in fresh:
                _log.critical("%s: was not heard for %.0f minutes; %s", name, minutes, remedy(name))
        self._told = late


def remedy(device: str) -> str:
    """Return what to do about a gateway that is silent."""
    return (
        "if nothing else explains it, it may have been stolen; to bar it: "
        f"ansible-playbook playbooks/revoke.yml -e heiiki_device={device}"
    )
