# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.theft; its documentation stands beside the module of that name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    load_plan,
    package,
    translated,
    vault_access,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.verification import way_to

if TYPE_CHECKING:
    from heiiki.plan.model import Device, Plan
    from heiiki.theft import Door

ARGUMENTS = {
    "device": {"type": "str", "required": True},
    "service_dir": {"type": "path", "required": True},
    "artifacts": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["shut_out", "replaced"], "default": "shut_out"},
    "reason": {"type": "str", "default": "stolen"},
    "same_sim": {"type": "bool", "default": False},
    "secret_state": {"type": "path"},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Shut a stolen device out, from the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Shut every door, and write how long each took; see the module's documentation."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        theft, plan = package("heiiki.theft"), load_plan(Path(arguments["service_dir"]))
        if arguments["state"] == "replaced":
            return {**result, "changed": self._readmitted(plan, arguments)}
        with translated():
            device = theft.find(plan, arguments["device"])
            cut = theft.what_is_cut(plan, device)
        if self._task.check_mode:
            would = [f"IPsec at {name}" for name in theft.verifiers(plan, device.name)]
            return {**result, "changed": not device.revoked, "cut": cut, "would_shut": would}
        doors = self._doors(plan, device, arguments)
        return {**result, "cut": cut, **_answer(plan, device, doors, Path(arguments["artifacts"]))}

    def _readmitted(self, plan: "Plan", arguments: dict[str, Any]) -> bool:
        folder, same, check = Path(arguments["service_dir"]), arguments["same_sim"], self._task.check_mode
        readmit = package("heiiki.theft").readmit
        with translated():
            return bool(readmit(folder, plan, arguments["device"], same_sim=same, check=check))

    @staticmethod
    def _doors(plan: "Plan", device: "Device", arguments: dict[str, Any]) -> "list[Door]":
        """Shut all of them; the log-in is part of the time."""
        state = Path(arguments["secret_state"]) if arguments["secret_state"] else None

        def revoke() -> Sequence[str]:
            purpose = package("heiiki.vault.policies").Purpose.REVOKER
            try:
                access = vault_access(plan, state, f"revoking the certificates of {device.name}")
            except AnsibleError as error:  # the other doors are shut all the same
                raise package("heiiki.errors").TheftError(str(error)) from error
            with package("heiiki.vault.bootstrap").logged_in(access, purpose) as vault:
                serials = package("heiiki.vault.revoke").revoke_device(vault, plan.trust, device.identity)
                return [f"certificate {serial}" for serial in serials]

        def mark() -> Sequence[str]:
            sim, folder = device.sim.imsi if device.sim else None, Path(arguments["service_dir"])
            added = package("heiiki.intent.revoked").add(folder, device.name, arguments["reason"], sim)
            return ["revoked.yml"] if added else []

        fleet = package("heiiki.observe.fleet").fleet
        with translated(), way_to(plan) as transport, fleet(transport, len(plan.devices)) as asked:
            return list(package("heiiki.theft").shut(plan, device, revoke, asked, mark))


def _answer(plan: "Plan", device: "Device", doors: "list[Door]", artifacts: Path) -> dict[str, Any]:
    theft = package("heiiki.theft")
    document = theft.evidence(plan, device.name, doors)
    changed = any(door.changed for door in doors)
    answer: dict[str, Any] = {"changed": changed, "seconds": document["seconds"], "doors": document["doors"]}
    answer["warnings"] = [
        f"{door.name}: {door.problem}" for door in doors if door.problem and not door.needed
    ]
    if changed or not document["shut"]:
        # A run that found every door shut measures nothing.
        with translated():
            answer["evidence"] = str(theft.keep(artifacts, document))
    if document["shut"]:
        return answer
    open_ones = "; ".join(f"{door.name}: {door.problem}" for door in doors if door.problem and door.needed)
    return {
        **answer,
        "failed": True,
        "msg": f"{device.name} is not shut out everywhere, run again: {open_ones}",
    }
