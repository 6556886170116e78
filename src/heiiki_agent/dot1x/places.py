"""Where authenticator and supplicant are on their devices, and what they need."""

from pathlib import Path

from heiiki_agent.wlan.places import CERTIFICATE, CREDENTIALS, control, used

__all__ = ("CERTIFICATE", "CREDENTIALS", "control", "used")

AUTHENTICATOR, SUPPLICANT = "heiiki-authenticator", "heiiki-supplicant"
GUARD, PORT = "heiiki-supplicant-guard", "heiiki-controlled-port"
"""Units."""
AUTHENTICATOR_CONFIG = Path("/etc/heiiki/authenticator.conf")
USERS = Path("/etc/heiiki/authenticator.users")
"""Which EAP identity is let in, and by which method."""
SUPPLICANT_CONFIG = Path("/etc/heiiki/supplicant.conf")
GUARD_CONFIG = Path("/etc/heiiki/supplicant_guard.json")
PORT_CONFIG = Path("/etc/heiiki/controlled_port.json")
GUARD_STATE = Path("/run") / GUARD / "state.json"
PORT_STATE = Path("/run") / PORT / "state.json"
