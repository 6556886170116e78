"""Files made to hurt: too deep, too large, unreadable, random. Each ends soon, in a message."""

import errno
import json
import os
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heiiki.cli.main import cli
from heiiki.errors import IntentError
from heiiki.intent import load
from heiiki.plan import build

BASE = Path(__file__).parent / "base"
SITE = "sites/0017-umeda.yml"
FILES = ("service.yml", "retired.yml", SITE)
TEXTS = {name: (BASE / name).read_text(encoding="utf-8") for name in (*FILES, "sites/0023-namba.yml")}
SOON_S = 10.0
"""A shared machine stalls; a parser that follows aliases, or compares all with all, takes hours."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sites").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def problems(folder: Path) -> list[str]:
    with pytest.raises(IntentError) as caught:
        load(folder)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


DEEP = (
    f"{SITE}:1:{{}}: more than 16 lists or mappings stand inside each other; "
    "write a few levels at most, as the reference page shows"
)


@pytest.mark.parametrize(
    ("text", "column"),
    [("[" * 10_000, 17), ("{a: " * 10_000, 65), ("- " * 10_000, 33), ("? " * 10_000, 33)],
    ids=["brackets", "braces", "dashes", "question marks"],
)
def test_deep_nesting_is_refused_before_it_can_end_the_process(folder: Path, text: str, column: int) -> None:
    (folder / SITE).write_text(text)
    assert problems(folder) == [DEEP.format(column)]


def test_nesting_just_below_the_limit_is_parsed(folder: Path) -> None:
    (folder / SITE).write_text(TEXTS[SITE].replace("Kita Building", "[" * 15 + "]" * 15))
    assert problems(folder) == [f"{SITE}:3:1: customer: a list is not text; write text"]


def test_two_mebibytes_are_refused(folder: Path) -> None:
    (folder / SITE).write_text("# \n" * 700_000)
    text = "the file is larger than 256 KiB; split it, or remove what does not belong here"
    assert problems(folder) == [f"{SITE}:1:1: {text}"]


@pytest.mark.parametrize(
    "text",
    ["a: b\n" * 50_000, "a: &a [1]\n" + "".join(f"k{i}: *a\n" for i in range(20_000)), "[]: a\n" * 30_000],
    ids=["doubled keys", "aliases", "keys that are lists"],
)
def test_thousands_of_mistakes_are_cut_short(folder: Path, text: str) -> None:
    (folder / SITE).write_text(text)
    began = time.process_time()
    found = problems(folder)
    assert time.process_time() - began < SOON_S
    assert len(found) == 50
    assert sum("there may be more mistakes below; mend those above first" in line for line in found) == 1


def test_thousands_of_unknown_keys_are_cut_short(folder: Path) -> None:
    (folder / SITE).write_text(TEXTS[SITE] + "".join(f"key{index}: 1\n" for index in range(5_000)))
    began = time.process_time()
    found = problems(folder)
    assert time.process_time() - began < SOON_S
    assert found[0] == f"{SITE}:1:1: there are 5000 problems; mend those shown first"
    assert len(found) == 51


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    (folder / SITE).unlink()
    os.mkfifo(folder / SITE)
    assert problems(folder) == [
        f"{SITE}:0:0: the file cannot be read: it is not a file; make it a readable text file"
    ]


def test_a_dangling_link_is_named(folder: Path) -> None:
    (folder / SITE).unlink()
    (folder / SITE).symlink_to("nowhere.yml")
    reason = os.strerror(errno.ENOENT)
    assert problems(folder) == [
        f"{SITE}:0:0: the file cannot be read: {reason}; make it a readable text file"
    ]


def test_a_file_without_permission_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def refusing(self: Path, *arguments: object) -> object:
        if self.name == "service.yml":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return real(self, *arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refusing)
    reason = os.strerror(errno.EACCES)
    assert problems(folder) == [
        f"service.yml:0:0: the file cannot be read: {reason}; make it a readable text file"
    ]


def test_sites_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "service.yml").write_text(TEXTS["service.yml"])
    (tmp_path / "sites").write_text("")
    reason = os.strerror(errno.ENOTDIR)
    assert (
        f"sites:0:0: the folder cannot be read: {reason}; make it a readable folder of site files"
        in problems(tmp_path)
    )


def test_json_holds_every_problem(folder: Path) -> None:
    (folder / SITE).write_text(TEXTS[SITE].replace("primary: a", "primary: c"))
    result = CliRunner().invoke(cli, ["check", str(folder), "--json"])
    assert (result.exit_code, result.stderr) == (2, "")
    assert json.loads(result.stdout) == {
        "problems": [
            {
                "file": str(folder / SITE),
                "line": 5,
                "column": 1,
                "where": "primary",
                "what": "`c` is not known",
                "fix": "write one of `a`, `b`",
            }
        ]
    }


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, str]:
    """A file of the service with a few random changes of its text, or of its values."""
    name = draw(st.sampled_from(FILES))
    text = TEXTS[name]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 12))
        text = text[:start] + draw(st.one_of(_PIECES, st.text(max_size=6))) + text[start + length :]
    return name, text


_WORDS = (
    "[ ] { } | > % @ ~ # ' --- &a *a !x !!int <<: 0x_ 1:30 .nan -1 1.5 true 2001-01-01 9999999999999999999999"
)
_PIECES = st.sampled_from([*_WORDS.split(), '"', "", ": ", "- ", "? ", "\n", "  ", "\t", "\x00"])


@given(spoilt())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_text_raises_nothing_but_problems(folder: Path, change: tuple[str, str]) -> None:
    _load_spoilt(folder, *change)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(FILES), st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_values_raise_nothing_but_problems(folder: Path, name: str, data: st.DataObject) -> None:
    root = yaml.safe_load(TEXTS[name])
    here, places = [root], []
    while here:
        holder = here.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            places.append((holder, key))
            if isinstance(holder[key], dict | list):
                here.append(holder[key])
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(_VALUES)
    _load_spoilt(folder, name, yaml.safe_dump(root, allow_unicode=True))


def _load_spoilt(folder: Path, name: str, text: str) -> None:
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    found: IntentError | None = None
    try:
        build(load(folder))
    except IntentError as error:
        found = error
    finally:
        (folder / name).write_text(TEXTS[name], encoding="utf-8")
    if found is not None:
        assert found.problems
        assert all(problem.what and problem.fix for problem in found.problems)
        assert all(line.isprintable() for line in str(found).split("\n"))
