# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.device_revocation; its documentation stands beside the module."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package
from ansible_collections.heiiki.network.plugins.plugin_utils.service_action import (
    ServiceAction,
    display,
    left_over,
    tell,
)

if TYPE_CHECKING:
    from heiiki.service import Revoked, Service

FORMER = {"shut_out": "revoked", "replaced": "active"}
"""States as the release before called them."""


class ActionModule(ServiceAction):
    """Revoke a device, or reinstate it, from the controller."""

    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]] = {
        "device": {"type": "str", "required": True},
        "artifacts": {"type": "path", "required": True},
        "state": {
            "type": "str",
            "choices": ["revoked", "active", "shut_out", "replaced"],
            "default": "revoked",
        },
        "reason": {"type": "str", "default": "stolen"},
        "same_sim": {"type": "bool", "default": False},
        "secret_state": {"type": "path"},
    }

    def answer(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        """Take every step that is left, and write how long each took; see the module's documentation."""
        device, artifacts = arguments["device"], Path(arguments["artifacts"])
        use_cases = package("heiiki.service")
        if _state(arguments["state"]) == "active":
            more = {"same_sim": arguments["same_sim"], "check": self.check_mode}
            return {"changed": bool(use_cases.reinstate(service, device, artifacts, **more))}
        if self.check_mode:
            return _foreseen(service, device)
        return _answer(device, use_cases.revoke(service, device, arguments["reason"], artifacts, tell))


def _state(named: str) -> str:
    if named in FORMER:
        display.deprecated(
            f"state: {named} is called {FORMER[named]}", version="0.3.0", collection_name="heiiki.network"
        )
    return FORMER.get(named, named)


def _foreseen(service: "Service", name: str) -> dict[str, Any]:
    device, cut, steps = package("heiiki.service").what_would_be_revoked(service, name)
    return {"changed": not device.revoked, "cut": cut, "would_take": list(steps)}


def _answer(device: str, done: "Revoked") -> dict[str, Any]:
    steps = done.document["steps"]
    return {
        "changed": done.changed,
        "cut": done.cut,
        "seconds": done.document["seconds"],
        "steps": steps,
        "accesses": done.document["accesses"],
        "table": list(done.table),
        "doors": steps,
        "warnings": list(done.warnings),
        **({"evidence": str(done.evidence)} if done.evidence else {}),
        **left_over(f"revocation of {device}", done.incomplete),
    }
