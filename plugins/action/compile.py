# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.compile; its documentation stands beside the module of that name."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import compile_to, load_plan
from ansible_collections.heiiki.network.plugins.plugin_utils.build import folder_for, listing

ARGUMENTS = {
    "service_dir": {"type": "path", "required": True},
    "build": {"type": "path", "required": True},
}


def _lines(files: Mapping[str, str]) -> str:
    return "".join(f"{digest[:12]}  {path}\n" for path, digest in files.items())


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Compile a service on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write every device's build; see the module's documentation."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        applied = Path(arguments["build"])
        build = folder_for(applied, check_mode=self._task.check_mode)
        before = listing(applied)
        plan = load_plan(Path(arguments["service_dir"]))
        fresh = build.with_name(f".{build.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        compile_to(plan, fresh)
        after = listing(fresh)
        _replace(build, fresh)
        return {
            "changed": before != after,
            "devices": sum(1 for _ in plan.managed()),
            "diff": {
                "before_header": f"{applied} (compiled before)",
                "after_header": f"{build} (compiled now)",
                "before": _lines(before),
                "after": _lines(after),
            },
        }


def _replace(build: Path, fresh: Path) -> None:
    """Put a folder in the place of another."""
    old = build.with_name(f".{build.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if build.exists():
        build.rename(old)
    fresh.rename(build)
    shutil.rmtree(old, ignore_errors=True)
