"""What the worked example compiles to, one case a file: the reviewer reads how what devices are sent differs.

`python tests/golden/test_compile.py` writes the files after a deliberate change.
"""

import json
import sys
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import golden_folder

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import DeviceBuild, compile_plan, manifest

GOLDEN = Path(__file__).parent / "compile"
EXAMPLE = Path(__file__).parents[2] / "inventories" / "lab"
TWINS = {"sakai-bems"}
"""Devices that differ from a golden one in nothing but addresses."""
PROGRAMS = "/usr/local/lib/heiiki/"


@cache
def compiled() -> dict[str, str]:
    """Every file of the worked example."""
    return texts_of(build(load(EXAMPLE)))


def texts_of(plan: Plan) -> dict[str, str]:
    """Every file of every device by `device/path`; programs have tests of their own."""
    texts: dict[str, str] = {}
    for item in compile_plan(plan):
        if item.device not in TWINS:
            texts[f"{item.device}/manifest.json"] = _without_digests(item)
            for file in item.files:
                if not file.path.startswith(PROGRAMS):
                    texts[f"{item.device}{file.path}"] = file.content
    return texts


def _without_digests(item: DeviceBuild) -> str:
    """The manifest as it is; digests of programs change with every program."""
    whole = json.loads(manifest(item))
    for file in whole["files"]:
        del file["sha256"]
    return json.dumps(whole, indent=1) + "\n"


@pytest.mark.parametrize("name", golden_folder.names(GOLDEN))
def test_compiled_as_written(name: str) -> None:
    assert compiled()[name] == (GOLDEN / name).read_text(encoding="utf-8")


def test_every_file_has_its_golden_one() -> None:
    assert sorted(compiled()) == golden_folder.names(GOLDEN)


if __name__ == "__main__":
    golden_folder.write(GOLDEN, compiled())
