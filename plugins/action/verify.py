# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.verify; its documentation stands beside the module of that name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    opened,
    package,
    translated,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.connections import hosts_of
from ansible_collections.heiiki.network.plugins.plugin_utils.verification import chosen_faults

if TYPE_CHECKING:
    from heiiki.service import Outcome

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
        faults, service = (
            chosen_faults(arguments["faults"]),
            opened(Path(arguments["service_dir"]), None, hosts_of(task_vars or {})),
        )
        with translated():
            outcome = package("heiiki.service").verify(
                service, Path(arguments["artifacts"]), faults, display.display
            )
        display.display(outcome.matrix)
        return {**result, **_answer(outcome)}


def _answer(outcome: "Outcome") -> dict[str, Any]:
    answer = {"changed": False, "report": str(outcome.paths.page), "verdicts": str(outcome.paths.verdicts)}
    if not outcome.bad:
        return answer
    findings = package("heiiki.report").findings(outcome.bad)
    return {**answer, "failed": True, "msg": f"not proven; see {outcome.paths.page}\n{findings}"}
