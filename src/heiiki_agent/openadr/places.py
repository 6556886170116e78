"""Where the programs of OpenADR and what they need are on a device."""

from pathlib import Path
from typing import Literal

End = Literal["vtn", "ven"]

ACCOUNT = "heiiki-openadr"
CREDENTIALS = Path("/etc/heiiki/pki/openadr")
"""Copies of key, certificates and CRLs; the key is for `ACCOUNT` alone."""
STATE = Path("/var/lib/heiiki-openadr")
PORT = 8443
"""TCP port of a VTN: no port that only root may open."""
REST_PORT = 8444
"""TCP port of a VTN's REST API."""
PAIR_PORT = 8446
"""TCP port at which a host of a VTN takes the book from the other host."""
PATH = "/OpenADR2/Simple/2.0b/"
"""Where the services are on a VTN (OpenADR 2.0b, simple HTTP)."""
CONTENT_TYPE = "application/xml"


def unit(end: End) -> str:
    """Return the name of an end's systemd unit."""
    return f"heiiki-openadr-{end}"


def config_file(end: End) -> Path:
    """Return the file that an end reads."""
    return Path(f"/etc/heiiki/openadr_{end}.json")


def run_folder(end: End) -> Path:
    """Return the folder of an end's sockets and status."""
    return Path(f"/run/{unit(end)}")


def control_socket() -> Path:
    """Return the socket on which the VTN's operator is answered."""
    return run_folder("vtn") / "control"


def status_file(end: End) -> Path:
    """Return the file in which an end says how it is."""
    return run_folder(end) / "status.json"
