"""Every Molecule scenario, from nothing to nothing."""

import json
import re
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import build

from .conftest import Commands

SCENARIOS = sorted(path.parent.name for path in Path(__file__).parent.glob("*/molecule.yml"))
COLOUR = re.compile(r"\x1b\[[\d;]*m")
# Molecule draws a line before what Ansible says, and breaks it after 80 characters.
RECAP = re.compile(r"(?P<host>[\w-]+) +: ok=\d+ +changed=(?P<changed>\d+) +unreachable=(?P<unreachable>\d+)")


def shortcomings(verdicts: Path) -> str:
    """What a scenario's report calls a fail or unknown, a line each."""
    if not verdicts.is_file():
        return f"no {verdicts.name} was written"
    return "\n".join(
        " ".join(str(row[key]) for key in ("result", "stage", "requirement", "subject", "reason"))
        for row in json.loads(verdicts.read_text())["verdicts"]
        if row["result"] in {"fail", "unknown"}
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, commands: Commands, lab_inventory: Path) -> None:
    verdicts = commands.root / "artifacts/molecule/verdicts.json"
    verdicts.unlink(missing_ok=True)
    try:
        said = commands.run(
            "molecule", "-c", "tests/molecule/base/config.yml", "test", "--scenario-name", scenario
        )
    except AssertionError as error:
        # The end of the output is what a reader of a log sees: what did not pass, and why.
        error.add_note(shortcomings(verdicts))
        raise
    devices = {device.name for device in build(load(lab_inventory)).managed()}
    recaps = [
        {found["host"]: (found["changed"], found["unreachable"]) for found in RECAP.finditer(part)}
        for part in COLOUR.sub("", said).split("PLAY RECAP")[1:]
    ]
    converge, idempotence = (recap for recap in recaps if devices <= recap.keys())
    assert "0" not in {converge[device][0] for device in devices}
    assert {idempotence[device] for device in devices} == {("0", "0")}
