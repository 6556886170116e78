# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What action plugins have in common that work from the controller on a whole service."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import given, opened, translated
from ansible_collections.heiiki.network.plugins.plugin_utils.connections import hosts_of

if TYPE_CHECKING:
    from heiiki.revocation import RevocationStep
    from heiiki.service import Service

display = Display()


class ServiceAction(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Reads the arguments, opens the service that they name, and has `answer` call one use case.

    ARGUMENTS holds what the task takes beside ``service_dir``.
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of the use case; raise the package's own errors as Ansible's."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {"service_dir": {"type": "path", "required": True}, **self.ARGUMENTS}
        )
        service = opened(
            Path(arguments["service_dir"]), given(arguments.get("secret_state")), hosts_of(task_vars or {})
        )
        with translated():
            return {**result, **self.answer(service, arguments)}

    @abstractmethod
    def answer(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        """Return what the task returns.

        Args:
            service: the one in ``service_dir``.
            arguments: every option, defaults among them.
        """

    @property
    def check_mode(self) -> bool:
        """Whether the task is to say what it would do, and do nothing."""
        return bool(self._task.check_mode)


def tell(step: "RevocationStep") -> None:
    """Show a step as soon as it is done."""
    display.display(f"{step.name}: {step.problem or 'complete'}")


def left_over(what: str, incomplete: "tuple[RevocationStep, ...]") -> dict[str, Any]:
    """Return what a task adds that could not take every step; nothing where all are complete."""
    if not incomplete:
        return {}
    left = "; ".join(f"{step.name}: {step.problem}" for step in incomplete)
    return {"failed": True, "msg": f"the {what} is not complete, run it again: {left}"}
