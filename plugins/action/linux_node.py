# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.linux_node: the part that happens on the controller."""

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import secrets_for, translated
from ansible_collections.heiiki.network.plugins.plugin_utils.build import DevicePayload, folder_for, payload

ARGUMENTS = {
    "device": {"type": "str"},
    "build": {"type": "path", "required": True},
    "service_dir": {"type": "path"},
    "secret_state": {"type": "path"},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Send a device's whole build in one module call."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read the device's build, resolve its secrets, and call the module on the node."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        device = arguments["device"] or variables["inventory_hostname"]
        sent = self._payload(arguments, device)
        answer = self._execute_module(
            module_name="heiiki.network.linux_node",
            module_args={
                "device": device,
                "files": list(sent.files),
                "services": list(sent.services),
                "secrets": dict(sent.secrets),
            },
            task_vars=variables,
        )
        # What was sent is the build, which stands on the controller: it would only drown the answer.
        answer.pop("invocation", None)
        return {**result, **answer}

    def _payload(self, arguments: dict[str, Any], device: str) -> DevicePayload:
        service, state = (
            Path(arguments[key]) if arguments[key] else None for key in ("service_dir", "secret_state")
        )
        build = folder_for(Path(arguments["build"]), check_mode=self._task.check_mode)
        with translated(), secrets_for(service, state) as read:
            return payload(build, device, read, service)
