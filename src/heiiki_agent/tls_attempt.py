"""What probes show a server of TLS: the device's own certificate, another, or none, by either version."""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from heiiki_agent.pki.settings import FOLDER

VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
_TRUST = FOLDER / "roots.pem"
_OWN = FOLDER / "current"
_AGAIN_S = 0.2


def tried(
    parameters: Mapping[str, Any], came_of: Callable[[Mapping[str, Any]], Mapping[str, Mapping[str, str]]]
) -> dict[str, Any]:
    """Return what came of each of ``attempts``, and after them of the device itself.

    Args:
        parameters: ``attempts``, each with a name and what `contexts` needs; ``seconds``: how long they are
            made again while one of them is let in; without it they are made once.
        came_of: makes one, and returns by place or version what came of it: ``taken`` if it was let in.
    """
    until = time.monotonic() + parameters.get("seconds", 0.0)
    while True:
        came = {one["name"]: came_of(one) for one in parameters["attempts"]}
        inside = any("taken" in one for every in came.values() for one in every.values())
        if not inside or time.monotonic() >= until:
            return {"attempts": came | {"again": came_of({})}}
        time.sleep(_AGAIN_S)


def everywhere(
    parameters: Mapping[str, Any], wait_s: float, spoken: Callable[[ssl.SSLSocket], dict[str, str]]
) -> dict[str, Any]:
    """Return what `tried` does, at each of ``places`` and by each version.

    Args:
        parameters: as for `tried`; ``places``: address, port, device and name of each server, and the
            ``source`` to be asked from where it is a certain one.
        wait_s: how long a connection, or an answer on it, may take, seconds.
        spoken: goes on where the handshake is over; returns what came of it.
    """
    return tried(
        parameters,
        lambda one: {
            f"{place['device']} by {version}": _came_of(place, context, wait_s, spoken)
            for place in parameters["places"]
            for version, context in contexts(one)
        },
    )


def _came_of(
    place: Mapping[str, Any],
    context: ssl.SSLContext,
    wait_s: float,
    spoken: Callable[[ssl.SSLSocket], dict[str, str]],
) -> dict[str, str]:
    stage = "connect"
    try:
        source = (place["source"], 0) if "source" in place else None
        with socket.create_connection((place["address"], place["port"]), wait_s, source) as plain:
            stage = "tls"
            with context.wrap_socket(plain, server_hostname=place["name"]) as line:
                return spoken(line)
    except ssl.SSLError as error:
        return {"stage": stage, "cause": (error.reason or str(error)).lower().replace("_", " ")}
    except OSError as error:
        return {"stage": stage, "cause": str(error) or type(error).__name__}


def contexts(attempt: Mapping[str, Any]) -> Iterator[tuple[str, ssl.SSLContext]]:
    """Yield what an attempt connects with, by the version that it has to be.

    Args:
        attempt: `anonymous` for no certificate, `obsolete` for a version that is too old, or `certificate`
            and `key` in PEM; nothing of these for the device's own.
    """
    if attempt.get("obsolete"):
        yield "TLS 1.1", identified(_obsolete(), attempt)
        return
    for name, version in VERSIONS.items():
        yield name, identified(context(version), attempt)


def context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Return a client's context without a certificate, for one version or all that are good."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    if version is not None:
        found.minimum_version = found.maximum_version = version
    found.load_verify_locations(_TRUST)
    return found


def _obsolete() -> ssl.SSLContext:
    """What OpenSSL does not offer by itself any more."""
    found = context()
    found.set_ciphers("ALL:@SECLEVEL=0")
    found.minimum_version = found.maximum_version = ssl.TLSVersion.TLSv1_1
    return found


def identified(context: ssl.SSLContext, attempt: Mapping[str, Any]) -> ssl.SSLContext:
    """Have a context show the certificate of an attempt, none, or the device's own."""
    if "key" in attempt:
        with _in_memory(attempt["certificate"]) as certificate, _in_memory(attempt["key"]) as key:
            context.load_cert_chain(certificate, key)
    elif not attempt.get("anonymous"):
        with _in_memory(_own("certificate.pem") + _own("chain.pem")) as certificate:
            context.load_cert_chain(certificate, _OWN / "key.pem")
    return context


def _own(name: str) -> str:
    return (_OWN / name).read_text(encoding="ascii")


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Give a text a path: OpenSSL reads files only, and a key that is tried has no business on a disk."""
    number = os.memfd_create("probe")
    try:
        os.write(number, text.encode())
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
