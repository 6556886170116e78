# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.compile; its documentation stands beside the module of that name."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    load_plan,
    opened,
    package,
    translated,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.build import folder_for, listing

ARGUMENTS = {
    "service_dir": {"type": "path", "required": True},
    "build": {"type": "path", "required": True},
}


def _lines(files: Mapping[str, str], chosen: AbstractSet[str]) -> str:
    return "".join(f"{files[path][:12]}  {path}\n" for path in sorted(chosen & files.keys()))


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Compile a service on the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write every device's build; see the module's documentation."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        applied, service = Path(arguments["build"]), Path(arguments["service_dir"])
        build = folder_for(applied, check_mode=self._task.check_mode)
        before = listing(applied)
        with translated():
            update = package("heiiki.service").compile_service(opened(service), build).update
        differing = {
            path for path in before.keys() | update.after.keys() if before.get(path) != update.after.get(path)
        }
        warnings = {"warnings": list(update.kept)} if update.kept else {}
        return {
            **warnings,
            "changed": bool(differing),
            "devices": sum(1 for _ in load_plan(service).configured()),
            "diff": {
                "before_header": f"{applied} (compiled before)",
                "after_header": f"{build} (compiled now)",
                "before": _lines(before, differing),
                "after": _lines(update.after, differing),
            },
        }
