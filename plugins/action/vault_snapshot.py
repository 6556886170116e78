# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.vault_snapshot; its documentation stands beside the module."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    given,
    opened,
    package,
    translated,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.connections import hosts_of
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import forget

if TYPE_CHECKING:
    from heiiki.revocation import RevocationStep
    from heiiki.service import Restored, Service

ARGUMENTS = {
    "state": {"type": "str", "choices": ["taken", "restored"], "default": "taken"},
    "folder": {"type": "path"},
    "file": {"type": "path"},
    "service_dir": {"type": "path", "required": True},
    "artifacts": {"type": "path", "required": True},
    "secret_state": {"type": "path"},
}

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Take a snapshot of the Vault server, or put one back, from the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what the state asks for; see the module's documentation."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        service = opened(
            Path(arguments["service_dir"]), given(arguments["secret_state"]), hosts_of(task_vars or {})
        )
        with translated():
            if arguments["state"] == "taken":
                return {**result, **self._taken(service, arguments)}
            return {**result, **self._restored(service, given(arguments["file"]))}

    def _taken(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        if self._task.check_mode:
            return {"changed": True}
        artifacts, folder = Path(arguments["artifacts"]), given(arguments["folder"])
        return {"changed": True, "file": str(package("heiiki.service").snapshot(service, artifacts, folder))}

    def _restored(self, service: "Service", file: Path | None) -> dict[str, Any]:
        if file is None:
            return {"failed": True, "msg": "state restored needs file: name the snapshot"}
        use_cases = package("heiiki.service")
        if self._task.check_mode:
            return {"changed": True, "msg": use_cases.what_would_be_restored(service, file)}
        try:
            return _answer(file, use_cases.restore(service, file, _tell))
        finally:
            forget(service.state.run)  # even a restore that failed may have put other CAs in place


def _tell(step: "RevocationStep") -> None:
    display.display(f"{step.name}: {step.problem or 'complete'}")


def _answer(file: Path, done: "Restored") -> dict[str, Any]:
    steps = [{"name": one.name, "changed": list(one.changed), "problem": one.problem} for one in done.steps]
    answer: dict[str, Any] = {"changed": done.changed, "steps": steps, "warnings": list(done.warnings)}
    if not done.incomplete:
        return answer
    left = "; ".join(f"{step.name}: {step.problem}" for step in done.incomplete)
    msg = f"the restore of {file} is not complete, run it again: {left}"
    return {**answer, "failed": True, "msg": msg}
