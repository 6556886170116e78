"""The resource as a process of its own, asked by one JSON object a line on a socket of the machine."""

from pathlib import Path
from typing import Any

from heiiki_agent import resource_socket
from heiiki_agent.openadr.events import Event
from heiiki_agent.openadr.parts import OptType
from heiiki_agent.openadr.values import format_date_time, format_duration
from heiiki_agent.openadr.ven.model import Action, Unreachable
from heiiki_agent.resource_socket import ResourceAwayError, asked


class SocketResource:
    """Asks the process behind a Unix socket.

    `{"decide": EVENT}` is answered by `{"opt": "optIn"}` or `{"opt": "optOut"}`, `{"measure": rID}` by
    `{"value": NUMBER}`, and `{"perform": EVENT, "key": KEY}` and `{"withdraw": EVENT, "key": KEY}` by
    `{"done": KEY}`: what comes twice under one key is done once. One that keeps a book answers
    `{"book": PREFIX, "from": NUMBER}` by `{"book": [{"key": KEY, "kind": "perform", "event_id": ID, "at":
    SECONDS}, ...]}`: some of the lines about events of which the name begins so, from the one of that number
    on, in the order in which they were done, and by an empty list after the last.
    """

    def __init__(self, path: Path) -> None:
        """Ask at `path`."""
        self._path = path

    def decide(self, event: Event) -> OptType:
        """Return whether the resource takes part; Unreachable if it cannot be asked now."""
        opt = self._asked({"decide": described(event)}).get("opt")
        if opt == "optIn":
            return "optIn"
        if opt == "optOut":
            return "optOut"
        raise Unreachable(f"{self._path}: did not decide about event {event.descriptor.event_id!r}")

    def perform(self, action: Action) -> None:
        """Hand an action over."""
        answer = self._asked({action.kind: described(action.event), "key": action.key})
        if answer.get("done") != action.key:
            raise Unreachable(f"{self._path}: did not take {action.key!r}")

    def measure(self, r_id: str) -> float:
        """Return a value."""
        try:
            return resource_socket.measured(self._path, r_id)
        except ResourceAwayError as error:
            raise Unreachable(str(error)) from error

    def _asked(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            return asked(self._path, question)
        except ResourceAwayError as error:
            raise Unreachable(str(error)) from error


def described(event: Event) -> dict[str, Any]:
    """Return what a resource needs to know of an event; times in UTC, durations as in ISO 8601."""
    return {
        "event_id": event.descriptor.event_id,
        "modification": event.descriptor.modification,
        "start": format_date_time(event.active.start),
        "duration": format_duration(event.active.duration),
        "signals": [
            {
                "name": one.name,
                "kind": one.kind,
                "steps": [
                    {"duration": format_duration(step.duration or event.active.duration), "value": step.value}
                    for step in one.intervals
                ],
            }
            for one in event.signals
        ],
    }
