"""The control interface of hostapd and wpa_supplicant: datagrams over a Unix socket, text both ways.

A request is answered by one datagram. Who is attached gets events besides, which begin with their level in
angle brackets (wpa_ctrl.h of hostap).
"""

import socket
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from heiiki_agent.errors import AgentError

ANSWER_S = 5.0
_LONGEST = 65536


class Control:
    """A connection to one daemon; a context manager, which closes it."""

    def __init__(self, path: Path, unit: str) -> None:
        """Connect to the socket at `path`, of the daemon of `unit`.

        Raises:
            AgentError: the daemon is not there.
        """
        self._unit = unit
        self._events: deque[str] = deque()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.bind("")  # an abstract address, which the kernel gives: no file is left behind
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise AgentError(f"{path}: {error.strerror}: start {unit}") from error

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._socket.close()

    def ask(self, command: str) -> str:
        """Return the answer to a command, without its last line end.

        Raises:
            AgentError: the daemon is gone or does not answer.
        """
        try:
            self._socket.send(command.encode())
        except OSError as error:
            raise AgentError(f"{self._unit} is gone: {error.strerror}") from error
        until = time.monotonic() + ANSWER_S
        while (text := self._received(until)) is not None:
            if not text.startswith("<"):
                return text.rstrip("\n")
            self._events.append(text)
        raise AgentError(f"{self._unit} does not answer {command.split(maxsplit=1)[0]} within {ANSWER_S:g} s")

    def ordered(self, command: str) -> None:
        """Have a command carried out.

        Raises:
            AgentError: the daemon refuses, is gone or does not answer.
        """
        if (said := self.ask(command)) != "OK":
            raise AgentError(
                f"{self._unit} refuses {command.split(maxsplit=1)[0]}: {said or 'it says nothing'}"
            )

    def facts(self, command: str) -> Mapping[str, str]:
        """Return an answer of lines ``key=value``; other lines are left out."""
        pairs = (line.partition("=") for line in self.ask(command).splitlines())
        return {key: value for key, equals, value in pairs if equals}

    def stations(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield link address and facts of each station of an access point."""
        said = self.ask("STA-FIRST")
        while said not in {"", "FAIL"}:
            address, _, rest = said.partition("\n")
            pairs = (line.partition("=") for line in rest.splitlines())
            yield address, {key: value for key, equals, value in pairs if equals}
            said = self.ask(f"STA-NEXT {address}")

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the daemon says something."""
        return self._socket.fileno()

    def forget(self) -> bool:
        """Drop the events that came before or beside answers; return whether there were any."""
        came = bool(self._events)
        self._events.clear()
        return came

    def event(self, within_s: float) -> str | None:
        """Return the next event, without its level; None when none came in time.

        Raises:
            AgentError: the daemon is gone.
        """
        until = time.monotonic() + within_s
        text = self._events.popleft() if self._events else self._received(until)
        while text is not None and not text.startswith("<"):
            text = self._received(until)
        return None if text is None else text.partition(">")[2].strip()

    def _received(self, until: float) -> str | None:
        self._socket.settimeout(max(0.001, until - time.monotonic()))
        try:
            return self._socket.recv(_LONGEST).decode(errors="replace")
        except TimeoutError:
            return None
        except OSError as error:
            raise AgentError(f"{self._unit} is gone: {error.strerror}") from error
