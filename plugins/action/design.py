# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.design; its documentation stands beside the module of that name."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import load_plan, package, translated

if TYPE_CHECKING:
    from heiiki.requirements.verdict import Verdict

display = Display()

ARGUMENTS = {"service_dir": {"type": "path", "required": True}}
GOOD = frozenset({"pass", "not_applicable"})


def line(verdict: "Verdict") -> str:
    """Return a verdict as one line of a table: result, requirement, subject, figures, reason."""
    figures = package("heiiki.requirements.figures")
    figure = figures.quantity(verdict.measured, verdict.unit)
    if verdict.measured is not None and verdict.bound is not None:
        figure, bound = figures.pair(verdict.measured, verdict.bound)
        figure = f"{figure} {verdict.unit} (bound {bound})"
    head = f"{verdict.result:<14} {verdict.requirement:<14} {verdict.subject:<28}"
    return f"{head} {figure} {verdict.reason}".rstrip()


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Examine a service on paper."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return every design verdict; fail on a fail, on an unknown, and when there is none."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        plan = load_plan(Path(arguments["service_dir"]))
        with translated():
            verdicts = package("heiiki.service").check(plan)
        counts = Counter(str(verdict.result) for verdict in verdicts)
        table = [line(verdict) for verdict in verdicts]
        display.display("\n".join(table))
        bad = [text for verdict, text in zip(verdicts, table, strict=True) if verdict.result not in GOOD]
        answer = {**result, "changed": False, "totals": dict(counts), "table": table}
        if bad or not verdicts:
            text = "\n".join(bad) or "nothing was examined, which is no pass"
            return {**answer, "failed": True, "msg": f"the design does not hold:\n{text}"}
        return answer
