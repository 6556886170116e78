"""Each mistake has its case in `cases/`: how the base service is spoilt, and what `heiiki check` then says.

A case is `NAME.yml` (the first line says what the mistake is; `replace` maps a file to old and new texts,
`write` gives files their text, `remove` and `folder` name files) and `NAME.txt`, the lines of standard error
with the folder left out. `python tests/errors/test_errors.py` writes every `NAME.txt`.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from heiiki.cli.main import cli

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.yml"))


def spoilt(case: Mapping[str, Any], folder: Path) -> None:
    """Copy the base service into `folder` and spoil it as `case` says."""
    shutil.copytree(HERE / "base", folder, dirs_exist_ok=True)
    for name in case.get("remove", ()):
        (folder / name).unlink()
    for name in case.get("folder", ()):
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()
    for name, changes in case.get("replace", {}).items():
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in changes.items():
            assert text.count(old) == 1, f"{name} does not hold {old!r} once"
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
    for name, text in case.get("write", {}).items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def check(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["check", str(folder), *options])


def said(case: Path, folder: Path) -> tuple[str, int]:
    spoilt(yaml.safe_load(case.read_text(encoding="utf-8")), folder)
    result = check(folder)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    return result.stderr.replace(f"{folder}/", ""), result.exit_code


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_mistake_has_its_message(case: Path, tmp_path: Path) -> None:
    assert said(case, tmp_path) == (case.with_suffix(".txt").read_text(encoding="utf-8"), 2)


def test_every_expectation_has_its_case() -> None:
    expected = sorted(path.stem for path in (HERE / "cases").glob("*.txt"))
    assert expected == sorted(case.stem for case in CASES)


def test_the_base_is_right(tmp_path: Path) -> None:
    spoilt({}, tmp_path)
    result = check(tmp_path)
    assert (result.stderr, result.exit_code) == ("", 0)


def regenerate() -> None:
    for case in CASES:
        with tempfile.TemporaryDirectory() as name:
            text, code = said(case, Path(name))
        assert code == 2, f"{case.stem}: exit code {code}"
        case.with_suffix(".txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    regenerate()
