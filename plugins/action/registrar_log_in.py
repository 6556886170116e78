# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.registrar_log_in; its documentation stands beside the module."""

from typing import TYPE_CHECKING, Any, ClassVar

from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package
from ansible_collections.heiiki.network.plugins.plugin_utils.service_action import ServiceAction

if TYPE_CHECKING:
    from heiiki.service import Service


class ActionModule(ServiceAction):
    """Have the Vault server take the newest log-in of the registration authority, from the controller."""

    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]] = {
        "device": {"type": "str"},
        "secret_state": {"type": "path"},
    }

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of the use case, for the host of the task where no device is named."""
        self._host = str((task_vars or {}).get("inventory_hostname", ""))
        return super().run(tmp, task_vars)

    def answer(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        """Renew it; see the module's documentation."""
        if self.check_mode:
            return {"changed": False}
        done = package("heiiki.service").renew_log_in(service, arguments["device"] or self._host)
        return {"changed": done.changed, **({"warnings": [done.warning]} if done.warning else {})}
