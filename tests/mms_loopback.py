"""Both programs of MMS on loopback, with certificates of a test and the lab's resource."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from free_ports import free_port
from openadr_loopback import Authority, written
from waiting import awaited

from heiiki.render import mms
from heiiki_agent.tls import Credentials

DRAS, SITE = "dras.example", "umeda.example"


@dataclass
class Program:
    """A program of the service, in a process of its own."""

    command: tuple[str, ...]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", *self.command], stdout=log, stderr=log)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        status, self.process = self.process.wait(), None
        return status

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    @property
    def said(self) -> str:
        return self.log.read_text()


class Resource(Program):
    """The lab's simulated resource."""

    def __init__(self, folder: Path) -> None:
        self.book, self.socket = folder / "book.jsonl", folder / "resource.sock"
        command = ("heiiki_lab.resource", "--book", str(self.book), "--socket", str(self.socket))
        super().__init__(command, folder / "resource.log")

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        super().start()
        awaited("the resource listens", self.socket.exists)

    @property
    def done(self) -> list[str]:
        """The keys of what it did."""
        lines = self.book.read_text().splitlines() if self.book.exists() else []
        return [json.loads(line)["key"] for line in lines]


class Server(Program):
    """The program `server`."""

    def __init__(self, folder: Path, credentials: Credentials, resource: Resource, port: int) -> None:
        self.port, self.config, self.status = port, folder / "server.json", folder / "server-status.json"
        self.model = folder / "der.icd"
        self.model.write_text(mms.scl(battery=True))
        settings = {
            "address": "127.0.0.1",
            "port": port,
            "client": DRAS,
            "model": str(self.model),
            "database": str(folder / "server.sqlite"),
            "credentials": written(credentials),
            "resource": str(resource.socket),
            "status": str(self.status),
        }
        self.config.write_text(json.dumps(settings))
        super().__init__(("heiiki_agent.mms", "server", str(self.config)), folder / "server.log")

    def start(self) -> None:
        self.status.unlink(missing_ok=True)
        super().start()
        awaited("the server listens", self._is_up)

    def _is_up(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.said
        return self.status.exists()


class Client(Program):
    """The program `client`, and its operator."""

    def __init__(self, folder: Path, credentials: Credentials, server: Server, name: str = SITE) -> None:
        self.config, self.socket = folder / "client.json", folder / "operator"
        site = {
            "name": "umeda",
            "certificate_name": name,
            "address": "127.0.0.1",
            "port": server.port,
            "model": str(server.model),
            "reports": [
                {"name": "measurement", "every_s": 1},
                {"name": "event"},
                {"name": "schedule", "every_s": 1800},
            ],
        }
        settings = {
            "sites": [site],
            "database": str(folder / "client.sqlite"),
            "credentials": written(credentials),
            "operator": str(self.socket),
        }
        self.config.write_text(json.dumps(settings))
        super().__init__(("heiiki_agent.mms", "client", str(self.config)), folder / "client.log")

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        super().start()
        awaited("the client listens", self._is_up)

    def _is_up(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.said
        return self.socket.exists()

    def ask(self, do: str, **more: Any) -> list[dict[str, Any]]:
        """Ask as an operator does; what is refused is an AssertionError with the reason."""
        question = json.dumps({"do": do, "sites": ["umeda"], **more}).encode()
        command = [sys.executable, "-m", "heiiki_agent.mms", "operate", "--socket", str(self.socket)]
        done = subprocess.run(command, input=question, capture_output=True, check=False, env=os.environ)
        assert done.returncode == 0, done.stderr.decode()
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def reports(self) -> dict[str, list[dict[str, Any]]]:
        """Return the times of the reports that came, by their kind."""
        (found,) = self.ask("reports")
        return {one["name"]: one["times"] for one in found["reports"]}

    def set(self, order_id: str, power_w: float, **more: Any) -> dict[str, Any]:
        """Order a set point, and return its entry."""
        (entry,) = self.ask("order", kind="set", order={"order_id": order_id, "power_w": power_w}, **more)
        return entry


class World:
    """A DRAS, a controller and its resource."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.credentials = {name: self.authority.issue(name) for name in (DRAS, SITE)}
        self.resource = Resource(folder)
        self.server = Server(folder, self.credentials[SITE], self.resource, free_port())
        self.client = Client(folder, self.credentials[DRAS], self.server)

    def start(self) -> None:
        for one in (self.resource, self.server, self.client):
            one.start()

    def close(self) -> None:
        for one in (self.client, self.server, self.resource):
            if one.process:
                one.end(signal.SIGKILL)
