"""What is printed of a scenario that failed ends with what matters most."""

import json
from pathlib import Path
from typing import Any

from reports import failures, shortcomings

from heiiki.report.completion import NOT_RUN


def row(result: str, subject: str, reason: str = "measured") -> dict[str, Any]:
    return {
        "result": result,
        "stage": "live",
        "requirement": "R-GAP",
        "subject": subject,
        "reason": reason,
    }


def test_fails_come_last_and_what_was_not_chosen_is_counted(tmp_path: Path) -> None:
    rows = [row("fail", "a", "3.1 s"), row("pass", "b"), row("unknown", "c", "no answer")]
    rows += [row("unknown", f"x{number}", NOT_RUN) for number in range(60)]
    (tmp_path / "verdicts.json").write_text(json.dumps({"verdicts": rows}))
    assert shortcomings(tmp_path).splitlines() == [
        "verdicts-first.json: was not written",
        "verdicts.json:",
        "63 rows, 60 of them of what was not chosen",
        "unknown live R-GAP c no answer",
        "fail live R-GAP a 3.1 s",
    ]


def test_the_first_measurement_is_told_before_the_second(tmp_path: Path) -> None:
    for name, result in (("verdicts-first", "fail"), ("verdicts", "pass")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"verdicts": [row(result, name)]}))
    said = shortcomings(tmp_path).splitlines()
    assert said[:3] == ["verdicts-first.json:", "1 rows, 0 of them of what was not chosen", said[2]]
    assert said[2].startswith("fail live R-GAP verdicts-first")
    assert said[3:] == ["verdicts.json:", "1 rows, 0 of them of what was not chosen"]


def test_of_a_play_every_failed_task_is_one_line() -> None:
    said = """\
TASK [heiiki.network.pki : Seed] ***
ok: [vault] =>
    msg: well
TASK [heiiki.network.ce_router : Enrol] ***********
changed: [hub-ce-b]
fatal: [hub-ce-a]: FAILED! =>
    changed: false
    msg: 'hub-ce-a: no way to it;
        start Vault'

PLAY RECAP ****
hub-ce-a : ok=3 failed=1
"""
    expected = "hub-ce-a [heiiki.network.ce_router : Enrol]: 'hub-ce-a: no way to it; start Vault'"
    assert failures(said) == expected
