# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.verify; its documentation stands beside the module of that name."""

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package
from ansible_collections.heiiki.network.plugins.plugin_utils.verification import (
    Outcome,
    chosen_faults,
    measure,
)

ARGUMENTS = {
    "service_dir": {"type": "path", "required": True},
    "artifacts": {"type": "path", "required": True},
    "faults": {"type": "raw", "default": False},
}

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Measure a service from the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Measure, write the report, and fail when a verdict that was asked for is a fail or unknown."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.check_mode:
            return {**result, "changed": False, "skipped": True, "msg": "nothing is measured in check mode"}
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        outcome = measure(
            Path(arguments["service_dir"]),
            Path(arguments["artifacts"]),
            chosen_faults(arguments["faults"]),
            display.display,
            task_vars or {},
        )
        display.display(outcome.matrix)
        return {**result, **_answer(outcome)}


def _answer(outcome: Outcome) -> dict[str, Any]:
    answer = {"changed": False, "report": str(outcome.paths.page), "verdicts": str(outcome.paths.verdicts)}
    if not outcome.bad:
        return answer
    findings = package("heiiki.report").findings(outcome.bad)
    return {**answer, "failed": True, "msg": f"not proven; see {outcome.paths.page}\n{findings}"}
