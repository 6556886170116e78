"""What reaches a terminal: readable in every encoding and in 80 columns, with nothing that steers it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from heiiki.cli.group import RootGroup
from heiiki.cli.main import cli
from heiiki.cli.terminal import say

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "inventories" / "lab"
WIDTH = 80

_HELP = """
import json, click
from click.testing import CliRunner
from heiiki.cli.group import RootGroup
from heiiki.cli.main import cli

def every(group, path=()):
    yield path
    for name, command in group.commands.items():
        yield from every(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]

run = CliRunner().invoke
found = {" ".join(path): run(cli, [*path, "--help"], prog_name="heiiki").stdout for path in every(cli)}
print(json.dumps(found))
"""


def python(*words: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))
    }
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env={**kept, **environment}, capture_output=True, check=False
    )


def heiiki(*words: object, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    return python("-m", "heiiki", *map(str, words), **environment)


@pytest.fixture(scope="module")
def helps() -> dict[str, dict[str, str]]:
    """Every help text, by the optimisation of Python and by command."""
    found = {level: python("-c", _HELP, PYTHONOPTIMIZE=level, COLUMNS=str(WIDTH)) for level in ("0", "2")}
    assert [done.stderr for done in found.values()] == [b"", b""]
    return {level: json.loads(done.stdout) for level, done in found.items()}


def test_help_does_not_come_from_what_an_optimising_python_drops(helps: dict[str, dict[str, str]]) -> None:
    assert helps["2"] == helps["0"]
    assert {"", "new", "check", "compile", "lab up"} <= helps["0"].keys()


def test_every_help_reads_well_in_80_columns(helps: dict[str, dict[str, str]]) -> None:
    for command, text in helps["0"].items():
        lines = text.splitlines()
        assert lines[0].startswith(f"Usage: heiiki {command}".rstrip())
        assert re.match("  [A-Z]", lines[2]), command
        assert max(map(len, lines)) <= WIDTH, command
        wrong = [line for line in lines[1:] if "\b" in line or "\\" in line or line.endswith("...")]
        assert wrong == [], command


def test_every_example_stands_on_a_line_of_its_own(helps: dict[str, dict[str, str]]) -> None:
    for command, text in helps["0"].items():
        _, word, after = text.partition("Example")
        if word:
            head, *examples = after.splitlines()
            assert head in {":", "s:"}, command
            assert examples, command
            assert [line for line in examples if not line.startswith("    heiiki ")] == [], command
        assert text.count("  heiiki ") == len(re.findall("^    heiiki ", text, re.MULTILINE)), command


@pytest.mark.parametrize("encoding", ["euc_jp", "cp932", "latin-1", "iso2022_jp", "koi8-r", "cp437"])
def test_verdicts_in_an_encoding_that_lacks_signs(encoding: str) -> None:
    done = CliRunner(charset=encoding).invoke(cli, ["check", str(EXAMPLE)])
    assert (done.exit_code, done.stderr_bytes) == (0, b"")
    first = done.stdout_bytes.decode(encoding).splitlines()[0]
    assert re.fullmatch(r"R-AVAIL +umeda +2\.64[x×?]10\^?[-⁻].+ (<=|≤) 2[x×?]10\^?[-⁻].+ +pass", first)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "2.42×10^-6 <= 2×10^-5 -> ?? ..."),
        ("euc_jp", "2.42×10^-6 <= 2×10^-5 → 大阪 …"),
        ("utf-8", "2.42×10⁻⁶ ≤ 2×10⁻⁵ → 大阪 …"),
    ],
)
def test_signs_have_substitutes(encoding: str, text: str) -> None:
    written = "2.42×10⁻⁶ ≤ 2×10⁻⁵ → 大阪 …"
    code = f"from heiiki.cli.terminal import prepare, say; prepare(); say({written!r})"
    done = python("-c", code, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (done.stdout.decode(encoding), done.stderr) == (f"{text}\n", b"")


def test_verdicts_in_a_locale_of_our_users() -> None:
    done = heiiki("check", EXAMPLE, PYTHONIOENCODING="euc_jp")
    assert (done.returncode, done.stderr) == (0, b"")
    assert " <= 2×10^-5 " in done.stdout.decode("euc_jp")


@pytest.mark.parametrize("encoding", ["euc_jp", "latin-1", "utf-8"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_mistakes_in_every_encoding(tmp_path: Path, encoding: str, options: tuple[str, ...]) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "service.yml").write_text("title: 大阪 ≤ \u202e\n", encoding="utf-8")
    (tmp_path / "sites" / "00大阪≤.yml").write_text("", encoding="utf-8")
    done = CliRunner(charset=encoding).invoke(cli, ["check", str(tmp_path), *options])
    assert done.exit_code == 2
    if options:
        assert json.loads(done.stdout_bytes)["problems"]
    else:
        assert done.stderr_bytes.decode(encoding).endswith(" problems\n")


@pytest.mark.parametrize("word", ["\x1b[31m", "a\u202eb", "\x9b31m"])
@pytest.mark.parametrize("before", [(), ("check",), ("new", "--sites"), ("lab",)])
def test_nothing_steers_the_terminal(word: str, before: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, [*before, word])
    assert done.exit_code == 2
    assert all(line.isprintable() for line in done.output.split("\n"))


def test_what_is_said_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\x1b]0;owned\x07\nb\u202e大阪\udc8a")
    assert capsys.readouterr().out == "a\\x1b]0;owned\\x07\nb\\u202e大阪\\x8a\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("check", EXAMPLE), 1, "standard output: No space left on device; make room, or write elsewhere"),
        (
            ("check", EXAMPLE, "--json"),
            1,
            "standard output: No space left on device; make room, or write elsewhere",
        ),
        (
            ("check", "tests", "--json"),
            2,
            "standard output: No space left on device; make room, or write elsewhere",
        ),
        (("--help",), 1, "No space left on device; name a place that can be written"),
    ],
)
def test_a_full_disk_is_told(words: tuple[object, ...], code: int, message: str) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "heiiki", *map(str, words)],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert (done.returncode, done.stderr) == (code, f"Error: {message}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize(
    ("words", "code"), [(("check", "tests"), 2), (("nothing",), 2), (("check", EXAMPLE), 0)]
)
def test_an_exit_code_needs_no_standard_error(words: tuple[object, ...], code: int) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "heiiki", *map(str, words)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=full, check=False)
    assert done.returncode == code


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("check", "nowhere"), 2, "Invalid value for 'FOLDER': Directory 'nowhere' does not exist."),
        (("check",), 2, "Missing argument 'FOLDER'."),
        (("check", "x", "--bogus"), 2, "No such option '--bogus'."),
        (("chekc",), 2, "No such command 'chekc'. Did you mean 'check'?"),
    ],
)
def test_json_is_json_whatever_happens(words: tuple[str, ...], code: int, what: str) -> None:
    done = CliRunner().invoke(cli, [*words, "--json"])
    assert (done.exit_code, done.stderr) == (code, "")
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem == {"file": "", "line": 0, "column": 0, "where": "", "what": what, "fix": ""}


def test_a_file_name_of_another_encoding_is_shown_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "service.yml").write_text("")
    (tmp_path / "sites" / os.fsdecode(b"0003-\x8a\xd6.yml")).write_text("")
    lines = CliRunner().invoke(cli, ["check", str(tmp_path)]).stderr.splitlines()
    assert f"{tmp_path}/sites/0003-\\x8a\\xd6.yml:0:0: this is not a site file" in "\n".join(lines)


def test_a_name_of_another_encoding_ends_in_a_message() -> None:
    root = RootGroup("root", later={})

    @root.command()
    def stat() -> None:
        "\x98".encode("euc_jp")

    done = CliRunner().invoke(root, ["stat"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: a name is not in the encoding of the locale, ")


@pytest.mark.skipif(shutil.which("localedef") is None, reason="needs localedef to make a locale")
def test_a_locale_of_our_users(tmp_path: Path) -> None:
    """With its own locale, not only the encoding of the output: the names of files follow it too."""
    made = subprocess.run(
        ["localedef", "-i", "ja_JP", "-f", "EUC-JP", str(tmp_path / "ja_JP.eucjp")],  # warns, and makes it
        capture_output=True,
        check=False,
    )
    if not (tmp_path / "ja_JP.eucjp").exists():
        pytest.skip(f"no such locale here: {made.stderr!r}")
    locale = {"LOCPATH": str(tmp_path), "LC_ALL": "ja_JP.eucjp"}
    done = heiiki("check", EXAMPLE, **locale)
    assert (done.returncode, done.stderr) == (0, b"")
    assert " <= 2×10^-5 " in done.stdout.decode("euc_jp")
    for name in ("大阪", "é\x98"):
        done = python("-c", _NEW, str(tmp_path), name, **locale)
        assert b"Traceback" not in done.stderr
        assert done.returncode in {0, 2}


_NEW = """
import os, subprocess, sys
name = os.fsencode(sys.argv[1]) + b"/" + sys.argv[2].encode("utf-8", "surrogateescape")
done = subprocess.run([sys.executable, "-m", "heiiki", "new", name], capture_output=True)
sys.stderr.buffer.write(done.stderr)
sys.exit(done.returncode)
"""
