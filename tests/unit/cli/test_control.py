"""What `heiiki control` shows of sites."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from heiiki.cli import control
from heiiki.control import Arrival, Reported, Shown

MADE = datetime(2026, 11, 30, tzinfo=UTC)
SHOWN = (
    Shown(
        "umeda", "", {"power": (5000.0, "W", True), "frequency": (50.0, "Hz", False)}, (-5.0, "first"), "s"
    ),
    Shown("sakai", "sakai: does not answer", {}, (0.0, ""), ""),
)
REPORTED = (
    Reported(
        "umeda",
        "",
        {"power": 1, "set": 0},
        {"power": (Arrival(MADE, MADE + timedelta(seconds=0.04), asked_for=False),), "set": ()},
    ),
    Reported("sakai", "sakai: is not heard", {}, {}),
)
TOLD = {
    "show": """umeda:
  power      5 kW
  frequency  50 Hz  invalid
  set point  -5 kW  first
  schedule          s
sakai: does not answer
""",
    "reports": """umeda:
  power  each 1 s   last 2026-11-30T00:00:00Z  slowest of 1: 0.040 s
  set    on change  none yet
sakai: is not heard
""",
}


@pytest.mark.parametrize("command", TOLD)
def test_rows_stand_below_their_site_and_a_problem_in_their_place(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(answer: tuple[Any, ...]) -> Any:
        return lambda _service, sites: [one for one in answer if one.site in sites]

    monkeypatch.setattr(control, "opened", lambda _folder: None)
    monkeypatch.setattr(control.use_cases, "show_control", found(SHOWN))
    monkeypatch.setattr(control.use_cases, "reports_of_control", found(REPORTED))
    service = str(Path(__file__).parents[3] / "inventories/lab")
    both = CliRunner().invoke(control.control, [command, service, "umeda", "sakai"])
    assert (both.exit_code, both.output) == (1, TOLD[command])
    well = CliRunner().invoke(control.control, [command, service, "umeda"])
    assert (well.exit_code, well.output) == (0, TOLD[command].partition("sakai")[0])
