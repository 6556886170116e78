"""The start of both daemons: each waits for the device's first certificate, without which it is of no use."""

import os
import time
from collections.abc import Mapping
from typing import NoReturn

from heiiki_agent import files
from heiiki_agent.wlan import places

_LOOK_S = 0.5
_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    places.ACCESS_POINT: ("/usr/sbin/hostapd", str(places.ACCESS_POINT_CONFIG)),
    places.STATION: ("/usr/sbin/wpa_supplicant", "-D", "nl80211", "-c", str(places.STATION_CONFIG), "-i"),
}


def begin(unit: str, interface: str) -> NoReturn:
    """Become the daemon of `unit` once there is a certificate, and note which it was."""
    own = (interface,) if unit == places.STATION else ()
    become(unit, (*_PROGRAMS[unit], *own))


def become(unit: str, argv: tuple[str, ...]) -> NoReturn:
    """Become the program of `argv` once there is a certificate, and note which it was for `unit`."""
    while not places.CERTIFICATE.is_file():
        time.sleep(_LOOK_S)
    files.write(places.used(unit), places.CERTIFICATE.read_text(encoding="ascii"))
    os.execv(argv[0], argv)  # noqa: S606 - its own path, no shell
