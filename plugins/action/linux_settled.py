# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.linux_settled: what the controller knows of the device."""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import WHERE
from ansible_collections.heiiki.network.plugins.plugin_utils.build import expected, folder_for
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import Enrolment

ARGUMENTS = {
    "device": {"type": "str"},
    "build": {"type": "path", "required": True},
    "service_dir": {"type": "path"},
    "secret_state": {"type": "path"},
    "certificate": {"type": "bool", "default": False},
    "sessions": {"type": "list", "elements": "dict", "default": []},
    "links": {"type": "dict", "default": {}},
    **WHERE,
}


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Have a device look at itself, once, with digests instead of files."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Say whether the device is settled; see the module's documentation."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        device = arguments["device"] or variables["inventory_hostname"]
        files, services = expected(
            folder_for(Path(arguments["build"]), check_mode=self._task.check_mode), device
        )
        if files is None:
            return {**result, "changed": False, "settled": False, "why": "its files hold secrets"}
        try:
            wanted, warnings = self._certificate(arguments, device)
        except AnsibleError as error:
            # The role says so itself, where it is of consequence.
            return {**result, "changed": False, "settled": False, "why": str(error)}
        passed = {key: arguments[key] for key in ("sessions", "links", "program", "config")}
        answer: dict[str, Any] = self._execute_module(
            module_name="heiiki.network.linux_settled",
            module_args={"device": device, "files": files, "services": services, "wanted": wanted, **passed},
            task_vars=variables,
        )
        answer.pop("invocation", None)
        told = [*answer.get("warnings", []), *(warnings if answer.get("settled") else ())]
        return {**result, **answer, **({"warnings": told} if told else {})}

    @staticmethod
    def _certificate(arguments: dict[str, Any], device: str) -> tuple[dict[str, Any], list[str]]:
        """Return what the certificate must be, and what is to be told beside it."""
        if not arguments["certificate"]:
            return {}, []
        if not arguments["service_dir"]:
            raise AnsibleError("service_dir is missing: what the certificate must be stands there")
        state = arguments["secret_state"]
        enrolment = Enrolment(Path(arguments["service_dir"]), Path(state) if state else None)
        if enrolment.problem:
            raise AnsibleError(enrolment.problem)
        return {"force": False, **enrolment.wanted(device)}, enrolment.warnings
