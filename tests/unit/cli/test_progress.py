"""How far a run is: one line that changes at a terminal, few plain lines elsewhere."""

import io

from heiiki.cli.progress import ProgressLine, line
from heiiki.fleet.model import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def progress(done: int) -> Progress:
    return Progress(done=done, changed=1, failed=0, total=3, per_s=1.5, left_s=(3 - done) / 1.5)


def test_a_terminal_has_one_line_that_changes() -> None:
    stream = Terminal()
    shown = ProgressLine(stream)
    for done in (1, 2, 3):
        shown("pushed", progress(done))
    assert stream.getvalue().count("\r") == 3
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith(
        "\rpushed: 3 of 3 devices, 1 changed, 0 failed, 1.5/s, 0 s left\x1b[K\n"
    )


def test_without_a_terminal_there_are_plain_lines_now_and_then_and_at_the_end() -> None:
    stream = io.StringIO()
    shown = ProgressLine(stream, every_s=3600.0)
    for done in (1, 2, 3):
        shown("read", progress(done))
    assert stream.getvalue() == f"read: {line(progress(3))}\n"
    often = io.StringIO()
    shown = ProgressLine(often, every_s=0.0)
    for done in (1, 2, 3):
        shown("read", progress(done))
    assert often.getvalue().count("\n") == 3
    assert "\x1b" not in often.getvalue()
