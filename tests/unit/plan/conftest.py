"""What tests of the plan share."""

from pathlib import Path

import pytest

from heiiki.cli.new_service import generate
from heiiki.intent import load
from heiiki.plan import Plan, build

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


@pytest.fixture(scope="module", params=[0, 30])
def plan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The worked example, and a generated service of thirty sites."""
    if not request.param:
        return build(load(EXAMPLE))
    folder = tmp_path_factory.mktemp("service")
    for name, text in generate("random", request.param, 1).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return build(load(folder))
