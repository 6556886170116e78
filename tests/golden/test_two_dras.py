"""What a second host of DRAS changes of what devices are sent: the files that differ from those with one.

`python tests/golden/test_two_dras.py` writes the files after a deliberate change.
"""

import shutil
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from test_compile import compiled, texts_of  # noqa: E402
from two_dras import with_two  # noqa: E402

GOLDEN = HERE / "two-dras"


@cache
def differing() -> dict[str, str]:
    """Every file that one host does not give, or gives otherwise."""
    one = compiled()
    two = texts_of(with_two()).items()
    return {name: text for name, text in two if one.get(name) != text}


def golden() -> list[str]:
    return sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", golden())
def test_compiled_as_written(name: str) -> None:
    assert differing()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_file_that_differs_has_its_golden_one() -> None:
    assert sorted(differing()) == golden()


def test_nothing_of_one_host_is_missing_with_two() -> None:
    assert compiled().keys() <= texts_of(with_two()).keys()


def regenerate() -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for name, text in differing().items():
        path = GOLDEN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    regenerate()
