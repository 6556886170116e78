"""Where access point and station are on their devices, and what they need."""

from pathlib import Path

ACCESS_POINT, STATION, GUARD = "heiiki-access-point", "heiiki-station", "heiiki-station-guard"
"""Units."""
CREDENTIALS = Path("/etc/heiiki/pki/lan")
"""Copies of key, certificates and CRLs; root's, as both daemons are."""
CERTIFICATE = CREDENTIALS / "certificate.pem"
ACCESS_POINT_CONFIG = Path("/etc/heiiki/access_point.conf")
USERS = Path("/etc/heiiki/access_point.users")
"""Which EAP identity is let in, and by which method."""
STATION_CONFIG = Path("/etc/heiiki/station.conf")
GUARD_CONFIG = Path("/etc/heiiki/station_guard.json")
STATE = Path("/run") / GUARD / "state.json"


def used(unit: str) -> Path:
    """Return the copy of the certificate that was there when a daemon began."""
    return Path("/run") / unit / "certificate.pem"


def control(unit: str, interface: str) -> Path:
    """Return the socket of a daemon's control interface."""
    return Path("/run") / unit / "control" / interface
