"""The reader of configuration: types convert, and all mistakes are told at once, each with its place."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal

import pytest

from heiiki_agent import config
from heiiki_agent.errors import AgentError


@dataclass(frozen=True)
class Inner:
    number: Annotated[int, range(1, 10)]
    kind: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        if self.number == 7 and self.kind == "b":
            raise ValueError("7 is no b")


@dataclass(frozen=True)
class Outer:
    name: Annotated[str, r"[a-z]+"]
    inner: Inner
    flag: bool = False
    address: IPv4Address | None = None
    path: Path = Path("/")
    many: Annotated[tuple[Inner, ...], 1] = field(default_factory=tuple)
    pairs: dict[str, int] = field(default_factory=dict)


def mistakes(text: str) -> list[str]:
    with pytest.raises(AgentError) as caught:
        config.parse(Outer, text, "F")
    return str(caught.value).splitlines()


def test_values_have_the_types_of_their_fields() -> None:
    text = (
        '{"name": "x", "inner": {"number": 3}, "address": "10.0.0.1", "many": [{"number": 1, "kind": "b"}]}'
    )
    assert config.parse(Outer, text, "F") == Outer(
        "x", Inner(3), address=IPv4Address("10.0.0.1"), many=(Inner(1, "b"),)
    )


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    text = """{"name": "X", "inner": {"number": 10, "kind": "c", "more": 1}, "flag": 1, "address": 5,
               "path": "here", "many": [{"number": 7, "kind": "b"}, []], "pairs": {"a": true}}"""
    assert mistakes(text) == [
        "F: name: is wrong: 'X' does not match [a-z]+",
        "F: inner.more: is not known here; remove it",
        "F: inner.number: is wrong: 10 is not a whole number from 1 to 9",
        "F: inner.kind: is wrong: 'c' is not known; use a, b",
        "F: flag: is wrong: must be a truth value",
        "F: address: is wrong: must be a text",
        "F: path: is wrong: must be an absolute path",
        "F: many[0]: is wrong: 7 is no b",
        "F: many[1]: is wrong: must be an object",
        "F: pairs.a: is wrong: must be a whole number",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "F: is wrong: must be an object"),
        ("{", "F:1:2: is not JSON: Expecting property name enclosed in double quotes"),
        ('{"name": "x", "inner": {"number": 1}, "many": []}', "F: many: is wrong: give at least 1"),
        ('{"name": "x", "inner": {"number": true}}', "F: inner.number: is wrong: must be a whole number"),
        ('{"name": "", "inner": {"number": 1}}', "F: name: is wrong: must not be empty"),
        ('{"inner": {}}', "F: name: is missing; add it\nF: inner.number: is missing; add it"),
    ],
)
def test_a_mistake(text: str, told: str) -> None:
    assert mistakes(text) == told.splitlines()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"/none: cannot be read: .*; apply the device's build first$"):
        config.read(Outer, tmp_path / "none")
