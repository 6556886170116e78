"""The simulated resource: what comes twice under a key is done once, over a restart too."""

import json
import threading
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


def test_a_ven_asks_it_by_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "run/socket"
    threading.Thread(target=serve, args=(Resource(tmp_path / "book.jsonl"), path), daemon=True).start()
    awaited("it listens", path.exists)
    asked = SocketResource(path)
    assert asked.measure("stored") > 0
    with pytest.raises(Unreachable):
        asked.measure("colour")
    assert asked.measure("power") > 0, "a question that is none ends nothing"
