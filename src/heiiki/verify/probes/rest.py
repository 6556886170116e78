"""Probe: knock at what DRAS serves by HTTPS as the system of an ESP that this host is, or as another.

Needs nothing of ours on the host. No attempt changes anything: none sends an event, none has anything signed.
"""

import http.client
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
_TIMEOUT_S = 10.0
_LONGEST = 65_536


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what came of each of ``attempts``, by the version of TLS."""
    return {"attempts": {one["name"]: _by_version(one, parameters) for one in parameters["attempts"]}}


def _by_version(attempt: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    versions = {"TLS 1.1": ssl.TLSVersion.TLSv1_1} if attempt.get("obsolete") else _VERSIONS
    return {name: _came_of(attempt, place, version) for name, version in versions.items()}


def _came_of(attempt: dict[str, Any], place: dict[str, Any], version: ssl.TLSVersion) -> dict[str, Any]:
    try:
        line = socket.create_connection((place["address"], place["port"]), timeout=_TIMEOUT_S)
    except OSError as error:
        return {"stage": "tcp", "cause": str(error)}
    try:
        with line, _context(attempt, place, version).wrap_socket(line, server_hostname=place["name"]) as tls:
            return _asked(tls, attempt)
    except (OSError, http.client.HTTPException) as error:
        return {"stage": "tls", "cause": str(error) or type(error).__name__}


def _context(attempt: dict[str, Any], place: dict[str, Any], version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if attempt.get("obsolete"):
        # What OpenSSL does not offer by itself any more.
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(cadata=place["trust"])
    if "key" in attempt:
        with _in_memory(attempt["certificate"]) as certificate, _in_memory(attempt["key"]) as key:
            context.load_cert_chain(certificate, key)
    return context


def _asked(tls: ssl.SSLSocket, attempt: dict[str, Any]) -> dict[str, Any]:
    """Return the status of the answer, and of a problem what it says (RFC 9457)."""
    connection = http.client.HTTPConnection("api")
    connection.sock = tls
    method = "POST" if "body" in attempt else "GET"
    connection.request(method, attempt["path"], attempt.get("body"), attempt.get("headers", {}))
    with connection.getresponse() as response:
        text = response.read(_LONGEST).decode(errors="replace")
        return {"stage": "http", "status": response.status, "cause": text}


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Give a text a path: OpenSSL reads files only, and a key that is tried has no business on a disk."""
    number = os.memfd_create("probe")
    try:
        os.write(number, text.encode())
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
