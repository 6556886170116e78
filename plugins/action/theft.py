# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.theft; its documentation stands beside the module of that name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    kept,
    load_plan,
    package,
    translated,
    vault_access,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.connections import transport_for

if TYPE_CHECKING:
    from heiiki.plan.model import Device, Plan
    from heiiki.revocation import Door, Record

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
        theft, plan = package("heiiki.revocation"), load_plan(Path(arguments["service_dir"]))
        if arguments["state"] == "replaced":
            return {**result, "changed": self._readmitted(plan, arguments)}
        with translated():
            device = theft.find(plan, arguments["device"])
            cut = theft.what_is_cut(plan, device)
        if self._task.check_mode:
            would = [f"IPsec at {name}" for name in theft.verifiers(plan, device.name)]
            return {**result, "changed": not device.revoked, "cut": cut, "would_shut": would}
        with translated(), transport_for(plan, task_vars or {}) as transport:
            record = theft.Record(Path(arguments["artifacts"]), plan, device)
            doors = self._doors(plan, device, arguments, record, transport)
            kept = record.finish()
        return {**result, "cut": cut, **_answer(device, doors, record.document, kept)}

    def _readmitted(self, plan: "Plan", arguments: dict[str, Any]) -> bool:
        folder, artifacts = Path(arguments["service_dir"]), Path(arguments["artifacts"])
        more = {"same_sim": arguments["same_sim"], "check": self._task.check_mode}
        with translated():
            return bool(
                package("heiiki.revocation").readmit(folder, plan, arguments["device"], artifacts, **more)
            )

    @staticmethod
    def _doors(
        plan: "Plan", device: "Device", arguments: dict[str, Any], record: "Record", transport: Any
    ) -> "list[Door]":
        """Shut all of them; the log-in is part of the time."""
        state = Path(arguments["secret_state"]) if arguments["secret_state"] else None

        def revoke() -> Sequence[str]:
            purpose = package("heiiki.pki.server.policies").Purpose.REVOKER
            try:
                own = kept(plan, Path(arguments["service_dir"]), state)
                access = vault_access(plan, own, f"revoking the certificates of {device.name}")
            except AnsibleError as error:  # the other doors are shut all the same
                raise package("heiiki.errors").TheftError(str(error)) from error
            with package("heiiki.pki.server.bootstrap").logged_in(access, purpose) as vault:
                serials = package("heiiki.pki.revoke").revoke_device(vault, plan.pki, device.identity)
                return [f"certificate {serial}" for serial in serials]

        def mark() -> Sequence[str]:
            sim, folder = device.sim.imsi if device.sim else None, Path(arguments["service_dir"])
            added = package("heiiki.intent.revoked").add(folder, device.name, arguments["reason"], sim)
            return ["revoked.yml"] if added else []

        fleet = package("heiiki.verify.fleet").fleet
        with fleet(transport, len(plan.devices)) as asked:
            doors = package("heiiki.revocation").shut(plan, device, revoke, asked, mark)
            return [record.add(door) for door in doors]


def _answer(
    device: "Device", doors: "list[Door]", document: dict[str, Any], kept: Path | None
) -> dict[str, Any]:
    changed = any(door.changed for door in doors)
    answer: dict[str, Any] = {"changed": changed, "seconds": document["seconds"], "doors": document["doors"]}
    answer["warnings"] = [
        f"{door.name}: {door.problem}" for door in doors if door.problem and not door.needed
    ]
    if kept:
        answer["evidence"] = str(kept)
    if document["shut"]:
        return answer
    open_ones = "; ".join(f"{door.name}: {door.problem}" for door in doors if door.problem and door.needed)
    return {
        **answer,
        "failed": True,
        "msg": f"{device.name} is not shut out everywhere, run again: {open_ones}",
    }
