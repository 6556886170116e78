"""A simulated heat store with its battery behind a site's controller: the one thing here that is not real.

It answers as `heiiki_agent.openadr.ven.resource` asks, on a socket of its node, and keeps a book: a line of
JSON for each action, on disk before it is answered, so that what came twice can be told from what was done
twice. Its load falls by what an event of the signal LOAD_DISPATCH or SIMPLE asks for.
"""

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from socketserver import StreamRequestHandler, UnixStreamServer
from typing import Any

BOOK = Path("/var/lib/heiiki-resource/book.jsonl")
SOCKET = Path("/run/heiiki-resource/socket")
_BASE_KW, _STORED_KWH = 40.0, 120.0
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
        self._done = {json.loads(line)["key"] for line in lines}
        self._events: dict[str, Mapping[str, Any]] = {}

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
        for kind in ("perform", "withdraw"):
            if kind in question:
                self._act(kind, question[kind], str(question["key"]))
                return {"done": question["key"]}
        raise ValueError(f"no resource is asked {', '.join(question) or 'nothing'}")

    def _lines(self, events: str, first: int) -> list[dict[str, Any]]:
        lines = map(json.loads, self._book.read_text(encoding="utf-8").splitlines()) if self._done else ()
        found = [line for line in lines if line["event"]["event_id"].startswith(events)]
        return [
            {
                "key": line["key"],
                "kind": line["kind"],
                "event_id": line["event"]["event_id"],
                "at": line["at"],
            }
            for line in found[first : first + _AT_ONCE]
        ]

    def _measured(self, r_id: str) -> float:
        if r_id == "stored":
            return _STORED_KWH
        if r_id == "power":
            return max(0.0, _BASE_KW - 10.0 * len(self._events))
        raise ValueError(f"no {r_id} is measured here")

    def _act(self, kind: str, event: Mapping[str, Any], key: str) -> None:
        if key in self._done:
            return
        line = json.dumps({"key": key, "kind": kind, "event": event, "at": time.time()})
        with self._book.open("a", encoding="utf-8") as book:
            book.write(f"{line}\n")
            book.flush()
            os.fsync(book.fileno())
        self._done.add(key)
        if kind == "perform":
            self._events[event["event_id"]] = event
        else:
            self._events.pop(event["event_id"], None)


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
