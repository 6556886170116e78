"""What must be acted on reaches the journal as an alert, and no priority is printed elsewhere."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from heiiki_agent.journal import Priorities

PROGRAM = """
import logging
from heiiki_agent import journal
journal.set_up("%(name)s: %(message)s")
logging.getLogger("credentials").critical("umeda-ce-a: was not heard")
logging.getLogger("credentials").info("all is well")
"""


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, 1), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7)],
)
def test_each_line_has_the_priority_of_its_level(level: int, priority: int) -> None:
    record = logging.LogRecord("x", level, __file__, 1, "one\ntwo", (), None)
    assert Priorities("%(message)s").format(record) == f"<{priority}>one\n<{priority}>two"


@pytest.mark.parametrize("leads_there", [True, False])
def test_priorities_are_for_the_journal_alone(tmp_path: Path, leads_there: bool) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        found = os.fstat(stream.fileno())
        place = f"{found.st_dev}:{found.st_ino if leads_there else found.st_ino + 1}"
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            stderr=stream,
            check=True,
            env={"JOURNAL_STREAM": place, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    alert, info = ("<1>", "<6>") if leads_there else ("", "")
    assert (
        log.read_text() == f"{alert}credentials: umeda-ce-a: was not heard\n{info}credentials: all is well\n"
    )
