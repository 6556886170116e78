"""The authenticator, by hostapd's control interface: with what it runs, and whom it has let in."""

import json

from heiiki_agent.dot1x import places
from heiiki_agent.wlan import access_point

SHOWN = (
    "flags",
    "dot1xAuthAuthControlledPortStatus",
    "dot1xAuthBackendAuthSuccesses",
    "dot1xAuthSessionUserName",
    "last_eap_type_sta",
)
"""What is told of a supplicant."""


def health(interface: str) -> int:
    """Print with what it runs, or that it waits for its certificate; return the exit status."""
    if not places.CERTIFICATE.is_file():
        print(json.dumps({"waits": f"{places.CERTIFICATE} is not there yet: enrol the device"}))
        return 0
    with access_point.connected(interface, places.AUTHENTICATOR) as daemon:
        state = daemon.facts("STATUS").get("state", "")
        found = [
            {"address": address, **{key: facts.get(key, "") for key in SHOWN}}
            for address, facts in daemon.stations()
        ]
    print(json.dumps({"runs": {"state": state}, "supplicants": found}))
    return 0 if state == "ENABLED" else 1


def renew(interface: str) -> int:
    """Have it use its certificate if that is new, else examine its supplicant by the lists that are new."""
    return access_point.renew(interface, places.AUTHENTICATOR)
