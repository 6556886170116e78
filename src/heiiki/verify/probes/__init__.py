"""Programs that are sent to a device, run there once, and leave nothing behind.

Each is one file with a function ``main(parameters) -> answer`` (JSON). It may import the standard library and
``heiiki_agent``, which stands on every managed device.

Those of `PATIENT` work at a low priority, with all that they start: what a device is there for, and a probe
that listens for packets, come first.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from heiiki.render import agent

PATIENT = frozenset({"host", "reads", "running"})
_NICE = 10


@cache
def _text(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}.py").read_text(encoding="utf-8")


def program(name: str, parameters: Mapping[str, Any]) -> bytes:
    """Return what ``python3 -`` must read to run probe `name` with `parameters` and print its answer."""
    call = f"print(json.dumps(main(json.loads({json.dumps(parameters)!r}))))"
    begin = f"import os, sys\nsys.path.insert(0, {agent.PATH!r})\n"
    if name in PATIENT:
        begin += f"os.nice({_NICE})\n"
    return f"{begin}{_text(name)}\n\nimport json\n{call}\n".encode()
