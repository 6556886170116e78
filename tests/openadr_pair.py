"""A VTN on two hosts of the loopback, with VENs that know both."""

import json
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from openadr_loopback import Authority, Program, Ven, Vtn, event, free_port
from waiting import awaited

NAMES = ("dras-a.example", "dras-b.example")


class Wire:
    """A line to a port of the loopback; cut, it loses all octets, and says so to neither end."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._carrying: list[threading.Thread] = []
        self._is_cut = False
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        self._is_cut = True

    def mend(self) -> None:
        """Carry new connections; what was lost is lost."""
        self._is_cut = False
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.mend()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._carrying:
            thread.join()
        for end in self._ends:
            end.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                self._ends.append(near)
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    near.close()
                    continue
                self._ends.append(far)
                for one, other in ((near, far), (far, near)):
                    carrying = threading.Thread(target=self._carry, args=(one, other), daemon=True)
                    self._carrying.append(carrying)
                    carrying.start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                if not self._is_cut:
                    other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Host(Vtn):
    """One of the two hosts: a process, a folder and a certificate of its own."""

    def __init__(self, folder: Path, authority: Authority, vens: tuple[str, ...], name: str) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder, authority, vens, name=name)
        self.folder, self.pair_port = folder, free_port()
        self.database = folder / "vtn.sqlite"

    def beside(self, other: "Host", port: int | None = None) -> None:
        """Have the other one as its peer, at another port where something stands between them."""
        document = json.loads(self.config.read_text())
        peer = {"name": other.name, "address": "127.0.0.1", "port": port or other.pair_port}
        document["vtns"][0]["doubled"] = {"name": self.name, "port": self.pair_port, "peer": peer}
        self.config.write_text(json.dumps(document))

    def doubled(self) -> dict[str, Any]:
        """Return how it says it stands."""
        status, text = self.operate("GET", "/health")
        assert status == HTTPStatus.OK, text
        found: dict[str, Any] = json.loads(text)["DRAS"]["doubled"]
        return found

    def take_over(self) -> None:
        status, text = self.operate("POST", "/DRAS/takeover")
        assert status == HTTPStatus.OK, text

    def await_whole(self) -> None:
        """Wait until this host writes and its standby counts."""
        awaited(
            f"{self.name} writes, and its standby counts",
            lambda: (found := self.doubled())["counts"] and not found["problem"],
        )

    def is_serving(self) -> bool:
        return self.operate("GET", "/DRAS/events")[0] == HTTPStatus.OK

    def order(self, name: str, *vens: str) -> None:
        """Order an event."""
        status, text = self.operate("POST", "/DRAS/events", event(name, *vens))
        assert status == HTTPStatus.OK, text

    def kill(self) -> None:
        assert self.end(signal.SIGKILL) == -signal.SIGKILL

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that its book says, rowids too."""
        with closing(sqlite3.connect(self.database)) as database:
            tables = database.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'doubled_%'"
            ).fetchall()
            return {
                name: database.execute(f"SELECT rowid, * FROM {name} ORDER BY rowid").fetchall()  # noqa: S608
                for (name,) in tables
            }


def hosts(folder: Path, authority: Authority, vens: tuple[str, ...]) -> tuple[Host, Host]:
    """Make two hosts that know one another."""
    first, second = (Host(folder / name, authority, vens, name) for name in NAMES)
    first.beside(second)
    second.beside(first)
    return first, second


@contextmanager
def wired(pair: tuple[Host, Host]) -> Iterator[tuple[Wire, Wire]]:
    """Have two hosts that do not run yet reach one another by lines that can be cut."""
    wires = Wire(pair[0].pair_port), Wire(pair[1].pair_port)
    pair[0].beside(pair[1], wires[1].port)
    pair[1].beside(pair[0], wires[0].port)
    try:
        yield wires
    finally:
        for wire in wires:
            wire.close()


def ven_of(folder: Path, authority: Authority, name: str, places: tuple[Host, Host]) -> Ven:
    """Make a VEN that knows both hosts."""
    made = Ven(folder, authority.issue(f"{name}.example"), places[0].port, name)
    document = json.loads(made.config.read_text())
    other = {"name": places[1].name, "address": "127.0.0.1", "port": places[1].port}
    document |= {"vtn_name": places[0].name, "vtn_others": [other]}
    made.config.write_text(json.dumps(document))
    return made


def started(running: list[Program], *programs: Program) -> None:
    """Start programs, which end with the test."""
    for one in programs:
        running.append(one)
        one.start()
