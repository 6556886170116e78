# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.rotation; its documentation stands beside the module of that name."""

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    kept,
    load_plan,
    package,
    translated,
    vault_access,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.connections import transport_for
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import forget

ARGUMENTS = {
    "authority": {"type": "str", "choices": ["issuing", "root"], "required": True},
    "step": {"type": "str", "choices": ["begin", "sign", "retire", "finish"], "required": True},
    "again": {"type": "bool", "default": False},
    "service_dir": {"type": "path", "required": True},
    "artifacts": {"type": "path", "required": True},
    "secret_state": {"type": "path"},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Take one step of the replacement of a CA, from the controller."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take the step if it is due and the devices are ready for it; see the module's documentation."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        service, state = Path(arguments["service_dir"]), arguments["secret_state"]
        plan = load_plan(service)
        own = kept(plan, service, Path(state) if state else None)
        kind, check = arguments["authority"], self._task.check_mode
        rotation, fleet = package("heiiki.pki.rotation"), package("heiiki.verify.fleet").fleet
        step = rotation.Step(arguments["step"])
        access = vault_access(plan, own, f"replacing the {kind} CA")
        with (
            translated(),
            transport_for(plan, task_vars or {}) as transport,
            fleet(transport, len(plan.devices)) as asked,
        ):
            way = rotation.Rotation(
                plan, access, asked, rotation.Kind(kind), again=arguments["again"], check=check
            )
            try:
                done = way.take(step)
            finally:
                if not check:
                    forget(own.run)  # even a step that failed may have made a CA
            evidence = None if check else rotation.keep(Path(arguments["artifacts"]), plan, step, done)
        return {**result, **_answer(done), **({"evidence": str(evidence)} if evidence else {})}


def _answer(done: Any) -> dict[str, Any]:
    return {
        "changed": bool(done.changes),
        "authority": done.subject,
        "phase": done.phase,
        "next": done.after,
        "devices": dict(done.seen),
        "warnings": list(done.warnings),
        "diff": [
            {"before_header": name, "after_header": name, "before": before, "after": after}
            for name, before, after in done.changes
        ],
    }
