"""How long a large service takes, in memory and as a user types it, beside a peer: `make bench`.

Each measurement is a fresh process on one core. The seconds that count are those of the processor, because a
busy machine spoils the clock's; both are shown, with the peak of memory.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from heiiki.cli.new_service import generate

PEER = "pyavd==6.4.0"
GOALS = {"in memory": (1.5, "s"), "to disk": (4.0, "s"), "on disk": (60.0, "MB"), "peak": (400.0, "MiB")}
STEPS = ("load", "plan", "compile", "check")
HEAD = f"{'what':<54}{'processor s':>12}{'clock s':>9}{'ms/device':>11}{'MiB':>6}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: seconds of processor and clock, peak of memory, and for how many devices."""

    what: str
    processor_s: float
    clock_s: float
    peak_mib: float | None = None
    devices: int = 0

    def __str__(self) -> str:
        """The line, in the columns of `HEAD`."""
        each = f"{self.each_ms:.2f}" if self.devices else ""
        peak = f"{self.peak_mib:.0f}" if self.peak_mib is not None else ""
        return f"{self.what:<54}{self.processor_s:>12.2f}{self.clock_s:>9.2f}{each:>11}{peak:>6}"

    @property
    def each_ms(self) -> float:
        """Milliseconds of processor a device."""
        return 1000 * self.processor_s / self.devices


def run(*command: str) -> tuple[str, float, float, float]:
    """Run a program on one core; return its output, seconds of processor and clock, and its peak in MiB."""
    core, start = str(max(os.sched_getaffinity(0))), time.perf_counter()
    with subprocess.Popen(["taskset", "-c", core, *command], stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    clock = time.perf_counter() - start
    return output, usage.ru_utime + usage.ru_stime, clock, usage.ru_maxrss / 1024


def in_memory(folder: Path, runs: int) -> tuple[Row, ...]:
    """Return the baseline, each step, and their sum."""
    plain, found = (
        [json.loads(run(sys.executable, _beside("steps.py"), what, str(folder))[0]) for _ in range(runs)]
        for what in ("parse", "memory")
    )
    devices = found[0]["devices"]
    steps = [Row(f"  {name}", *_medians(found, name), devices=devices) for name in STEPS]
    processor, clock = sum(row.processor_s for row in steps), sum(row.clock_s for row in steps)
    return (
        Row("baseline: PyYAML parses the same files", *_medians(plain, "parse"), _peak(plain)),
        *steps,
        Row("in memory", processor, clock, _peak(found), devices),
    )


def _beside(name: str) -> str:
    return str(Path(__file__).with_name(name))


def _medians(runs: list[dict[str, Any]], name: str) -> tuple[float, float]:
    processor, clock = (statistics.median(item["seconds"][name][index] for item in runs) for index in (0, 1))
    return processor, clock


def _peak(runs: list[dict[str, Any]]) -> float:
    return float(max(item["peak_mib"] for item in runs))


def as_typed(folder: Path, outs: list[Path], devices: int) -> Iterator[Row]:
    """Yield what the commands take, from the start of the interpreter to its end."""
    heiiki = str(Path(sys.executable).with_name("heiiki"))
    same = [outs[0]] * len(outs)
    yield _typed("heiiki check DIR", [[heiiki, "check", str(folder)]] * len(outs), devices)
    for what, places in (
        ("to disk: heiiki compile DIR --out NEW", outs),
        ("the same again, unchanged", same),
    ):
        commands = [[heiiki, "compile", str(folder), "--out", str(place)] for place in places]
        yield _typed(what, commands, devices)


def _typed(what: str, commands: list[list[str]], devices: int) -> Row:
    found = [run(*command) for command in commands]
    processor, clock = (statistics.median(item[index] for item in found) for index in (1, 2))
    return Row(what, processor, clock, max(item[3] for item in found), devices)


def on_disk(folder: Path) -> tuple[float, int]:
    """Return the MB that the files below `folder` occupy on the disk, and their number."""
    found = [path.stat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    occupied = {(stat.st_dev, stat.st_ino): stat.st_blocks * 512 for stat in found}
    return sum(occupied.values()) / 1e6, len(occupied)


def peer(folder: Path, pairs: int) -> tuple[Row, float]:
    """Return the row of the peer, and the kilobytes that it renders a device.

    Raises:
        RuntimeError: pip cannot install it.
    """
    output, _, clock, _ = run(_peer_python(folder), _beside("peer.py"), str(pairs))
    found = json.loads(output)
    devices, seconds = found["devices"], sum(found["steps"].values())
    name = f"peer: {PEER}, EVPN fabric of {devices} devices"
    return Row(name, seconds, clock, found["peak_mib"], devices), found["bytes"] / devices / 1000


def _peer_python(folder: Path) -> str:
    """Return the interpreter of an environment that has the peer; it is made once."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PEER],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError((done.stderr.strip() or "pip says no reason").splitlines()[-1])
        (folder / "complete").touch()
    return str(python)


def compared(row: Row, pairs: int) -> Iterator[str]:
    """Yield the peer's line and the comparison, or why there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heiiki" / "bench"
    try:
        other, kilobytes = peer(cache / PEER.replace("==", "-"), pairs)
    except RuntimeError as error:
        yield f"peer: {PEER} cannot be installed, so there is no comparison: {error}"
        return
    yield str(other)
    yield (
        f"inputs to configurations: {row.each_ms:.2f} ms a device here, {other.each_ms:.1f} ms there "
        f"(the peer renders {kilobytes:.0f} kB a device)"
    )


def goal(name: str, value: float) -> str:
    """Say whether a figure meets its goal."""
    bound, unit = GOALS[name]
    return f"{name}: {value:.2f} {unit}, goal {bound:g} {unit}: {'met' if value <= bound else 'missed'}"


def report(work: Path, sites: int, seed: int, runs: int, pairs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    folder, outs = work / "service", [work / f"out{number}" for number in range(runs)]
    for path, text in generate("bench", sites, seed).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    yield f"{sites} generated sites, seed {seed}; median of {runs} runs, each a fresh process on one core"
    yield f"Python {platform.python_version()}, {machine}"
    yield HEAD
    rows = in_memory(folder, runs)
    typed = list(as_typed(folder, outs, rows[-1].devices))
    yield from map(str, (*rows, *typed))
    yield from compared(rows[-1], pairs)
    size, count = on_disk(outs[0])
    yield f"{rows[-1].devices} devices, {count} files on disk"
    yield goal("in memory", rows[-1].processor_s)
    yield goal("peak", rows[-1].peak_mib or 0.0)
    yield goal("to disk", typed[1].processor_s)
    yield goal("on disk", size)


@click.command()
@click.option("--sites", type=click.IntRange(1, 4000), default=1000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--runs", type=click.IntRange(1, 20), default=3, show_default=True, help="Medians are shown.")
@click.option(
    "--pairs", type=click.IntRange(1, 120), default=48, show_default=True, help="Leaf pairs of the peer."
)
def main(sites: int, seed: int, runs: int, pairs: int) -> None:
    """Measure a generated service on one core of this machine."""
    with tempfile.TemporaryDirectory() as name:
        for line in report(Path(name), sites, seed, runs, pairs):
            click.echo(line)


if __name__ == "__main__":
    main()
