import subprocess
import sys
import threading
from pathlib import Path

import pytest
from waiting import awaited

from heiiki.errors import LabError
from heiiki_lab import build


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def ignore(_line: str) -> None:
    pass


def test_a_digest_differs_when_the_same_letters_are_split_otherwise() -> None:
    assert build.digest(["ab", "c"]) != build.digest(["a", "bc"])
    assert build.digest(["ab", "c"]) == build.digest(["ab", "c"])


def test_a_command_leaves_itself_and_its_output_in_the_log(tmp_path: Path) -> None:
    log = build.fresh_log(tmp_path, "x")
    assert build.run(("echo", "one two"), log, ignore) == 0
    assert log.read_text() == "$ echo one two\none two\n"


def test_an_allowed_code_is_an_answer(tmp_path: Path) -> None:
    log = build.fresh_log(tmp_path, "x")
    assert build.run(python("raise SystemExit(3)"), log, ignore, allowed=(0, 3)) == 3


def test_a_failure_shows_code_log_and_the_end_of_the_log(tmp_path: Path) -> None:
    log = build.fresh_log(tmp_path, "x")
    code = "for i in range(50): print('line', i)\nraise SystemExit(4)"
    with pytest.raises(LabError) as caught:
        build.run(python(code), log, ignore)
    message = str(caught.value)
    assert "ended with code 4" in message
    assert str(log) in message
    assert message.splitlines()[-1] == "  line 49"
    assert "  line 29" not in message.splitlines()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    log = build.fresh_log(tmp_path, "x")
    with pytest.raises(LabError, match=r"^no-such-program: cannot be started .* install it"):
        build.run(("no-such-program",), log, ignore)


def test_progress_is_told_while_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_TICK", 0.05)
    lines: list[str] = []
    log = build.fresh_log(tmp_path, "x")
    build.run(("sleep", "0.3"), log, lines.append, lambda seconds: f"{seconds < 5}")
    assert lines
    assert set(lines) == {"True"}


def test_an_interruption_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_TICK", 0.05)
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def remember(*args: object, **kwargs: object) -> subprocess.Popen[bytes]:
        started.append(popen(*args, **kwargs))  # type: ignore[call-overload]
        return started[-1]

    def interrupt(_seconds: float) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", remember)
    with pytest.raises(KeyboardInterrupt):
        build.run(("sleep", "60"), build.fresh_log(tmp_path, "x"), ignore, interrupt)
    assert started[0].returncode == -9


def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    order: list[str] = []

    def second() -> None:
        with build.exclusive(tmp_path, lines.append):
            order.append("second")

    with build.exclusive(tmp_path, lines.append):
        thread = threading.Thread(target=second)
        thread.start()
        awaited("the second says that it waits", lambda: lines)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert lines == [f"another run is building in {tmp_path}; waiting for it"]


def test_a_script_in_a_command_line_is_cut() -> None:
    assert build.command_line(("sh", "-c", "set -e\nrest", "a" * 121)) == f"sh -c set -e... {'a' * 40}..."


def test_a_scratch_folder_starts_empty_and_goes(tmp_path: Path) -> None:
    left = tmp_path / "work" / "of a killed run"
    left.mkdir(parents=True)
    with build.scratch(tmp_path) as work:
        assert list(work.iterdir()) == []
        (work / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(LabError, match=r"/file/kernel: Not a directory; free the disk or mend the rights"),
        build.exclusive(tmp_path / "file" / "kernel", ignore),
    ):
        pass
