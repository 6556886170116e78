"""What the documents promise exists: pictures are the code's, links lead somewhere, commands can be typed.

`python tests/unit/docs/test_documents.py` draws the pictures after a deliberate change.
"""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from heiiki.cli.main import cli
from heiiki.cli.new_service import template
from heiiki.intent import load
from heiiki.plan import build
from heiiki.report import network_svg

ROOT = Path(__file__).parents[3]
PICTURES = {ROOT / "docs" / "lab.svg": ROOT / "inventories" / "lab"}
"""Each picture, and the service that it shows."""

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
_COMMAND = re.compile(r"^(?:\.venv/bin/)?(heiiki|make|ansible-playbook) ")


WIDTH = 140
"""Columns of a line that a person reads as text; tables have lines as long as they need."""


def long_lines(text: str) -> Iterator[str]:
    """Every line of prose that is too long."""
    prose = _FENCED.sub(lambda block: "\n" * block[0].count("\n"), text)
    for number, line in enumerate(prose.splitlines(), start=1):
        if len(line) > WIDTH and not line.lstrip().startswith("|"):
            yield f"{number}: {line}"


@pytest.mark.parametrize(
    "document",
    # The list of changes is made of fragments by a program.
    [one for one in DOCUMENTS if one.name != "CHANGELOG.md"],
    ids=lambda one: one.relative_to(ROOT).as_posix(),
)
def test_prose_is_wrapped(document: Path) -> None:
    assert list(long_lines(document.read_text(encoding="utf-8"))) == []


def drawn(service: Path) -> str:
    return network_svg(build(load(service)))


def commands(document: Path) -> Iterator[list[str]]:
    """Every command of the project in a document, in words."""
    text = document.read_text(encoding="utf-8")
    lines = [line for block in _FENCED.findall(text) for line in block.splitlines()]
    for line in (*lines, *_INLINE.findall(_FENCED.sub("", text))):
        if _COMMAND.match(line) and "…" not in line:
            words = shlex.split(line, comments=True)
            yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def typed(command: str) -> list[tuple[str, list[str]]]:
    return [(doc.name, words) for doc in DOCUMENTS for words in commands(doc) if words[0] == command]


def mistake(words: list[str]) -> str:
    """What the command line would not know in `words`, or the empty string."""
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return f"no command {rest[0]}"
        command = command.commands[rest.pop(0)]
    known = {name for option in command.params for name in option.opts} | {"--help", "-h"}
    own = rest[: rest.index("--")] if "--" in rest else rest
    unknown = [word for word in own if word.startswith("-") and word.partition("=")[0] not in known]
    return f"no option {unknown[0]}" if unknown else wrong_choice(command, own)


def wrong_choice(command: click.Command, words: list[str]) -> str:
    """What an option of a few values would not take, or the empty string."""
    few = {name: one for one in command.params if isinstance(one.type, click.Choice) for name in one.opts}
    for name, value in pairwise(words):
        if name in few:
            try:
                few[name].type.convert(value, few[name], None)
            except click.BadParameter as error:
                return error.message
    return ""


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_pictures_are_those_of_the_plan(picture: Path) -> None:
    assert picture.read_text(encoding="utf-8") == drawn(PICTURES[picture])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    targets = [
        target for target in _LINK.findall(document.read_text(encoding="utf-8")) if "://" not in target
    ]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_commands_are_found() -> None:
    assert {words[0] for doc in DOCUMENTS for words in commands(doc)} == {
        "ansible-playbook",
        "heiiki",
        "make",
    }


def test_every_heiiki_command_can_be_typed() -> None:
    assert [(*item, mistake(item[1][1:])) for item in typed("heiiki") if mistake(item[1][1:])] == []


@pytest.mark.parametrize("wrong", [["lab", "audit"], ["check", "x", "--yaml"], ["explain", "umeda"]])
def test_a_command_that_does_not_exist_is_noticed(wrong: list[str]) -> None:
    assert mistake(wrong)


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = {word for _, words in typed("make") for word in words[1:] if re.fullmatch("[a-z]+", word)}
    assert asked - targets == set()


def test_every_playbook_exists() -> None:
    named = {
        word for _, words in typed("ansible-playbook") for word in words if word.startswith("playbooks/")
    }
    assert named
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_the_site_in_the_readme_passes(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ((name, text),) = re.findall(r"```yaml\n# inventories/osaka/(\S+)\n(.*?)```", readme, re.DOTALL)
    for file, content in (template("osaka") | {name: text}).items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(content, encoding="utf-8")
    assert [site.name for site in load(tmp_path).sites] == ["first", "kitano"]


def test_every_decision_that_the_code_cites_is_written_down() -> None:
    decided = {
        match[1]
        for document in ROOT.glob("docs/decisions/*.md")
        for match in re.finditer(r"^## (D\d+) ", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    code = [*ROOT.glob("src/*/**/*.py"), *ROOT.glob("plugins/**/*.py")]
    cited = {
        match for path in code for match in re.findall(r"\bD\d{1,2}\b", path.read_text(encoding="utf-8"))
    }
    assert cited
    assert cited - decided == set()


def test_the_documents_list_what_needs_root() -> None:
    lab = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("src/heiiki_lab/**/*.py"))
    used = set(re.findall(r"privileged\.([a-z]+)\(", lab)) - {
        "hook"
    }  # text of a command that another one runs
    page = (ROOT / "docs" / "machine.md").read_text(encoding="utf-8")
    assert used == {"bootstrap", "inside", "remove"}
    assert {name for name in used if f"`{name}`" not in page} == set()


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_nothing_else_asks_for_root() -> None:
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("src/*/**/*.py")
        if re.search(r"[\"']sudo[\"']", path.read_text(encoding="utf-8"))
    }
    # In a policy the word is a capability of the Vault server, over SSH it is said to a device: neither asks
    # anything of this machine.
    elsewhere = {
        "src/heiiki/fleet/frr_shell.py",
        "src/heiiki/management.py",
        "src/heiiki/pki/server/policies.py",
        "src/heiiki/transport/ssh.py",
    }
    assert asking - elsewhere == {"src/heiiki_lab/root/privileged.py"}


def test_the_number_of_faults_is_that_of_the_plan() -> None:
    count = len(build(load(ROOT / "inventories" / "lab")).faults)
    texts = [
        (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("auditor.md", "decisions/verdicts.md")
    ]
    assert [f" {count} rows" in text or f" {count}." in text for text in texts] == [True, True]


def regenerate() -> None:
    for picture, service in PICTURES.items():
        picture.write_text(drawn(service), encoding="utf-8")


if __name__ == "__main__":
    regenerate()
