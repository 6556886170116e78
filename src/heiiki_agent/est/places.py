"""Where the program and what it needs are on its host."""

from pathlib import Path

ACCOUNT = "heiiki-est"
UNIT = "heiiki-est"
CREDENTIALS = Path("/etc/heiiki/pki/est")
"""Copies of key, certificates and CRLs; the key is for `ACCOUNT` alone."""
STATE = Path("/var/lib/heiiki-est")
CONFIG = Path("/etc/heiiki/est.json")
RUN = Path("/run/heiiki-est")
CONTROL = RUN / "control"
"""The operator's socket, for root."""
STATUS = RUN / "status.json"
LOG_IN = "registrar"
"""What the program is called at the Vault server: its policy there, and its log-in by certificate."""
PORT = 8445
"""TCP port: no port that only root may open, beside those of the VTN."""
PREFIX = "/.well-known/est"
"""Where the operations are (RFC 7030 3.2.2)."""
