# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.rotation; its documentation stands beside the module of that name."""

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    given,
    opened,
    package,
    translated,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.connections import hosts_of
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import forget

ARGUMENTS = {
    "authority": {"type": "str", "choices": ["issuing", "root"], "required": True},
    "step": {"type": "str", "choices": ["begin", "sign", "retire", "finish"], "required": True},
    "again": {"type": "bool", "default": False},
    "service_dir": {"type": "path", "required": True},
    "artifacts": {"type": "path", "required": True},
    "secret_state": {"type": "path"},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Take one step of the replacement of a CA, from the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take the step if it is due and the devices are ready for it; see the module's documentation."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        service = opened(
            Path(arguments["service_dir"]), given(arguments["secret_state"]), hosts_of(task_vars or {})
        )
        rotation, check = package("heiiki.pki.rotation"), self._task.check_mode
        kind, step = rotation.Kind(arguments["authority"]), rotation.Step(arguments["step"])
        with translated():
            try:
                done, evidence = package("heiiki.service").step_of_rotation(
                    service, kind, step, Path(arguments["artifacts"]), again=arguments["again"], check=check
                )
            finally:
                if not check:
                    forget(service.state.run)  # even a step that failed may have made a CA
        return {**result, **_answer(done), **({"evidence": str(evidence)} if evidence else {})}


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
