# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.vtn_writer; its documentation stands beside the module."""

from typing import TYPE_CHECKING, Any, ClassVar

from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package
from ansible_collections.heiiki.network.plugins.plugin_utils.service_action import ServiceAction

if TYPE_CHECKING:
    from heiiki.service import Service


class ActionModule(ServiceAction):
    """Have the first host of a VTN write where neither of two was ever made the writer."""

    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]] = {"secret_state": {"type": "path"}}

    def answer(self, service: "Service", _arguments: dict[str, Any]) -> dict[str, Any]:
        """Begin, where it is due; see the module's documentation."""
        use_cases = package("heiiki.service")
        try:
            done = use_cases.begin_writing(service, change=not self.check_mode)
        except package("heiiki.errors").HeiikiError as error:
            if not self.check_mode:
                raise
            # Before the first run there is no VTN that could be asked.
            return {"changed": False, "warnings": [str(error)]}
        if done is None:
            return {"changed": False}
        return {"changed": done.changed, "writer": done.device, "epoch": done.epoch}
