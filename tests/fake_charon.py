"""Stands for strongSwan's daemon at its control socket: answers VICI commands by a function."""

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heiiki_agent import vici

Message = dict[str, Any]
Answered = tuple[list[tuple[str, Message]], Message | None]
"""Events that come first, and the answer; None for a command that the daemon does not know."""


class FakeCharon(threading.Thread):
    """Serves one connection after the other; remembers what it was asked."""

    def __init__(self, path: Path, answer: Callable[[str, Message], Answered]) -> None:
        super().__init__(daemon=True)
        self._answer = answer
        self.asked: list[tuple[str, Message]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._serve(connection)

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join()

    def _serve(self, connection: socket.socket) -> None:
        while head := connection.recv(4):
            packet = connection.recv(struct.unpack("!I", head)[0])
            kind, name = packet[0], packet[2 : 2 + packet[1]].decode()
            if kind == 3:
                self._send(connection, bytes([5]))
                continue
            message = vici.decode(packet[2 + packet[1] :])
            self.asked.append((name, message))
            events, answer = self._answer(name, message)
            for event, said in events:
                self._send(connection, bytes([7, len(event)]) + event.encode() + vici.encode(said))
            self._send(connection, bytes([2]) if answer is None else bytes([1]) + vici.encode(answer))

    @staticmethod
    def _send(connection: socket.socket, packet: bytes) -> None:
        connection.sendall(struct.pack("!I", len(packet)) + packet)
