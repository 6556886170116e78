"""A program for a device as one text for ``python3 -``, with what it imports of the collection."""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

_COLLECTION = "ansible_collections.heiiki.network.plugins.module_utils"
_PACKAGE = "heiiki_on_device"

_LOADER = f"""\
import importlib.abc, importlib.util, json, sys

class _Sent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name != {_PACKAGE!r} and name.partition({_PACKAGE + "."!r})[2] not in _MODULES:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=name == {_PACKAGE!r})

    def exec_module(self, module):
        text = _MODULES.get(module.__name__.partition({_PACKAGE + "."!r})[2], "")
        exec(compile(text, module.__name__, "exec"), module.__dict__)

sys.meta_path.insert(0, _Sent())
"""


def program(name: str, parameters: Mapping[str, Any]) -> bytes:
    """Return what ``python3 -`` must read to run program `name` with `parameters` and print its answer.

    Args:
        name: a file of `heiiki.deploy.on_device`, with a function ``main(parameters) -> answer`` (JSON).
        parameters: may hold secrets: they go by standard input, which no process list shows.
    """
    text = resources.files(f"{__package__}.on_device").joinpath(f"{name}.py").read_text(encoding="utf-8")
    modules = f"_MODULES = json.loads({json.dumps(_modules())!r})\n" if _PACKAGE in text else ""
    head = f"import json\n{modules}{_LOADER if modules else ''}"
    call = f"print(json.dumps(main(json.loads({json.dumps(parameters)!r}))))"
    return f"{head}\n{text}\n\n{call}\n".encode()


@cache
def _modules() -> dict[str, str]:
    """Return the text of every module that the collection has for devices, by name."""
    package = Path(__file__).resolve().parents[1]
    # In a wheel they stand in the package, in a checkout in the collection.
    places = (package / "module_utils", package.parents[1] / "plugins/module_utils")
    folder = next(place for place in places if place.is_dir())
    return {
        path.stem: path.read_text(encoding="utf-8").replace(_COLLECTION, _PACKAGE)
        for path in sorted(folder.glob("*.py"))
    }
