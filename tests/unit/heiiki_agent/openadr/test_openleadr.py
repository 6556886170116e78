"""Stock openleadr on the other side: what we speak is what others speak."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from free_ports import free_port
from openadr_loopback import VTN_NAME, Authority, Battery, Program, Ven, Vtn, event
from waiting import awaited

from heiiki_agent.tls import Credentials

PEER = Path(__file__).parents[3] / "openleadr_peer.py"
Start = Callable[[str, int, Credentials], Path]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start stock openleadr; return the file of what it says."""
    processes: list[subprocess.Popen[bytes]] = []

    def started(role: str, port: int, credentials: Credentials) -> Path:
        files = (credentials.certificate, credentials.key, credentials.trust)
        command = [sys.executable, str(PEER), role, str(port), *map(str, files)]
        said = tmp_path / f"stock-{role}.jsonl"
        with said.open("wb") as out, said.with_suffix(".log").open("wb") as log:
            processes.append(subprocess.Popen(command, stdout=out, stderr=log))
        return said

    yield started
    for process in processes:
        process.kill()
        process.wait()


def said(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]


def test_a_stock_ven_gets_events_and_reports_to_our_vtn(
    tmp_path: Path, start: Start, running: list[Program]
) -> None:
    authority = Authority(tmp_path)
    vtn = Vtn(tmp_path, authority, ("umeda",))
    running.append(vtn)
    vtn.start()
    file = start("ven", vtn.port, authority.issue("umeda.example"))
    awaited("it is registered", lambda: {"ven_id": "umeda"} in said(file))
    order = event("e-1", "umeda")
    vtn.operate("POST", "/DRAS/events", order)
    awaited("it answers", lambda: vtn.show("e-1") == {"umeda": ("optIn", True)})
    vtn.operate("PUT", "/DRAS/events/e-1", {**order, "duration": "PT2H"})
    awaited("it answers the new version", lambda: vtn.show("e-1") == {"umeda": ("optIn", True)})
    vtn.operate("DELETE", "/DRAS/events/e-1")
    awaited("it answers the cancellation", lambda: vtn.show("e-1") == {"umeda": ("optIn", True)})
    versions = [(one["modification"], one["status"], one["value"]) for one in said(file) if "event" in one]
    assert versions[:2] == [(0, "far", -5.0), (1, "far", -5.0)]
    awaited("it reports", lambda: _reports(tmp_path) >= 2)
    assert vtn.end() == 0


def _reports(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "vtn.sqlite")) as database:
        return int(database.execute("SELECT count(*) FROM report").fetchone()[0])


def test_our_ven_answers_and_reports_to_a_stock_vtn(
    tmp_path: Path, start: Start, running: list[Program]
) -> None:
    authority, port = Authority(tmp_path), free_port()
    battery = Battery(tmp_path / "umeda-battery.sock")
    file = start("vtn", port, authority.issue(VTN_NAME))
    ven = Ven(tmp_path, authority.issue("umeda.example"), port, "umeda")
    running.append(ven)
    ven.start()
    awaited("it is registered", lambda: {"ven_name": "umeda"} in said(file))
    awaited("it answers", lambda: {"ven_id": "ven-1", "event": "e-1", "opt": "optIn"} in said(file))
    awaited("the event is done", lambda: battery.book == ["e-1/0/perform/0"])
    awaited("it reports", lambda: any("values" in one for one in said(file)))
    assert {"offered": "RealPower", "unit": "W", "scale": "k", "ven_id": "ven-1"} in said(file)
    assert ven.end() == 0
    battery.close()
