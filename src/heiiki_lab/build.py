"""Building a large artefact once: one run at a time, everything logged, progress told, an error that helps.

The kernel and the root of the lab's guest take minutes. Both are made in a partial folder beside their final
place and renamed when complete, so a run that is killed leaves nothing that looks finished.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from heiiki.errors import LabError

Report = Callable[[str], None]
"""Takes one line for the person who waits."""

Progress = Callable[[float], str]
"""Gives the line to report, from the seconds since the step began."""

_TICK = 10.0
_TAIL_LINES = 20


def digest(parts: Sequence[str]) -> str:
    """Name of an artefact by all that goes into it: 16 hexadecimal digits, others when any part differs."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode()
        whole.update(len(data).to_bytes(8, "big"))
        whole.update(data)
    return whole.hexdigest()[:16]


@contextmanager
def exclusive(folder: Path, report: Report) -> Iterator[None]:
    """Hold the only right to build in `folder`; wait, and say so, while another run has it.

    The lock ends with the process, however that ends.

    Raises:
        LabError: files cannot be written in `folder` (rights, a full disk).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a", encoding="utf-8") as lock:
            _acquire(lock, folder, report)
            yield
    except OSError as error:
        place = error.filename or folder
        raise LabError(
            f"{place}: {error.strerror}; free the disk or mend the rights, and run again"
        ) from error


def _acquire(lock: IO[str], folder: Path, report: Report) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report(f"another run is building in {folder}; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """An empty folder for the files of one build, deleted afterwards; what a killed run left goes first.

    Only the holder of `exclusive(folder)` may ask for it.
    """
    place = folder / "work"
    if place.exists():
        shutil.rmtree(place)
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place)


def run(
    command: Sequence[str],
    log: Path,
    report: Report,
    progress: Progress | None = None,
    *,
    allowed: Sequence[int] = (0,),
) -> int:
    """Run a command with its output in `log`; report progress every ten seconds.

    Args:
        command: program and arguments; standard input is empty.
        log: file that the output is appended to.
        report: where progress goes.
        progress: makes the progress line; None for a step too short to need one.
        allowed: return codes that are answers, not failures.

    Returns:
        The return code, one of `allowed`.

    Raises:
        LabError: the program is missing or ended otherwise; the message carries the end of the log.
    """
    with log.open("ab") as output:
        output.write(f"$ {command_line(command)}\n".encode())
        output.flush()
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise LabError(f"{command[0]}: cannot be started ({error}); install it and run again") from error
        with process:
            code = _wait(process, report, progress)
    if code not in allowed:
        raise LabError(
            f"{command_line(command)}: ended with code {code}; the log is {log}, its end:\n{tail(log)}"
        )
    return code


def _wait(process: subprocess.Popen[bytes], report: Report, progress: Progress | None) -> int:
    """Wait for the end; an interruption of this process ends the other too."""
    start = time.monotonic()
    try:
        while True:
            try:
                return process.wait(timeout=_TICK)
            except subprocess.TimeoutExpired:
                if progress is not None:
                    report(progress(time.monotonic() - start))
    finally:
        if process.poll() is None:
            process.kill()


def command_line(command: Sequence[str]) -> str:
    """A command in one readable line: long arguments (scripts) are cut."""
    longest = 120
    words = (
        word if len(word) <= longest and "\n" not in word else f"{word.split(chr(10))[0][:40]}..."
        for word in command
    )
    return " ".join(words)


def tail(log: Path) -> str:
    """The last lines of a log, indented, for an error message."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])


def fresh_log(cache: Path, name: str) -> Path:
    """An empty log file under the cache; the one of the build before is dropped."""
    folder = cache / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    log.write_bytes(b"")
    return log


def jobs() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))
