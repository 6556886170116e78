# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.rotation; its documentation stands beside the module."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import forget
from ansible_collections.heiiki.network.plugins.plugin_utils.service_action import ServiceAction

if TYPE_CHECKING:
    from heiiki.service import Service


class ActionModule(ServiceAction):
    """Take one step of the replacement of a CA, from the controller."""

    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]] = {
        "authority": {"type": "str", "choices": ["issuing", "root"], "required": True},
        "step": {"type": "str", "choices": ["begin", "sign", "retire", "finish"], "required": True},
        "again": {"type": "bool", "default": False},
        "artifacts": {"type": "path", "required": True},
        "secret_state": {"type": "path"},
    }

    def answer(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        """Take the step if it is due and the devices are ready for it; see the module's documentation."""
        rotation, check = package("heiiki.pki.rotation"), self.check_mode
        kind, step = rotation.Kind(arguments["authority"]), rotation.Step(arguments["step"])
        try:
            done, evidence = package("heiiki.service").step_of_rotation(
                service, kind, step, Path(arguments["artifacts"]), again=arguments["again"], check=check
            )
        finally:
            if not check:
                forget(service.state.run)  # even a step that failed may have made a CA
        return {**_answer(done), **({"evidence": str(evidence)} if evidence else {})}


def _answer(done: Any) -> dict[str, Any]:
    return {
        "changed": bool(done.changes),
        "authority": done.subject,
        "phase": done.phase,
        "next": done.after,
        "devices": dict(done.seen),
        "warnings": list(done.warnings),
        "diff": [
            {"before_header": name, "after_header": name, "before": before, "after": after}
            for name, before, after in done.changes
        ],
    }
