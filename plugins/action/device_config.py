# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.device_config; its documentation stands beside the module."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package
from ansible_collections.heiiki.network.plugins.plugin_utils.service_action import ServiceAction, display

if TYPE_CHECKING:
    from heiiki.fleet.model import Progress, Result
    from heiiki.service import Pushed, Service

_CONSENT = "without_rollback: true (of push.yml: -e heiiki_without_rollback=true)"
Rows = dict[str, dict[str, Any]]


class ActionModule(ServiceAction):
    """Push routers once a batch, and tell of each in Ansible's own terms."""

    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]] = {
        "devices": {"type": "list", "elements": "str"},
        "result_of": {"type": "dict"},
        "shown": {"type": "str", "default": ""},
        "confirm_timeout": {"type": "int", "default": 300},
        "without_rollback": {"type": "bool", "default": False},
        "max_unreachable": {"type": "int", "default": 25},
        "alone": {"type": "bool", "default": False},
        "napalm": {"type": "list", "elements": "str", "default": []},
        "access": {"type": "path"},
        "secret_state": {"type": "path"},
    }

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of the use case, or of an earlier one what concerns this host."""
        self._host = str((task_vars or {}).get("inventory_hostname", ""))
        return super().run(tmp, task_vars)

    def answer(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        """Push, or tell what a push came to at this host; see the module's documentation."""
        if (told := arguments["result_of"]) is not None:
            return self._row(told.get("devices") or {})
        names = arguments["devices"]
        if names is None:
            return {"failed": True, "msg": "name the devices, or result_of for what a push came to"}
        if not names:
            return {"changed": False, "devices": {}}
        access = arguments["access"]
        done = package("heiiki.service").push(
            service,
            self._order(tuple(names), arguments),
            package("heiiki.fleet.access").access_file(Path(access)) if access else None,
            _Shown(),
        )
        return _answer(done)

    def _order(self, names: tuple[str, ...], arguments: dict[str, Any]) -> Any:
        return package("heiiki.service").PushOrder(
            only=names,
            check=self.check_mode,
            shown="" if self.check_mode else arguments["shown"],
            revert_in_s=float(arguments["confirm_timeout"]),
            without_rollback=arguments["without_rollback"],
            consent=_CONSENT,
            most_unreachable=arguments["max_unreachable"] / 100,
            alone=arguments["alone"],
            napalm=tuple(arguments["napalm"]),
        )

    def _row(self, rows: Rows) -> dict[str, Any]:
        """Return what became of this host.

        Raises:
            AnsibleConnectionFailure: it was not reached, which Ansible calls unreachable.
        """
        row = rows.get(
            self._host, {"failed": True, "msg": f"{self._host}: was not among the devices of the push"}
        )
        if row.get("unreachable"):
            raise AnsibleConnectionFailure(row["msg"])
        difference = row.get("difference")
        return {**row, **({"diff": {"prepared": difference}} if difference else {})}


class _Shown:
    """Shows how far a push is, a line for each tenth."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = ("", 0)

    def __call__(self, phase: str, progress: "Progress") -> None:
        now = (phase, 10 * progress.done // progress.total)
        if now != self._last:
            self._last = now
            display.display(f"{phase}: {progress.done} of {progress.total}, {progress.failed} failed")


def _answer(done: "Pushed") -> dict[str, Any]:
    """Return what the task returns; it does not fail for a device's sake, which fails by itself."""
    rows: Rows = {result.device: _told(result) for result in done.results}
    rows |= {name: {"failed": True, "msg": f"{name}: not begun: {done.stopped}"} for name in done.left}
    return {
        "changed": done.changed,
        "devices": rows,
        "summary": list(package("heiiki.fleet.engine").summary(done.results)),
        "stopped": done.stopped,
        "unsettled": list(done.unsettled),
        **({"shown": done.digest} if done.digest else {}),
    }


def _told(result: "Result") -> dict[str, Any]:
    outcome = str(result.outcome)
    return {
        "changed": outcome == "changed",
        "failed": outcome == "failed",
        "unreachable": outcome == "unreachable",
        "msg": result.reason,
        "notices": list(result.notices),
        "difference": result.diff,
    }
