"""How long a large service takes, from files to configurations: `make bench`.

Each run is a fresh process on one core. Its figures stand beside a baseline from the same run: the same
files through PyYAML's C loader and nothing else. The seconds that count are those of the processor: a busy
machine spoils the clock's. Both are shown, and the peak of memory. The goals are 1.5 s and 400 MiB.
"""

import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

GOAL_S, GOAL_MIB = 1.5, 400.0
STEPS = ("load", "plan", "compile")


def baseline(folder: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Parse the same files with PyYAML alone."""
    import yaml  # noqa: PLC0415 - what is imported is part of what is measured

    files = sorted(folder.rglob("*.yml"))
    yield "parse", lambda: [yaml.load(path.read_bytes(), yaml.CSafeLoader) for path in files]


def whole(folder: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Load and validate, plan, compile; every text is kept until the end."""
    done: dict[str, Any] = {}

    def bring_in() -> None:
        from heiiki import intent, plan, render  # noqa: PLC0415 - what is imported is part of what is measured

        done.update(intent=intent, plan=plan, render=render)

    def compiled() -> tuple[int, int]:
        builds = done["builds"] = tuple(done["render"].compile_plan(done["built"]))
        return len(builds), sum(len(file.content) for build in builds for file in build.files)

    yield "import", bring_in
    yield "load", lambda: done.update(loaded=done["intent"].load(folder))
    yield "plan", lambda: done.update(built=done["plan"].build(done["loaded"]))
    yield "compile", compiled


def measure(what: str, folder: Path) -> dict[str, Any]:
    """Run `what` here, pinned to one core; return seconds of processor and clock, and the peak in MiB."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    gc.disable()  # as the command line does
    steps: dict[str, tuple[float, float]] = {}
    result: Any = None
    for name, step in {"baseline": baseline, "whole": whole}[what](folder):
        processor, clock = time.process_time(), time.perf_counter()
        result = step()
        steps[name] = time.process_time() - processor, time.perf_counter() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"steps": steps, "peak_mib": peak, "result": result if what == "whole" else None}


def fresh(what: str, folder: Path) -> dict[str, Any]:
    """Measure `what` in a fresh process."""
    command = [sys.executable, __file__, "--measure", what, str(folder)]
    answer: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    return answer


def medians(runs: list[dict[str, Any]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the medians of each step over the runs: seconds of the processor, and of the clock."""
    names = runs[0]["steps"]
    processor, clock = (
        {name: statistics.median(run["steps"][name][index] for run in runs) for name in names}
        for index in (0, 1)
    )
    return processor, clock


def table(runs: list[dict[str, Any]], plain: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the report."""
    (processor, clock), (base, base_clock) = medians(runs), (item["parse"] for item in medians(plain))
    yield f"{'step':<34}{'processor s':>12}{'clock s':>10}{'× baseline':>12}"
    yield f"{'baseline: PyYAML parse alone':<34}{base:>12.3f}{base_clock:>10.3f}{1:>12.1f}"
    for name in STEPS:
        yield f"{name:<34}{processor[name]:>12.3f}{clock[name]:>10.3f}{processor[name] / base:>12.1f}"
    total, total_clock = (sum(seconds[name] for name in STEPS) for seconds in (processor, clock))
    yield f"{'in all':<34}{total:>12.3f}{total_clock:>10.3f}{total / base:>12.1f}"
    yield f"{'before that, once: import':<34}{processor['import']:>12.3f}{clock['import']:>10.3f}"
    peak, plain_peak = (max(run["peak_mib"] for run in item) for item in (runs, plain))
    devices, size = runs[0]["result"]
    yield f"peak {peak:.0f} MiB (baseline {plain_peak:.0f}); {devices} devices, {size / 1e6:.0f} MB of files"
    yield f"goal {GOAL_S:g} s: {_met(total, GOAL_S)}; goal {GOAL_MIB:g} MiB: {_met(peak, GOAL_MIB)}"


def _met(value: float, goal: float) -> str:
    return "met" if value <= goal else "missed"


@click.command()
@click.option("--sites", type=click.IntRange(1, 4000), default=1000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--runs", type=click.IntRange(1, 20), default=3, show_default=True, help="The medians are shown."
)
@click.option("--measure", "measured", nargs=2, hidden=True, help="What a fresh process is told.")
def main(sites: int, seed: int, runs: int, measured: tuple[str, str] | None) -> None:
    """Measure a generated service on one core of this machine."""
    if measured is not None:
        click.echo(json.dumps(measure(measured[0], Path(measured[1]))))
        return
    from heiiki.cli.new_service import generate  # noqa: PLC0415 - not before a fresh process measures its imports

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sites").mkdir()
        for path, text in generate("bench", sites, seed).items():
            (folder / path).write_text(text, encoding="utf-8")
        click.echo(
            f"{sites} generated sites, seed {seed}; median of {runs} runs, each a fresh process on one core"
        )
        machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        click.echo(f"Python {platform.python_version()}, {machine}")
        plain = [fresh("baseline", folder) for _ in range(runs)]
        for line in table([fresh("whole", folder) for _ in range(runs)], plain):
            click.echo(line)


if __name__ == "__main__":
    main()
