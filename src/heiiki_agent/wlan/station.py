"""The station, by wpa_supplicant's control interface: with what it runs, and where it is."""

import json
from collections.abc import Iterable, Mapping

from heiiki_agent.wlan import places
from heiiki_agent.wlan.control import Control

SETTINGS = (
    "ssid",
    "key_mgmt",
    "proto",
    "pairwise",
    "group",
    "ieee80211w",
    "eap",
    "identity",
    "domain_match",
    "phase1",
    "ca_cert",
)
"""What is read of its network, as its configuration calls it."""
_NETWORK = "0"
NOT_SHOWN = ("eap_session_id", "uuid")
"""What of its status is not told."""


def connected(interface: str, unit: str = places.STATION) -> Control:
    """Return a connection to the station, or to the wpa_supplicant of another unit.

    Raises:
        AgentError: it does not run.
    """
    return Control(places.control(unit, interface), unit)


def running(daemon: Control, settings: Iterable[str] = SETTINGS) -> Mapping[str, str]:
    """Return `settings` of its network, as it runs with them."""
    return {key: daemon.ask(f"GET_NETWORK {_NETWORK} {key}").strip('"') for key in settings}


def health(interface: str) -> int:
    """Print with what it runs, or that it waits for its certificate; return the exit status."""
    if not places.CERTIFICATE.is_file():
        print(json.dumps({"waits": f"{places.CERTIFICATE} is not there yet: enrol the device"}))
        return 0
    with connected(interface) as daemon:
        networks = len(daemon.ask("LIST_NETWORKS").splitlines()) - 1
        status = {key: value for key, value in daemon.facts("STATUS").items() if key not in NOT_SHOWN}
        beacon = daemon.facts(f"BSS {status.get('bssid', '')}").get("ie", "")
        said = {"runs": running(daemon), "networks": networks, "status": status, "beacon": beacon}
    print(json.dumps(said))
    return 0
