# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.event; its documentation stands beside the module."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package
from ansible_collections.heiiki.network.plugins.plugin_utils.service_action import ServiceAction, display

if TYPE_CHECKING:
    from heiiki.service import Event, Service


class ActionModule(ServiceAction):
    """Send an event to sites, or cancel it, from the controller."""

    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]] = {
        "event": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["sent", "cancelled"], "default": "sent"},
        "sites": {"type": "list", "elements": "str"},
        "start": {"type": "str"},
        "duration": {"type": "str"},
        "value": {"type": "float"},
        "signal": {"type": "str", "default": "LOAD_DISPATCH"},
        "kind": {"type": "str", "default": "setpoint"},
        "test": {"type": "bool", "default": False},
        "wait_s": {"type": "float", "default": 0.0},
        "secret_state": {"type": "path"},
    }

    def answer(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        """Bring the event to its state; see the module's documentation."""
        use_cases = package("heiiki.service")
        cancelled = arguments["state"] == "cancelled"
        if not cancelled and (missing := [name for name in _NEEDED if arguments[name] is None]):
            return {"failed": True, "msg": f"state sent needs {', '.join(missing)}"}
        known = {one.event_id: one.status for one in use_cases.list_events(service)}
        status = known.get(arguments["event"])
        due = status not in {None, "cancelled"} if cancelled else status is None
        if self.check_mode or (cancelled and status is None):
            return {"changed": due}
        if cancelled:
            found = use_cases.cancel_event(service, arguments["event"])
        else:
            found = use_cases.send_event(service, _order(service, arguments))
        found = use_cases.awaited(service, found, arguments["wait_s"], display.display)
        return {"changed": due, **_answer(found, arguments["wait_s"])}


_NEEDED = ("start", "duration", "value")


def _order(service: "Service", arguments: dict[str, Any]) -> Any:
    sites = arguments["sites"] or [site.name for site in service.plan.sites]
    fields = {name: arguments[name] for name in (*_NEEDED, "signal", "kind", "test")}
    return package("heiiki.service").Order(event_id=arguments["event"], sites=tuple(sites), **fields)


def _answer(found: "Event", wait_s: float) -> dict[str, Any]:
    answers = [asdict(one) for one in found.answers]
    said: dict[str, Any] = {"status": found.status, "modification": found.modification, "answers": answers}
    if wait_s and found.missing:
        said |= {"failed": True, "msg": f"no answer within {wait_s:g} s: {', '.join(found.missing)}"}
    return said
