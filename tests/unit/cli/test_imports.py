"""What a light command leaves alone: to import what it does not use took nine tenths of its time."""

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from heiiki import service
from heiiki.cli.lazy import Later, LazyGroup

ROOT = Path(__file__).parents[3]
DEVICES = frozenset({"asyncssh", "hvac", "requests", "urllib3", "heiiki.verify.run", "heiiki.fleet.push"})
"""What reaches devices and Vault servers: each takes a tenth of a second of a processor, or more."""
PAPER = frozenset({"cryptography", "jinja2", "pydantic", "yaml", "heiiki.plan", "heiiki.report"})
_LOADED = """
import sys
from heiiki.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def run(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", _LOADED, *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", ["--version", "--help", "lab --help", "check nothing"])
def test_what_only_tells_of_commands_imports_nothing_of_a_service(words: str) -> None:
    found = run(*words.split())
    assert found.returncode == (2 if words == "check nothing" else 0)
    heavy = DEVICES | (PAPER if words != "check nothing" else frozenset())
    assert heavy & set(found.stderr.split()) == set()


def test_a_shell_that_completes_commands_imports_none() -> None:
    asked = {"_HEIIKI_COMPLETE": "bash_complete", "COMP_WORDS": "heiiki re", "COMP_CWORD": "1"}
    found = run(**asked)
    names = [line.partition(",")[2] for line in found.stdout.splitlines()]
    assert names == ["reference", "reinstate", "renew", "restore", "revert", "revoke"]
    assert (DEVICES | PAPER) & set(found.stderr.split()) == set()


def test_a_shell_completes_options_of_a_command_that_is_imported_for_it() -> None:
    asked = {"_HEIIKI_COMPLETE": "bash_complete", "COMP_WORDS": "heiiki lab fail --h", "COMP_CWORD": "3"}
    assert run(**asked).stdout.splitlines() == ["plain,--how", "plain,--help"]


def test_a_check_imports_nothing_that_reaches_devices() -> None:
    found = run("check", "inventories/lab")
    assert found.returncode in {0, 1}
    assert found.stdout.splitlines()[-1].endswith("n/a")
    loaded = set(found.stderr.split())
    assert DEVICES & loaded == set()
    assert loaded >= PAPER


def test_what_is_left_alone_is_what_other_commands_import() -> None:
    code = "import sys; from heiiki.service import push, renew, verify; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) >= DEVICES | PAPER


def test_the_use_cases_are_where_their_types_say() -> None:
    tree = ast.parse(Path(str(service.__file__)).read_text(encoding="utf-8"))
    typed = {
        one.name: str(node.module)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for one in node.names
    }
    assert typed == service._MODULES
    assert sorted(typed) == sorted(service.__all__)
    for name, module in typed.items():
        assert getattr(service, name) is getattr(import_module(module), name)


def test_there_is_no_other_use_case() -> None:
    with pytest.raises(AttributeError, match=r"'heiiki\.service' has no attribute 'abolish'"):
        service.abolish  # noqa: B018 - to ask is the test


def test_a_command_whose_extra_is_missing_says_how_to_get_it() -> None:
    later = {"up": Later("heiiki_no_such_extra.commands:up", "Start.", extra="lab")}
    group = LazyGroup("heiiki", later=later)
    assert "Start." in CliRunner().invoke(group, ["--help"]).stdout
    done = CliRunner().invoke(group, ["up", "--fast", "folder"])
    assert done.exit_code == 1
    assert "`heiiki lab` needs more than is installed here (heiiki_no_such_extra)" in done.stderr
    assert "run `pip install heiiki[lab]`" in done.stderr


def test_a_part_of_the_product_that_cannot_be_imported_is_no_missing_extra() -> None:
    group = LazyGroup("heiiki", later={"up": Later("heiiki_no_such_part:up", "Start.")})
    with pytest.raises(ModuleNotFoundError, match="heiiki_no_such_part"):
        CliRunner().invoke(group, ["up"], catch_exceptions=False)
