# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way back of a node: files and services as the journal has them. Standard library only."""

from collections.abc import Callable

from ansible_collections.heiiki.network.plugins.module_utils.journal import Journal
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import (
    ServiceError,
    ServiceManager,
)


def restore(journal: Journal, manager: ServiceManager) -> list[str]:
    """Bring files and services back from the journal; returns what could not be brought back."""
    if not journal.found():
        return []
    states = journal.services()
    fresh = [name for name, state in reversed(states.items()) if state == "inactive"]
    attempts = [_attempt(name, manager.stop) for name in fresh]
    journal.undo()
    others = [name for name in states if name not in fresh]
    attempts.append(_attempt(", ".join(others), lambda _: manager.prepare(others, ())))
    attempts += [
        _attempt(name, _back(manager, name, state)) for name, state in states.items() if name not in fresh
    ]
    journal.close()
    return [trouble for trouble in attempts if trouble]


def _back(manager: ServiceManager, name: str, state: str) -> Callable[[str], None]:
    if not manager.is_active(name):
        return manager.start
    return manager.reload if state == "reload" else manager.restart


def _attempt(name: str, action: Callable[[str], None]) -> str:
    """Do one step of the way back; returns what went wrong, since the other steps are still to be done."""
    try:
        action(name)
    except (ServiceError, OSError) as error:
        return f"service {name} could not be restored: {error}"
    return ""
