"""The program `radius`: starts FreeRADIUS once there is a certificate, and tells whether it answers.

A PE's proxy is asked by Status-Server (RFC 5997), signed with the secret that it shares with pppd; the
server, which answers by TLS alone, is connected to.
"""

import argparse
import hashlib
import hmac
import os
import secrets
import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from heiiki_agent.errors import AgentError

UNIT = "heiiki-radius"
ACCOUNT = "freerad"
"""The user that Debian's package makes."""
FOLDER = Path("/etc/heiiki/radius")
CONFIG = FOLDER / "radiusd.conf"
USERS = FOLDER / "users"
CREDENTIALS = Path("/etc/heiiki/pki/radius")
"""Copies of key, certificates and CRLs; the key is for `ACCOUNT` alone."""
SERVERS = Path("/etc/heiiki/pppoe/servers")
"""Whom pppd asks, with the secret of both."""
LAST_COPIED = "verify.pem"
"""Of the copies that FreeRADIUS reads, the one that is written last."""
PORT, ACCOUNTING_PORT, RADSEC_PORT = 1812, 1813, 2083

_FREERADIUS = "/usr/sbin/freeradius"
_LOOK_S = 0.5
_ANSWER_S = 5.0
_STATUS_SERVER, _ACCESS_ACCEPT, _MESSAGE_AUTHENTICATOR = 12, 2, 80
_HEAD = 20
WAITS = "waits for its certificate"


def main(argv: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="heiiki-agent radius", description="FreeRADIUS on this host.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("begin")
    commands.add_parser("proxy")
    commands.add_parser("server").add_argument("address")
    chosen = parser.parse_args(argv)
    if chosen.command == "begin":
        begin()
    print(proxy() if chosen.command == "proxy" else server(chosen.address))
    return 0


def begin() -> NoReturn:
    """Become FreeRADIUS, once there is the certificate that its configuration names."""
    while not _has_what_it_needs():
        time.sleep(_LOOK_S)
    os.execv(_FREERADIUS, [_FREERADIUS, "-f", "-l", "stdout", "-d", str(FOLDER)])  # noqa: S606 - no shell


def _has_what_it_needs() -> bool:
    needs = str(CREDENTIALS) in CONFIG.read_text(encoding="utf-8")
    return not needs or (CREDENTIALS / LAST_COPIED).is_file()


def proxy() -> str:
    """Tell that the proxy of this host answers pppd, or what it waits for.

    Raises:
        AgentError: it does not.
    """
    if not _has_what_it_needs():
        return WAITS
    host, secret = _shared(SERVERS.read_text(encoding="utf-8"))
    asked = status_server(secret.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_ANSWER_S)
        asking.connect((host, PORT))
        asking.send(asked)
        try:
            answer = asking.recv(4096)
        except OSError as error:
            raise AgentError(f"FreeRADIUS at {host}:{PORT} does not answer: {error}") from error
    if len(answer) < _HEAD or answer[:2] != bytes((_ACCESS_ACCEPT, asked[1])):
        raise AgentError(f"FreeRADIUS at {host}:{PORT} answers something else to Status-Server")
    return "answers"


def _shared(text: str) -> tuple[str, str]:
    """Return host and secret of the first line of a file of pppd's that is none of comments."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and not line.startswith("#"):
            return words[0], words[1]
    raise AgentError(f"{SERVERS} names no server")


def status_server(secret: bytes, number: int | None = None, authenticator: bytes | None = None) -> bytes:
    """Return a signed Status-Server packet (RFC 5997 3, RFC 2869 5.14); random, but for what is given."""
    chosen = secrets.randbelow(256) if number is None else number
    random = authenticator or secrets.token_bytes(16)
    head = struct.pack("!BBH", _STATUS_SERVER, chosen, _HEAD + 18) + random
    unsigned = head + bytes((_MESSAGE_AUTHENTICATOR, 18)) + bytes(16)
    return unsigned[:-16] + hmac.new(secret, unsigned, hashlib.md5).digest()


def server(address: str) -> str:
    """Tell that the server of this host listens, or what it waits for.

    Raises:
        AgentError: it does not.
    """
    if not _has_what_it_needs():
        return WAITS
    try:
        socket.create_connection((address, RADSEC_PORT), _ANSWER_S).close()
    except OSError as error:
        raise AgentError(f"FreeRADIUS at {address}:{RADSEC_PORT} does not listen: {error}") from error
    return "listens"
