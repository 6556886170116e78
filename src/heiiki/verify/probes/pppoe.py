"""Probe: attempt what an optical line must refuse, beside the session that stands.

``line`` runs at the site's router: it answers a challenge with the line's password, which so never leaves the
device, and asks for a second session (RFC 2516). ``ask`` runs at the PE: its proxy is asked about answers to
challenges, as pppd would ask (RFC 2865). Where it forwards to another PE by UDP, that one is asked without a
signature, too (Message-Authenticator, RFC 2869 5.14), and right after with one.
"""

import hashlib
import os
import re
import secrets
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

from heiiki_agent import radius

_DISCOVERY = 0x8863
_PADI, _PADO, _PADR, _PADS, _PADT = 0x09, 0x07, 0x19, 0x65, 0xA7
_SERVICE, _AC_NAME, _HOST_UNIQ, _COOKIE = 0x0101, 0x0102, 0x0103, 0x0104
_ERRORS = (0x0201, 0x0202, 0x0203)
"""Tags of errors: service name, system, generic."""
_BROADCAST = b"\xff" * 6
_HEAD, _TAG, _ETHERNET = 6, 4, 14
_WAIT_S = 4.0
_ACCESS_REQUEST = 1
_USER_NAME, _CHAP_PASSWORD, _CHAP_CHALLENGE, _NAS_PORT_ID = 1, 3, 60, 87
_SILENCE_S = 3.0
_UPSTREAM = re.compile(r"^home_server home {\n.*?^\tsecret = (\S+)$", re.MULTILINE | re.DOTALL)
_PASSWORD = re.compile(r'^password "(.*)"$', re.MULTILINE)


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Do what ``do`` says: ``line`` or ``ask``."""
    return {"line": _line, "ask": _ask}[parameters["do"]](parameters)


def _line(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to ``challenge``, and what became of a second session on ``port``."""
    found = _PASSWORD.search(Path(parameters["options"]).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{parameters['options']} holds no password")
    answer = chap(parameters["number"], found[1], bytes.fromhex(parameters["challenge"]))
    return {"answer": answer.hex(), "second": _second(parameters["port"])}


def chap(number: int, password: str, challenge: bytes) -> bytes:
    """Return the answer to a challenge (RFC 1994 4.1): MD5 over number, password and challenge."""
    return hashlib.md5(bytes((number,)) + password.encode() + challenge, usedforsecurity=False).digest()


def packet(code: int, session: int, tags: list[tuple[int, bytes]]) -> bytes:
    """Return a packet of discovery (RFC 2516 4)."""
    body = b"".join(struct.pack("!HH", kind, len(value)) + value for kind, value in tags)
    return struct.pack("!BBHH", 0x11, code, session, len(body)) + body


def parsed(data: bytes) -> tuple[int, int, dict[int, bytes]]:
    """Return code, session and tags of a packet of discovery; of a tag that comes twice, the last."""
    _, code, session, length = struct.unpack_from("!BBHH", data)
    tags, rest = {}, data[_HEAD : _HEAD + length]
    while len(rest) >= _TAG:
        kind, size = struct.unpack_from("!HH", rest)
        tags[kind], rest = rest[_TAG : _TAG + size], rest[_TAG + size :]
    return code, session, tags


def _second(port: str) -> dict[str, Any]:
    """Ask for a session as a router does, and give it back if there is one."""
    mark = secrets.token_bytes(8)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_DISCOVERY)) as wire:
        wire.bind((port, _DISCOVERY))
        own = wire.getsockname()[4]
        offer = _asked(wire, own, _BROADCAST, (_PADI, _PADO), [(_SERVICE, b""), (_HOST_UNIQ, mark)])
        if offer is None:
            return {"offered": ""}
        there, _, tags = offer
        name = tags.get(_AC_NAME, b"").decode(errors="replace")
        asked = [(_SERVICE, b""), (_HOST_UNIQ, mark), (_COOKIE, tags.get(_COOKIE, b""))]
        taken = _asked(wire, own, there, (_PADR, _PADS), asked)
        if taken is None:
            return {"offered": name, "silent": True}
        _, session, said = taken
        if session:
            wire.send(there + own + struct.pack("!H", _DISCOVERY) + packet(_PADT, session, []))
        errors = [said[kind].decode(errors="replace") for kind in _ERRORS if kind in said]
        return {"offered": name, "session": session, "errors": errors}


