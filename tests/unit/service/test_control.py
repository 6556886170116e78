"""Direct control by command, over a way to DRAS that runs the same program here."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mms_loopback import World
from waiting import awaited

from heiiki.cli.main import cli
from heiiki.service import Service
from heiiki.transport import Completed

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


class Here:
    """Runs the operator's program here."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        assert (device, argv[2]) == ("dras", "operate")
        command = [sys.executable, "-m", "heiiki_agent.mms", "operate", "--socket", str(self._socket)]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False)
        return Completed(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path)

    class Way:
        @contextmanager
        def transport(self, _plan: Any, _hosts: Any) -> Iterator[Here]:
            yield Here(made.client.socket)

    monkeypatch.setattr(Service, "management", property(lambda _: Way()))
    try:
        made.start()
        yield made
    finally:
        made.close()


def control(verb: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["control", verb, str(EXAMPLE), *arguments])


def test_an_order_is_shown_and_kept(world: World) -> None:
    done = control("set", "umeda", "--power", "-7.5", "--order", "o-1")
    assert (done.exit_code, done.output) == (0, "o-1  umeda  -7.5 kW  done\n")
    shown = control("show", "umeda").output.splitlines()
    assert shown[0] == "umeda:"
    assert [line.split() for line in shown[1:]] == [
        ["MMXU1.TotW", "-7.5", "kW"],
        ["MMXU1.TotVAr", "2", "kvar"],
        ["MMXU1.Hz", "50", "Hz"],
        ["DSTO1.WhAvail", "120", "kWh"],
        ["set", "point", "-7.5", "kW", "o-1"],
    ]
    start = ("--start", "2026-12-01T17:00:00+09:00", "--power", "1", "--power", "-2", "--order", "s-1")
    assert control("schedule", "umeda", *start).exit_code == 0
    assert control("book").output.splitlines() == [
        "o-1  umeda  -7.5 kW                               done",
        "s-1  umeda  2 × 1800 s from 2026-12-01T08:00:00Z  done",
    ]
    assert world.resource.done == ["o-1", "s-1"]


@pytest.mark.usefixtures("world")
def test_what_is_refused_or_late_exits_with_1_and_says_why() -> None:
    done = control("set", "umeda", "--power", "500", "--order", "o-1")
    assert (done.exit_code, done.output) == (
        1,
        "o-1  umeda  500 kW  refused  the resource does not do that\n",
    )


def test_a_site_that_cannot_be_asked_is_named(world: World) -> None:
    world.server.end()
    done = control("show", "umeda")
    assert done.exit_code == 1
    assert done.output.startswith("umeda: [Errno 111] Connect call failed")


def test_what_is_reported_is_shown_with_how_long_it_took(world: World) -> None:
    awaited("a measurement is reported", lambda: world.client.reports()["measurement"])
    done = control("reports", "umeda")
    assert done.exit_code == 0
    heading, measurement, event, schedule = done.output.splitlines()
    assert heading == "umeda:"
    assert re.fullmatch(r"  measurement +each 1 s +last \S+Z +slowest of \d+: \d\.\d{3} s", measurement)
    assert event.split() == ["event", "on", "change", "none", "yet"]
    assert re.fullmatch(r"  schedule +each 1800 s +last \S+Z +slowest of 1: \d\.\d{3} s", schedule)
    world.server.end()
    awaited("it is not heard", lambda: control("reports", "umeda").exit_code == 1)
    assert control("reports", "umeda").output.startswith("umeda: ")


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "namba", "--power", "1"), "Error: no direct control of namba; use umeda, sakai\n"),
        (("set", "umeda", "--power", "x"), "'x' is not a valid float"),
        (
            ("schedule", "umeda", "--start", "2026-12-01T17:00:00", "--power", "1"),
            "order: start: is wrong: has no zone; write 2026-12-01T08:00:00Z\n",
        ),
        (("schedule", "umeda", "--start", "x", "--power", "1"), "order: start: is wrong: Invalid isoformat"),
    ],
)
def test_mistakes_are_told_without_a_traceback(arguments: tuple[str, ...], said: str) -> None:
    done = control(*arguments)
    assert done.exit_code != 0
    assert said in done.output
    assert "Traceback" not in done.output
