"""Programs that are sent to a device, run there once, and leave nothing behind.

Each is one file with a function ``main(parameters) -> answer`` (JSON). It may import the standard library and
``heiiki_agent``, which stands on every managed device.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from heiiki.render import agent


@cache
def _text(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}.py").read_text(encoding="utf-8")


def program(name: str, parameters: Mapping[str, Any]) -> bytes:
    """Return what ``python3 -`` must read to run probe `name` with `parameters` and print its answer."""
    call = f"print(json.dumps(main(json.loads({json.dumps(parameters)!r}))))"
    return f"import sys\nsys.path.insert(0, {agent.PATH!r})\n{_text(name)}\n\nimport json\n{call}\n".encode()
