"""The start of both daemons: each waits for the device's first certificate, without which it is of no use."""

from collections.abc import Mapping
from typing import NoReturn

from heiiki_agent.dot1x import places
from heiiki_agent.wlan.begin import become

_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    places.AUTHENTICATOR: ("/usr/sbin/hostapd", str(places.AUTHENTICATOR_CONFIG)),
    places.SUPPLICANT: ("/usr/sbin/wpa_supplicant", "-D", "wired", "-c", str(places.SUPPLICANT_CONFIG), "-i"),
}


def begin(unit: str, interface: str) -> NoReturn:
    """Become the daemon of `unit` once there is a certificate, and note which it was."""
    own = (interface,) if unit == places.SUPPLICANT else ()
    become(unit, (*_PROGRAMS[unit], *own))
