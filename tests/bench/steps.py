"""What the bench measures in a process of its own: `python steps.py parse|memory FOLDER` prints JSON."""

import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_Steps = Iterator[tuple[str, Callable[[], Any]]]


def parse(folder: Path) -> _Steps:
    """Parse the service's files with PyYAML's C loader alone: the baseline."""
    import yaml  # noqa: PLC0415 - what is imported is part of the peak of memory

    files = sorted(folder.rglob("*.yml"))
    yield "parse", lambda: [yaml.load(path.read_bytes(), yaml.CSafeLoader) for path in files]


def memory(folder: Path) -> _Steps:
    """Load and validate, plan, compile, check on paper; every text is kept until the end."""
    from heiiki import design, intent, plan, render  # noqa: PLC0415 - as above

    done: dict[str, Any] = {}
    yield "load", lambda: done.update(loaded=intent.load(folder))
    yield "plan", lambda: done.update(built=plan.build(done["loaded"]))
    yield "compile", lambda: done.update(builds=tuple(render.compile_plan(done["built"])))
    yield "check", lambda: done.update(verdicts=design.design(done["built"], done["builds"]))
    yield "size", lambda: len(done["builds"])


def measure(steps: _Steps) -> dict[str, Any]:
    """Run the steps; return the seconds of processor and clock of each, the last result, the peak in MiB."""
    gc.disable()  # as the command line does
    seconds: dict[str, tuple[float, float]] = {}
    result: Any = None
    for name, step in steps:
        processor, clock = time.process_time(), time.perf_counter()
        result = step()
        seconds[name] = time.process_time() - processor, time.perf_counter() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": peak, "devices": result if isinstance(result, int) else 0}


if __name__ == "__main__":
    what, place = sys.argv[1:]
    sys.stdout.write(json.dumps(measure({"parse": parse, "memory": memory}[what](Path(place)))))
