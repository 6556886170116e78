"""What three Vault servers change of what devices are sent: the files that differ from those with one.

`python tests/golden/test_three_vaults.py` writes the files after a deliberate change.
"""

import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import golden_folder  # noqa: E402
from test_compile import compiled, texts_of  # noqa: E402
from three_vaults import with_vaults  # noqa: E402

GOLDEN = HERE / "three-vaults"
TWIN = "vault-3/"
"""The third server differs from the second in nothing but addresses."""


@cache
def differing() -> dict[str, str]:
    """Every file that one server does not give, or gives otherwise."""
    one = compiled()
    three = texts_of(with_vaults()).items()
    return {name: text for name, text in three if one.get(name) != text and not name.startswith(TWIN)}


@pytest.mark.parametrize("name", golden_folder.names(GOLDEN))
def test_compiled_as_written(name: str) -> None:
    assert differing()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_file_that_differs_has_its_golden_one() -> None:
    assert sorted(differing()) == golden_folder.names(GOLDEN)


def test_nothing_of_one_server_is_missing_with_three() -> None:
    assert compiled().keys() <= texts_of(with_vaults()).keys()


if __name__ == "__main__":
    golden_folder.write(GOLDEN, differing())