def _asked(
    wire: socket.socket, own: bytes, to: bytes, codes: tuple[int, int], tags: list[tuple[int, bytes]]
) -> tuple[bytes, int, dict[int, bytes]] | None:
    """Send one packet and return sender, session and tags of its answer; None where none comes."""
    asked, wanted = codes
    mark = dict(tags)[_HOST_UNIQ]
    wire.send(to + own + struct.pack("!H", _DISCOVERY) + packet(asked, 0, tags))
    until = time.monotonic() + _WAIT_S
    while (left := until - time.monotonic()) > 0:
        wire.settimeout(left)
        try:
            frame = wire.recv(2048)
        except TimeoutError:
            break
        code, session, found = parsed(frame[_ETHERNET:])
        if (frame[:6], code, found.get(_HOST_UNIQ)) == (own, wanted, mark):
            return frame[6:12], session, found
    return None


def _ask(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what the proxy says to each of ``attempts`` (name: user, line, number, answer, challenge)."""
    secret = _secret(Path(parameters["servers"]).read_text(encoding="utf-8"))
    found = {one["name"]: _one(one, secret, parameters["address"]) for one in parameters["attempts"]}
    upstream = parameters.get("upstream")
    return {"attempts": found, "unsigned": None if upstream is None else _unsigned(upstream)}


def _unsigned(asked: dict[str, Any]) -> dict[str, bool]:
    """Ask the next proxy without a signature, and right after whether it is there, with one (RFC 5997)."""
    found = _UPSTREAM.search(Path(asked["config"]).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{asked['config']} names no other proxy")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind((asked["source"], 0))
        wire.connect((asked["address"], radius.PORT))
        return {
            "answered": _is_answered(wire, access_request(asked)),
            "signed": _is_answered(wire, radius.status_server(found[1].encode())),
        }


def access_request(asked: dict[str, Any]) -> bytes:
    """Return a request as pppd makes it (RFC 2865 4.1): nothing in it depends on the secret of both."""
    answer = bytes((asked["number"],)) + bytes.fromhex(asked["answer"])
    attributes = (
        (_USER_NAME, asked["user"].encode()),
        (_CHAP_PASSWORD, answer),
        (_NAS_PORT_ID, asked["line"].encode()),
        (_CHAP_CHALLENGE, bytes.fromhex(asked["challenge"])),
    )
    body = b"".join(bytes((kind, 2 + len(value))) + value for kind, value in attributes)
    head = struct.pack("!BBH", _ACCESS_REQUEST, secrets.randbelow(256), 20 + len(body))
    return head + secrets.token_bytes(16) + body


def _is_answered(wire: socket.socket, packet: bytes) -> bool:
    """Tell whether an answer with the packet's own number comes."""
    wire.send(packet)
    until = time.monotonic() + _SILENCE_S
    while (left := until - time.monotonic()) > 0:
        wire.settimeout(left)
        try:
            answer = wire.recv(4096)
        except OSError:
            return False
        if answer[1:2] == packet[1:2]:
            return True
    return False


def _secret(text: str) -> str:
    return next(line.split()[1] for line in text.splitlines() if line and not line.startswith("#"))


def _one(attempt: dict[str, Any], secret: str, address: str) -> dict[str, Any]:
    """Ask by radclient, which is FreeRADIUS' own; the secret goes by a pipe, not by the list of processes."""
    request = (
        f'User-Name = "{attempt["user"]}", NAS-Port-Id = "{attempt["line"]}", '
        f"CHAP-Password = 0x{attempt['number']:02x}{attempt['answer']}, "
        f"CHAP-Challenge = 0x{attempt['challenge']}\n"
    )
    reading, writing = os.pipe()
    try:
        os.write(writing, f"{secret}\n".encode())
        os.close(writing)
        done = subprocess.run(
            ["radclient", "-x", "-r", "1", "-t", "12", "-S", f"/dev/fd/{reading}", address, "auth"],
            input=request.encode(),
            capture_output=True,
            pass_fds=(reading,),
            timeout=30,
            check=False,
        )
    finally:
        os.close(reading)
    return came_of(done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace"))


def came_of(said: str) -> dict[str, Any]:
    """Return kind and attributes of the answer in what radclient printed; no kind where there is none."""
    _, received, rest = said.partition("Received ")
    kind = rest.split(" ", 1)[0] if received else ""
    pairs = re.findall(r"^\t(\S+) = (.*)$", rest, re.MULTILINE)
    return {"kind": kind, "attributes": {name: value.strip('"') for name, value in pairs}}
