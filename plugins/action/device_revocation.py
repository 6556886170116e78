# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.device_revocation; its documentation stands beside the module."""

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

if TYPE_CHECKING:
    from heiiki.revocation import RevocationStep
    from heiiki.service import Revoked, Service

ARGUMENTS = {
    "device": {"type": "str", "required": True},
    "service_dir": {"type": "path", "required": True},
    "artifacts": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["revoked", "active", "shut_out", "replaced"], "default": "revoked"},
    "reason": {"type": "str", "default": "stolen"},
    "same_sim": {"type": "bool", "default": False},
    "secret_state": {"type": "path"},
}
FORMER = {"shut_out": "revoked", "replaced": "active"}
"""States as the release before called them."""

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Revoke a device, or reinstate it, from the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take every step that is left, and write how long each took; see the module's documentation."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        service = opened(
            Path(arguments["service_dir"]), given(arguments["secret_state"]), hosts_of(task_vars or {})
        )
        with translated():
            if _state(arguments["state"]) == "active":
                return {**result, "changed": self._reinstated(service, arguments)}
            if self._task.check_mode:
                return {**result, **_foreseen(service, arguments["device"])}
            done = package("heiiki.service").revoke(
                service, arguments["device"], arguments["reason"], Path(arguments["artifacts"]), _tell
            )
        return {**result, **_answer(arguments["device"], done)}

    def _reinstated(self, service: "Service", arguments: dict[str, Any]) -> bool:
        more = {"same_sim": arguments["same_sim"], "check": self._task.check_mode}
        artifacts = Path(arguments["artifacts"])
        return bool(package("heiiki.service").reinstate(service, arguments["device"], artifacts, **more))


def _state(named: str) -> str:
    if named in FORMER:
        display.deprecated(
            f"state: {named} is called {FORMER[named]}", version="0.3.0", collection_name="heiiki.network"
        )
    return FORMER.get(named, named)


def _tell(step: "RevocationStep") -> None:
    display.display(f"{step.name}: {step.problem or 'complete'}")


def _foreseen(service: "Service", name: str) -> dict[str, Any]:
    device, cut, steps = package("heiiki.service").what_would_be_revoked(service, name)
    return {"changed": not device.revoked, "cut": cut, "would_take": list(steps)}


def _answer(device: str, done: "Revoked") -> dict[str, Any]:
    steps = done.document["steps"]
    answer: dict[str, Any] = {
        "changed": done.changed,
        "cut": done.cut,
        "seconds": done.document["seconds"],
        "steps": steps,
        "doors": steps,
        "warnings": list(done.warnings),
    }
    if done.evidence:
        answer["evidence"] = str(done.evidence)
    if not done.incomplete:
        return answer
    left = "; ".join(f"{step.name}: {step.problem}" for step in done.incomplete)
    return {
        **answer,
        "failed": True,
        "msg": f"the revocation of {device} is not complete, run it again: {left}",
    }
