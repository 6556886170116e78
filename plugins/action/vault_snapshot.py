# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.vault_snapshot; its documentation stands beside the module."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import given, package
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import forget
from ansible_collections.heiiki.network.plugins.plugin_utils.service_action import (
    ServiceAction,
    left_over,
    tell,
)

if TYPE_CHECKING:
    from heiiki.service import Restored, Service


class ActionModule(ServiceAction):
    """Take a snapshot of the Vault server, or put one back, from the controller."""

    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]] = {
        "state": {"type": "str", "choices": ["taken", "restored"], "default": "taken"},
        "folder": {"type": "path"},
        "file": {"type": "path"},
        "artifacts": {"type": "path", "required": True},
        "secret_state": {"type": "path"},
    }

    def answer(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        """Do what the state asks for; see the module's documentation."""
        if arguments["state"] == "taken":
            return self._taken(service, Path(arguments["artifacts"]), given(arguments["folder"]))
        return self._restored(service, given(arguments["file"]))

    def _taken(self, service: "Service", artifacts: Path, folder: Path | None) -> dict[str, Any]:
        if self.check_mode:
            return {"changed": True}
        return {"changed": True, "file": str(package("heiiki.service").snapshot(service, artifacts, folder))}

    def _restored(self, service: "Service", file: Path | None) -> dict[str, Any]:
        if file is None:
            return {"failed": True, "msg": "state restored needs file: name the snapshot"}
        use_cases = package("heiiki.service")
        if self.check_mode:
            return {"changed": True, "msg": use_cases.what_would_be_restored(service, file)}
        try:
            return _answer(file, use_cases.restore(service, file, tell))
        finally:
            forget(service.state.run)  # even a restore that failed may have put other CAs in place


def _answer(file: Path, done: "Restored") -> dict[str, Any]:
    steps = [{"name": one.name, "changed": list(one.changed), "problem": one.problem} for one in done.steps]
    return {
        "changed": done.changed,
        "steps": steps,
        "warnings": list(done.warnings),
        **left_over(f"restore of {file}", done.incomplete),
    }
