# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.verify; its documentation stands beside the module."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package
from ansible_collections.heiiki.network.plugins.plugin_utils.service_action import ServiceAction, display
from ansible_collections.heiiki.network.plugins.plugin_utils.verification import chosen_faults

if TYPE_CHECKING:
    from heiiki.service import Outcome, Service


class ActionModule(ServiceAction):
    """Measure a service from the controller."""

    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]] = {
        "artifacts": {"type": "path", "required": True},
        "faults": {"type": "raw", "default": False},
    }

    def answer(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        """Measure, write the report, and fail when a verdict that was asked for is a fail or unknown."""
        faults = chosen_faults(arguments["faults"])
        if self.check_mode:
            return {"changed": False, "skipped": True, "msg": "nothing is measured in check mode"}
        outcome = package("heiiki.service").verify(
            service, Path(arguments["artifacts"]), faults, display.display
        )
        display.display(outcome.matrix)
        return _answer(outcome)


def _answer(outcome: "Outcome") -> dict[str, Any]:
    answer = {"changed": False, "report": str(outcome.paths.page), "verdicts": str(outcome.paths.verdicts)}
    if not outcome.bad:
        return answer
    findings = package("heiiki.report").findings(outcome.bad)
    return {**answer, "failed": True, "msg": f"not proven; see {outcome.paths.page}\n{findings}"}
