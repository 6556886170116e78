"""Where the XMPP server and what it needs are on its host."""

from pathlib import Path

UNIT = ACCOUNT = "prosody"
"""Of Debian's package: unit, and the user that the daemon runs as."""
CONFIG = Path("/etc/prosody/prosody.cfg.lua")
MODULE = Path("/usr/local/lib/heiiki/prosody/mod_auth_heiiki.lua")
"""Who logs in, as whom, and who reaches whom."""
CREDENTIALS = Path("/etc/heiiki/pki/xmpp")
"""Copies of key, certificates and CRLs; the key is for `ACCOUNT` alone."""
DEVICES = Path("/etc/heiiki/xmpp_devices.txt")
"""JIDs of the devices in service, a line each: read again when they change, without a restart."""
PROOF = Path("/etc/heiiki/xmpp.json")
"""What the proof after each start tries."""
PORT = 5222
"""Registered for clients (RFC 6120 14.7)."""
