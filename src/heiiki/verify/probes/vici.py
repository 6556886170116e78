"""Probe: ask the IKE daemon through its control socket (strongSwan's VICI), and have it try connections.

What is asked lists only. An attempt loads a connection and a key of its own, lives under a name of its own,
and is unloaded whatever comes of it; no file is written.
"""

import socket
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from heiiki_agent.errors import AgentError
from heiiki_agent.vici import TIMEOUT_S, Session

_POLL_S = 0.1
_FORGET_S = 60
_ENOUGH = b"enough"


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Do what ``do`` says: ``ask`` (default), ``listen``, ``tell``, ``attempt`` or ``without``."""
    work = {"ask": _ask, "listen": _listen, "tell": _tell, "attempt": _attempts, "without": _without}
    return work[parameters.get("do", "ask")](parameters)


def _ask(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return each of ``lists``: name: [command, event, message], or [command] for one with a plain answer."""
    with Session() as session:
        return {
            name: session.streamed(command, *rest) if rest else session.request(command)
            for name, (command, *rest) in parameters["lists"].items()
        }


def _listen(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what the daemon logs, with the time (CLOCK_MONOTONIC) of each line.

    It ends after ``seconds``, or when ``tell`` tells the listener called ``name``. Peers' certificates of
    before are forgotten first: the daemon would try, and log, those too.
    """
    with Session() as session, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        session.request("flush-certs", {"type": "x509"})
        session.register("log")
        began = time.monotonic()
        told.bind(_listener(parameters["name"]))
        session.wait(parameters["seconds"], told, _ENOUGH)
        lines = [[at, said.get("msg", "")] for at, name, said in session.events if name == "log"]
        return {"began": began, "ended": time.monotonic(), "lines": lines}


def _listener(name: str) -> str:
    """Return the address of a listener: abstract, so that no file is left behind."""
    return f"\0heiiki-vici-{name}"


def _tell(parameters: dict[str, Any]) -> dict[str, Any]:
    """Wait until the listener called ``name`` listens; with ``enough``, tell it to end."""
    until = time.monotonic() + parameters["seconds"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        while True:
            try:
                line.sendto(_ENOUGH if parameters["enough"] else b"", _listener(parameters["name"]))
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    return {"listens": False}
                time.sleep(_POLL_S)
            else:
                return {"listens": True}


def _attempts(parameters: dict[str, Any]) -> dict[str, Any]:
    """Try each of ``attempts`` in order; then, with ``again``, have that connection reauthenticate.

    Whatever comes of it, ``forget`` is run in the end: it has the daemon load its own files, and them alone.
    """
    found = {}
    try:
        for one in parameters["attempts"]:
            found[one["name"]] = _attempt(one)
            time.sleep(parameters["pause_s"])
        return {"attempts": found, "again": _again(parameters["again"])}
    finally:
        _forget(parameters["forget"])


def _forget(command: Sequence[str]) -> None:
    """A certificate that came with a connection stays without it, and none can be unloaded by itself."""
    done = subprocess.run(
        list(command),
        capture_output=True,
        text=True,
        timeout=_FORGET_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise AgentError(f"certificates that were tried are still loaded: {said}")


def _attempt(one: dict[str, Any]) -> dict[str, Any]:
    """Load ``connection`` and ``key`` (None: a loaded one is used), initiate its only child, unload."""
    (name,) = one["connection"]
    with Session() as session:
        key = ""
        try:
            if one.get("key"):
                key = session.request("load-key", {"type": "any", "data": one["key"]}).get("id", "")
            loaded = session.request("load-conn", one["connection"])
            if loaded.get("success") != "yes":
                return {"error": f"the connection was not taken: {loaded.get('errmsg')}"}
            return _initiated(session, name, one)
        finally:
            session.request("unload-conn", {"name": name})
            if key:
                session.request("unload-key", {"id": key})


def _initiated(session: Session, name: str, one: dict[str, Any]) -> dict[str, Any]:
    """Initiate what was loaded; an SA that comes up is terminated again."""
    (child,) = one["connection"][name]["children"]
    began = time.monotonic()
    session.register("control-log")
    order = {"child": child, "ike": name, "timeout": one["timeout_ms"], "loglevel": 1}
    answer = session.request("initiate", order)
    log = [said.get("msg", "") for _, kind, said in session.events if kind == "control-log"]
    up = answer.get("success") == "yes"
    if up:
        session.request("terminate", {**one["terminate"], "timeout": 2000})
    return {"up": up, "said": answer.get("errmsg", ""), "log": log, "began": began, "ended": time.monotonic()}


def _again(connection: str) -> dict[str, Any]:
    """Reauthenticate a connection, make before break (RFC 7296, 2.8.3); wait until the new SA is up."""
    with Session() as session:
        began = time.monotonic()
        before = {sa["uniqueid"] for sa in _named(session, connection)}
        if not before:
            return {"error": f"{connection} is not up"}
        session.request("rekey", {"ike": connection, "reauth": "yes"})
        up = False
        while not up and time.monotonic() - began < TIMEOUT_S / 2:
            time.sleep(_POLL_S)
            new = [sa for sa in _named(session, connection) if sa["uniqueid"] not in before]
            up = any(sa["state"] == "ESTABLISHED" for sa in new)
        ended = time.monotonic()
        return {"up": up, "began": began, "ended": ended, "seconds": round(ended - began, 3)}


def _named(session: Session, connection: str) -> list[dict[str, Any]]:
    return [sas[connection] for sas in session.streamed("list-sas", "list-sa", {}) if connection in sas]


def _without(parameters: dict[str, Any]) -> dict[str, Any]:
    """Forget ``connection`` and end its SAs here and at the peer; loading it again is the caller's part."""
    name = parameters["connection"]
    with Session() as session:
        session.request("unload-conn", {"name": name})
        session.request("terminate", {"ike": name, "timeout": 3000})
        return {"left": [sa["uniqueid"] for sa in _named(session, name)], "at": time.monotonic()}
