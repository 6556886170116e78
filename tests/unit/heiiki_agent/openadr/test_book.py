"""The books that both ends and a resource show of themselves as they run, and what they say together."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from openadr_loopback import Authority, Battery, Program, Ven, Vtn, event
from waiting import awaited

from heiiki.verify.events.books import Compared, compared
from heiiki_agent import config
from heiiki_agent.openadr.books import VenBook, VtnBook
from heiiki_lab.resource import Resource, serve

SINCE = "2026-01-01T00:00:00.000000Z"


def said(end: str, file: Path, events: str = "v-") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "heiiki_agent.openadr", f"{end}-book", "--config", str(file)]
    arguments = ["--events", events, "--since", SINCE]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def vtn_book(vtn: Vtn) -> VtnBook:
    return config.parse(VtnBook, said("vtn", vtn.config).stdout, "vtn")


def ven_book(ven: Ven) -> VenBook:
    return config.parse(VenBook, said("ven", ven.config).stdout, "ven")


@pytest.fixture
def ven(tmp_path: Path, authority: Authority, vtn: Vtn, running: list[Program]) -> Ven:
    made = Ven(tmp_path, authority.issue("umeda.example"), vtn.port, "umeda")
    running.append(made)
    made.start()
    awaited("the VEN has a book", lambda: said("ven", made.config).returncode == 0)
    return made


def simulated(tmp_path: Path) -> None:
    resource = Resource(tmp_path / "resource" / "book.jsonl")
    threading.Thread(target=serve, args=(resource, tmp_path / "umeda-battery.sock"), daemon=True).start()


def test_the_books_of_all_ends_agree(tmp_path: Path, vtn: Vtn, ven: Ven) -> None:
    simulated(tmp_path)
    for name in ("v-1", "v-2", "other"):
        vtn.operate("POST", "/DRAS/events", event(name, "umeda"))
    awaited("they are answered", lambda: vtn.show("v-2") == {"umeda": ("optIn", True)})
    vtn.operate("DELETE", "/DRAS/events/v-1")

    last: list[Compared] = []

    def agree() -> bool:
        """A report may arrive after the first book was read and before the second is."""
        last[:] = [compared("umeda", vtn_book(vtn), ven_book(ven))]
        return not (last[0].pending or last[0].lost) and last[0].reports > 0 and last[0].acts == 3

    awaited("nothing is on its way or lost", agree)
    assert (last[0].doubled, last[0].versions) == ((), 3)
    here = ven_book(ven)
    assert [(one.key, one.kind) for one in here.done] == [
        ("v-1/0/perform/0", "perform"),
        ("v-2/0/perform/0", "perform"),
        ("v-1/1/withdraw/0", "withdraw"),
    ]
    assert {one.event_id for one in here.answers} == {"v-1", "v-2"}


def test_a_resource_without_a_book_and_one_that_is_away_are_named(tmp_path: Path, vtn: Vtn, ven: Ven) -> None:
    path = tmp_path / "umeda-battery.sock"
    away = json.loads(said("ven", ven.config).stdout)
    assert away["problem"].startswith(f"{path}: the resource does not answer: ")

    class Bookless(Battery):
        def answer(self, question: dict[str, Any]) -> dict[str, Any]:
            return {"error": "what?"} if "book" in question else super().answer(question)

    battery = Bookless(path)
    without = json.loads(said("ven", ven.config).stdout)
    assert (without["done"], without["problem"]) == ([], f"{path}: the resource keeps no book")
    battery.close()


def test_an_end_without_state_says_so(tmp_path: Path, authority: Authority) -> None:
    stopped = Vtn(tmp_path, authority, ("umeda",))
    done = said("vtn", stopped.config)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path}/vtn.sqlite: cannot be read as a database: ")
