"""Where the programs of MMS and what they need are on a device."""

from pathlib import Path
from typing import Literal

End = Literal["server", "client"]

ACCOUNT = "heiiki-mms"
CREDENTIALS = Path("/etc/heiiki/pki/mms")
"""Copies of key, certificates and CRLs; the key is for `ACCOUNT` alone."""
STATE = Path("/var/lib/heiiki-mms")
PORT = 3782
"""TCP port of MMS over TLS (IEC 62351-4: iso-tsap over TLS)."""
MODELS = Path("/etc/heiiki/mms")
"""SCL files of what is controlled: the server has its own, the client each that a site of its has."""
MEASUREMENT, EVENT, SCHEDULE = "measurement", "event", "schedule"
"""Report control blocks of a model, in LLN0."""


def unit(end: End) -> str:
    """Return the name of an end's systemd unit."""
    return f"heiiki-mms-{end}"


def config_file(end: End) -> Path:
    """Return the file that an end reads."""
    return Path(f"/etc/heiiki/mms_{end}.json")


def run_folder(end: End) -> Path:
    """Return the folder of an end's sockets and status."""
    return Path(f"/run/{unit(end)}")


def operator_socket() -> Path:
    """Return the socket on which the client's operator is answered."""
    return run_folder("client") / "operator"


def status_file(end: End) -> Path:
    """Return the file in which an end says how it is."""
    return run_folder(end) / "status.json"
