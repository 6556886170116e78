"""What CE routers of vendors are sent, beside Linux, whose files are what they are without any vendor.

`python tests/golden/test_vendors.py` writes the files after a deliberate change.
"""

import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import golden_folder  # noqa: E402
from test_compile import texts_of  # noqa: E402
from vendor_service import mixed, on_linux  # noqa: E402

GOLDEN = HERE / "vendors"


@cache
def compiled() -> dict[str, str]:
    """Every file of the routers of vendors, with their manifests."""
    plan, _ = mixed()
    texts = texts_of(plan)
    names = tuple(f"{device.name}/" for device in plan.by_hand())
    return {name: text for name, text in texts.items() if name.startswith(names)}


@pytest.mark.parametrize("name", golden_folder.names(GOLDEN))
def test_compiled_as_written(name: str) -> None:
    assert compiled()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_file_has_its_golden_one() -> None:
    assert sorted(compiled()) == golden_folder.names(GOLDEN)


def test_no_other_device_is_sent_anything_else_because_of_a_vendor() -> None:
    plan, _ = mixed()
    names = tuple(f"{device.name}/" for device in plan.by_hand())
    there, linux = (
        {name: text for name, text in texts_of(one).items() if not name.startswith(names)}
        for one in (plan, on_linux())
    )
    assert there == linux


if __name__ == "__main__":
    golden_folder.write(GOLDEN, compiled())
