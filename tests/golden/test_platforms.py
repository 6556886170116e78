"""What a change looks like on each platform, one feature a file: both configurations, and what follows.

A file has the sections running, intended, diff, remediation and rollback. The first two are written by hand;
`python tests/golden/test_platforms.py` writes the others after a deliberate change.
"""

from pathlib import Path

import pytest

from heiiki import platforms

GOLDEN = Path(__file__).parent / "platforms"
CASES = sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*.txt"))


def given(case: str) -> tuple[str, str]:
    text = (GOLDEN / case).read_text(encoding="utf-8")
    running, _, rest = text.removeprefix("=== running\n").partition("=== intended\n")
    return running, rest.partition("=== diff\n")[0]


def written(case: str) -> str:
    running, intended = given(case)
    change = platforms.of(case.partition("/")[0]).compare(running, intended)
    parts = {
        "running": running,
        "intended": intended,
        "diff": change.diff,
        "remediation": "".join(f"{line}\n" for line in change.remediation),
        "rollback": "".join(f"{line}\n" for line in change.rollback),
    }
    return "".join(f"=== {name}\n{part}" for name, part in parts.items())


@pytest.mark.parametrize("case", CASES)
def test_change_as_written(case: str) -> None:
    assert written(case) == (GOLDEN / case).read_text(encoding="utf-8")


def test_every_platform_has_its_cases() -> None:
    assert {case.partition("/")[0] for case in CASES} == set(platforms.names())


if __name__ == "__main__":
    for name in CASES:
        (GOLDEN / name).write_text(written(name), encoding="utf-8")
