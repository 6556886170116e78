"""The supplicant, by wpa_supplicant's control interface: with what it runs, and how far it has come."""

import json

from heiiki_agent.dot1x import places
from heiiki_agent.wlan import station

SETTINGS = ("key_mgmt", "eapol_flags", "eap", "identity", "domain_match", "phase1", "ca_cert")
"""What is read of its network, as its configuration calls it."""


def health(interface: str) -> int:
    """Print with what it runs, or that it waits for its certificate; return the exit status."""
    if not places.CERTIFICATE.is_file():
        print(json.dumps({"waits": f"{places.CERTIFICATE} is not there yet: enrol the device"}))
        return 0
    with station.connected(interface, places.SUPPLICANT) as daemon:
        networks = len(daemon.ask("LIST_NETWORKS").splitlines()) - 1
        status = {key: value for key, value in daemon.facts("STATUS").items() if key not in station.NOT_SHOWN}
        said = {"runs": station.running(daemon, SETTINGS), "networks": networks, "status": status}
    print(json.dumps(said))
    return 0
