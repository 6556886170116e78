"""A simulated heat store with its battery behind a site's controller: the one thing here that is not real.

It answers as `heiiki_agent.openadr.ven.resource` and `heiiki_agent.mms.server.resource` ask, on a socket of
its node, and keeps a book: a line of JSON for each action, on disk before it is answered, so that what came
twice can be told from what was done twice. Its load falls by what an event of the signal LOAD_DISPATCH or
SIMPLE asks for; under direct control it is what was ordered last.
"""

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from socketserver import StreamRequestHandler, UnixStreamServer
from typing import Any

BOOK = Path("/var/lib/heiiki-resource/book.jsonl")
SOCKET = Path("/run/heiiki-resource/socket")
_BASE_KW, _STORED_KWH = 40.0, 120.0
_MOST_KW = 100.0
"""What it can take from the network, or give."""
_CONSTANT = {"stored": _STORED_KWH, "reactive": 2.0, "frequency": 50.0}
_EVENTS, _ORDERS = ("perform", "withdraw"), ("set", "schedule")
_LONGEST = 65_536
_AT_ONCE = 100
"""Lines of the book in one answer."""


class Resource:
    """What was done, and what can be measured."""

    def __init__(self, book: Path) -> None:
        """Continue `book`."""
        book.parent.mkdir(parents=True, exist_ok=True)
        self._book = book
        lines = book.read_text(encoding="utf-8").splitlines() if book.exists() else []
        kept = [json.loads(line) for line in lines]
        self._done = {line["key"] for line in kept}
        self._events: dict[str, Mapping[str, Any]] = {}
        ordered = [line for line in kept if line["kind"] in _ORDERS]
        self._ordered: Mapping[str, Any] = ordered[-1]["what"] if ordered else {}

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one question.

        Raises:
            ValueError: it is none that a resource is asked.
        """
        if "decide" in question:
            return {"opt": "optIn"}
        if "book" in question:
            return {"book": self._lines(str(question["book"]), int(question["from"]))}
        if "measure" in question:
            return {"value": self._measured(str(question["measure"]))}
        for kind in (*_EVENTS, *_ORDERS):
            if kind in question:
                if kind in _ORDERS and (why := _never(question[kind])):
                    return {"refused": why}
                self._act(kind, question[kind], str(question["key"]))
                return {"done": question["key"]}
        raise ValueError(f"no resource is asked {', '.join(question) or 'nothing'}")

    def _lines(self, events: str, first: int) -> list[dict[str, Any]]:
        lines = map(json.loads, self._book.read_text(encoding="utf-8").splitlines()) if self._done else ()
        found = [line for line in lines if _named(line["what"]).startswith(events)]
        return [
            {
                "key": line["key"],
                "kind": line["kind"],
                "event_id": _named(line["what"]),
                "at": line["at"],
            }
            for line in found[first : first + _AT_ONCE]
        ]

    def _measured(self, r_id: str) -> float:
        if r_id in _CONSTANT:
            return _CONSTANT[r_id]
        if r_id == "power":
            ordered = _ordered_kw(self._ordered, time.time())
            return max(0.0, _BASE_KW - 10.0 * len(self._events)) if ordered is None else ordered
        raise ValueError(f"no {r_id} is measured here")

    def _act(self, kind: str, what: Mapping[str, Any], key: str) -> None:
        if key in self._done:
            return
        line = json.dumps({"key": key, "kind": kind, "what": what, "at": time.time()})
        with self._book.open("a", encoding="utf-8") as book:
            book.write(f"{line}\n")
            book.flush()
            os.fsync(book.fileno())
        self._done.add(key)
        if kind == "perform":
            self._events[what["event_id"]] = what
        elif kind == "withdraw":
            self._events.pop(what["event_id"], None)
        else:
            self._ordered = what


def _named(what: Mapping[str, Any]) -> str:
    """Return the name of an event or an order."""
    return str(what["event_id"] if "event_id" in what else what["order_id"])


def _powers(order: Mapping[str, Any]) -> list[float]:
    return [order["power_kw"]] if "power_kw" in order else list(order["powers_kw"])


def _never(order: Mapping[str, Any]) -> str:
    """Return why an order cannot be done, or nothing."""
    too_much = [power for power in _powers(order) if abs(power) > _MOST_KW]
    return f"{too_much[0]:g} kW is more than its {_MOST_KW:g} kW" if too_much else ""


def _ordered_kw(order: Mapping[str, Any], now: float) -> float | None:
    """Return the power that is ordered for now; None: there is none."""
    if "power_kw" in order:
        return float(order["power_kw"])
    if "powers_kw" not in order:
        return None
    begins = datetime.fromisoformat(order["start"]).timestamp()
    at = int((now - begins) // order["interval_s"])
    return float(order["powers_kw"][at]) if 0 <= at < len(order["powers_kw"]) else None


def serve(resource: Resource, path: Path) -> None:
    """Answer until the process ends, one question a connection."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            try:
                answer = resource.answer(json.loads(self.rfile.readline(_LONGEST)))
            except (ValueError, KeyError, TypeError) as error:
                answer = {"error": str(error)}
            self.wfile.write(json.dumps(answer).encode() + b"\n")

    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with UnixStreamServer(str(path), Handler) as server:
        path.chmod(0o666)  # its user is the VEN's account, which the lab does not know
        server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve on the socket that a VEN of the product asks."""
    parser = argparse.ArgumentParser(prog="resource", description="A simulated heat store with its battery.")
    parser.add_argument("--book", type=Path, default=BOOK)
    parser.add_argument("--socket", type=Path, default=SOCKET)
    chosen = parser.parse_args(arguments)
    serve(Resource(chosen.book), chosen.socket)


if __name__ == "__main__":
    main()
