"""The simulated resource: what comes twice under a key is done once, over a restart too."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from waiting import awaited

from heiiki_agent.openadr.ven.model import Unreachable
from heiiki_agent.openadr.ven.resource import SocketResource
from heiiki_lab.resource import Resource, serve

EVENT = {"event_id": "e-1"}


def keys(book: Path) -> list[str]:
    return [json.loads(line)["key"] for line in book.read_text().splitlines()]


def test_an_action_is_done_once_a_key(tmp_path: Path) -> None:
    book = tmp_path / "state/book.jsonl"
    for _ in range(2):
        resource = Resource(book)
        for _ in range(2):
            assert resource.answer({"perform": EVENT, "key": "e-1/0"}) == {"done": "e-1/0"}
    assert keys(book) == ["e-1/0"]
    assert Resource(book).answer({"withdraw": EVENT, "key": "e-1/1"}) == {"done": "e-1/1"}
    assert keys(book) == ["e-1/0", "e-1/1"]


def test_an_event_lowers_the_power_until_it_is_withdrawn(tmp_path: Path) -> None:
    resource = Resource(tmp_path / "book.jsonl")
    before = resource.answer({"measure": "power"})["value"]
    resource.answer({"perform": EVENT, "key": "1"})
    assert resource.answer({"measure": "power"})["value"] < before
    resource.answer({"withdraw": EVENT, "key": "2"})
    assert resource.answer({"measure": "power"})["value"] == before


def test_what_was_ordered_last_is_its_power_over_a_restart_too(tmp_path: Path) -> None:
    book = tmp_path / "book.jsonl"
    order = {"order_id": "o-1", "power_kw": -7.5}
    for _ in range(2):
        resource = Resource(book)
        assert resource.answer({"set": order, "key": "o-1"}) == {"done": "o-1"}
        assert resource.answer({"measure": "power"}) == {"value": -7.5}
    assert keys(book) == ["o-1"]
    assert resource.answer({"book": "o-", "from": 0})["book"][0]["event_id"] == "o-1"


def test_a_schedule_is_its_power_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = Resource(tmp_path / "book.jsonl")
    before = resource.answer({"measure": "power"})
    order = {"order_id": "s", "start": "2026-12-01T08:00:00Z", "interval_s": 60, "powers_kw": [1.0, 2.0]}
    resource.answer({"schedule": order, "key": "s"})
    begins = datetime(2026, 12, 1, 8, tzinfo=UTC).timestamp()
    for after, power in ((-1, before), (0, {"value": 1.0}), (60, {"value": 2.0}), (120, before)):
        monkeypatch.setattr("heiiki_lab.resource.time.time", lambda after=after: begins + after)
        assert resource.answer({"measure": "power"}) == power


def test_what_it_can_never_do_is_refused_and_not_in_its_book(tmp_path: Path) -> None:
    resource = Resource(tmp_path / "book.jsonl")
    order = {"order_id": "o-1", "power_kw": 500.0}
    assert resource.answer({"set": order, "key": "o-1"}) == {"refused": "500 kW is more than its 100 kW"}
    assert resource.answer({"book": "", "from": 0}) == {"book": []}


def test_a_ven_asks_it_by_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "run/socket"
    threading.Thread(target=serve, args=(Resource(tmp_path / "book.jsonl"), path), daemon=True).start()
    awaited("it listens", path.exists)
    asked = SocketResource(path)
    assert asked.measure("stored") > 0
    with pytest.raises(Unreachable):
        asked.measure("colour")
    assert asked.measure("power") > 0, "a question that is none ends nothing"
