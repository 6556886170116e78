"""What optical access takes: the RADIUS server whole, and at either end of a line what is there for it alone.

`python tests/golden/test_optical.py` writes the files after a deliberate change.
"""

import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import golden_folder  # noqa: E402
from optical_service import by_ethernet, optical  # noqa: E402
from test_compile import texts_of  # noqa: E402

GOLDEN = HERE / "optical"
ITS_OWN = ("pppoe", "radius/", "heiiki-radius")


@cache
def compiled() -> dict[str, str]:
    """Every file of the RADIUS server, and of other devices those of PPPoE and RADIUS."""
    texts = texts_of(optical()[0])
    return {
        name: text
        for name, text in texts.items()
        if name.startswith("radius/") or any(part in name for part in ITS_OWN)
    }


@pytest.mark.parametrize("name", golden_folder.names(GOLDEN))
def test_compiled_as_written(name: str) -> None:
    assert compiled()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_file_has_its_golden_one() -> None:
    assert sorted(compiled()) == golden_folder.names(GOLDEN)


def test_devices_with_nothing_to_do_with_it_are_sent_what_they_are_sent_without_it() -> None:
    with_it, without = texts_of(optical()[0]), texts_of(by_ethernet())
    for device in ("a-p1", "b-pgw", "b-edge", "umeda-bems", "sakai-ce-a", "sakai-gw-b"):
        own = [
            {name: text for name, text in one.items() if name.startswith(f"{device}/")}
            for one in (with_it, without)
        ]
        assert own[0] == own[1]
        assert own[0]


if __name__ == "__main__":
    golden_folder.write(GOLDEN, compiled())
