"""Probe: speak with the service's XMPP server, as the device that it runs on, or as one who must be refused.

``attempt`` logs in with each of several certificates and names, by either version of TLS. ``exchange`` logs
in as the device, asks DRAS until it answers, and sends others what must come back. ``answer`` is DRAS: it
answers once all have asked, so that everybody is there when the others are tried.
"""

import os
import ssl
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import quoteattr

from heiiki_agent.pki.settings import FOLDER
from heiiki_agent.xmpp.client import KINDS, TIMED_OUT, Client, Place, RefusedError, error_of, refusals

_VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
_TRUST = FOLDER / "roots.pem"
_OWN = FOLDER / "current"
_AGAIN_S = 0.3
_LISTEN_S = 1.0
_QUESTION = "<probe xmlns='urn:heiiki:probe'/>"


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Do what ``do`` says: ``attempt``, ``exchange`` or ``answer``."""
    work = {"attempt": _attempts, "exchange": _exchange, "answer": _answer}
    return work[parameters["do"]](parameters, Place(**parameters["place"]))


def _attempts(parameters: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return what came of each of ``attempts``, and after them of the device itself, by each version."""
    asked = [*parameters["attempts"], {"name": "again"}]
    return {"attempts": {one["name"]: _by_version(one, place, parameters["resource"]) for one in asked}}


def _by_version(attempt: dict[str, Any], place: Place, resource: str) -> dict[str, Any]:
    if attempt.get("obsolete"):
        return {"TLS 1.1": _came_of(attempt, place, resource, _obsolete())}
    return {
        name: _came_of(attempt, place, resource, _context(version)) for name, version in _VERSIONS.items()
    }


def _came_of(attempt: dict[str, Any], place: Place, resource: str, context: ssl.SSLContext) -> dict[str, str]:
    _identify(context, attempt)
    try:
        with Client(place, context) as client:
            return {"jid": client.log_in(resource, attempt.get("authzid", ""))}
    except RefusedError as error:
        return {"stage": error.stage, "cause": error.cause}


def _context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    if version is not None:
        found.minimum_version = found.maximum_version = version
    found.load_verify_locations(_TRUST)
    return found


def _obsolete() -> ssl.SSLContext:
    """What OpenSSL does not offer by itself any more."""
    found = _context()
    found.set_ciphers("ALL:@SECLEVEL=0")
    found.minimum_version = found.maximum_version = ssl.TLSVersion.TLSv1_1
    return found


def _identify(context: ssl.SSLContext, attempt: dict[str, Any]) -> None:
    """Show the certificate of an attempt, none, or the device's own."""
    if "key" in attempt:
        with _in_memory(attempt["certificate"]) as certificate, _in_memory(attempt["key"]) as key:
            context.load_cert_chain(certificate, key)
    elif not attempt.get("anonymous"):
        with _in_memory(_own("certificate.pem") + _own("chain.pem")) as certificate:
            context.load_cert_chain(certificate, _OWN / "key.pem")


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


@contextmanager
def _logged_in(parameters: dict[str, Any], place: Place) -> Iterator[Client]:
    context = _context()
    _identify(context, {})
    with Client(place, context) as client:
        client.log_in(parameters["resource"])
        yield client


def _exchange(parameters: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return how DRAS answered, what became of each stanza for ``others``, and who else sent us something."""
    with _logged_in(parameters, place) as client:
        said = _asked(client, parameters["dras"], time.monotonic() + parameters["seconds"])
        for kind in ("message", "presence"):
            client.send(f"<{kind} to={quoteattr(parameters['dras'])}/>")
        came = {to: refusals(client, to) for to in parameters["others"]}
        return {"dras": said, "others": came, "heard": sorted(_heard(client, parameters["dras"]))}


def _asked(client: Client, dras: str, until: float) -> str:
    """Return nothing once DRAS answered, or the error that its absence has."""
    client.wait_s = max(1.0, until - time.monotonic())
    while (error := error_of(client.ask("set", dras, _QUESTION))) and time.monotonic() < until:
        time.sleep(_AGAIN_S)
    client.wait_s = 5.0
    return error


def _heard(client: Client, dras: str) -> set[str]:
    """Return who sends us something within a while, but for DRAS and errors that came back."""
    found: set[str] = set()
    until = time.monotonic() + _LISTEN_S
    while (left := until - time.monotonic()) > 0:
        client.wait_s = left
        try:
            stanza = client.read()
        except RefusedError:
            break
        sender = _bare(stanza.get("from"))
        if sender and stanza.get("type") != "error" and sender not in {_bare(dras), _bare(client.jid)}:
            found.add(str(stanza.get("from")))
    return found


def _bare(jid: str | None) -> str:
    """Return a JID without its resource; what has no sender comes from the server."""
    return (jid or "").partition("/")[0]


def _answer(parameters: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return which kinds of stanza each of ``expected`` got through to DRAS."""
    expected = set(parameters["expected"])
    heard: defaultdict[str, set[str]] = defaultdict(set)
    until = time.monotonic() + parameters["seconds"]
    waiting: list[tuple[str, str]] = []
    with _logged_in(parameters, place) as client:
        while (left := until - time.monotonic()) > 0 and not _complete(heard, expected):
            client.wait_s = min(left, _AGAIN_S)
            try:
                stanza = client.read()
            except RefusedError as error:
                if error.cause != TIMED_OUT:
                    raise
                continue
            sender, kind = str(stanza.get("from")), stanza.tag.rpartition("}")[2]
            heard[_bare(sender)].add(kind)
            if kind == "iq":
                waiting.append((sender, str(stanza.get("id"))))
            if expected <= heard.keys():
                _answered(client, waiting)
    return {"heard": {name: sorted(kinds) for name, kinds in heard.items()}}


def _complete(heard: dict[str, set[str]], expected: set[str]) -> bool:
    return all(set(KINDS) <= heard.get(name, set()) for name in expected)


def _answered(client: Client, waiting: list[tuple[str, str]]) -> None:
    for sender, number in waiting:
        client.send(f"<iq type='result' id={quoteattr(number)} to={quoteattr(sender)}/>")
    waiting.clear()
