"""What both ends of a wired LAN with IEEE 802.1X are sent for it; no other device is sent anything else.

`python tests/golden/test_dot1x.py` writes the files after a deliberate change.
"""

import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import golden_folder  # noqa: E402
from dot1x_service import FOLDER, controlled  # noqa: E402
from test_compile import texts_of  # noqa: E402

from heiiki.intent import load  # noqa: E402
from heiiki.plan import build  # noqa: E402

GOLDEN = HERE / "dot1x"
ENDS = ("namba-gw/", "namba-erc/")
ITS_OWN = ("authenticator", "supplicant", "controlled", "nftables.conf", "credentials.json")


@cache
def compiled() -> dict[str, str]:
    """The files of both ends that say anything of it."""
    texts = texts_of(controlled()[0])
    return {
        name: text
        for name, text in texts.items()
        if name.startswith(ENDS) and any(part in name for part in ITS_OWN)
    }


@pytest.mark.parametrize("name", golden_folder.names(GOLDEN))
def test_compiled_as_written(name: str) -> None:
    assert compiled()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_file_has_its_golden_one() -> None:
    assert sorted(compiled()) == golden_folder.names(GOLDEN)


def test_no_other_device_is_sent_anything_else() -> None:
    with_it, without = (
        {name: text for name, text in texts_of(plan).items() if not name.startswith(ENDS)}
        for plan in (controlled()[0], build(load(FOLDER)))
    )
    differ = {name.partition("/")[0] for name in with_it | without if with_it.get(name) != without.get(name)}
    assert differ == set()


if __name__ == "__main__":
    golden_folder.write(GOLDEN, compiled())
