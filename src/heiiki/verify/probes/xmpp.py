"""Probe: speak with the service's XMPP server, as the device that it runs on, or as one who must be refused.

``attempt`` logs in with each of several certificates and names, by either version of TLS. ``exchange`` logs
in as the device, asks DRAS until it answers, and sends others what must come back. ``answer`` is DRAS: it
answers once all have asked, so that everybody is there when the others are tried.
"""

import ssl
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import quoteattr

from heiiki_agent import tls_attempt
from heiiki_agent.xmpp.client import KINDS, TIMED_OUT, Client, Place, RefusedError, error_of, refusals

_AGAIN_S = 0.3
_LISTEN_S = 1.0
_QUESTION = "<probe xmlns='urn:heiiki:probe'/>"


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Do what ``do`` says: ``attempt``, ``exchange`` or ``answer``."""
    work = {"attempt": _attempts, "exchange": _exchange, "answer": _answer}
    return work[parameters["do"]](parameters, Place(**parameters["place"]))


def _attempts(parameters: dict[str, Any], place: Place) -> dict[str, Any]:
    """Return what came of each of ``attempts`` by each version; see `tls_attempt.tried`."""
    return tls_attempt.tried(parameters, lambda one: _by_version(one, place, parameters["resource"]))


def _by_version(attempt: Mapping[str, Any], place: Place, resource: str) -> dict[str, Any]:
    return {
        version: _came_of(attempt, place, resource, context)
        for version, context in tls_attempt.contexts(attempt)
    }


def _came_of(
    attempt: Mapping[str, Any], place: Place, resource: str, context: ssl.SSLContext
) -> dict[str, str]:
    try:
        with Client(place, context) as client:
            return {"taken": client.log_in(resource, attempt.get("authzid", ""))}
    except RefusedError as error:
        return {"stage": error.stage, "cause": error.cause}


@contextmanager
def _logged_in(parameters: dict[str, Any], place: Place) -> Iterator[Client]:
    context = tls_attempt.identified(tls_attempt.context(), {})
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
