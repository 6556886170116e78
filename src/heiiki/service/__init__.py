"""The use cases: what is done with a service, each composed once, for the command and for Ansible's plugins.

A use case calls the rooms in order and returns a value; it raises `HeiikiError` for what a person has to
mend. How devices are reached comes from `heiiki.management`.

Each name is imported when it is first asked for: who checks files needs nothing that speaks to devices.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heiiki.control import Schedule, SetPoint
    from heiiki.dispatch import Event, Order
    from heiiki.enrolment import Enrolled, Secret
    from heiiki.service.certificates import Renewed, foreseen_rotation, renew, rotate, step_of_rotation
    from heiiki.service.control import book_of_control, order_control, reports_of_control, show_control
    from heiiki.service.enrolment import (
        admit_registrar,
        list_enrolled,
        make_secret,
        renew_log_in,
        withdraw_secret,
    )
    from heiiki.service.event import (
        awaited,
        begin_writing,
        cancel_event,
        list_events,
        send_event,
        show_event,
        take_over,
    )
    from heiiki.service.model import Service, opened
    from heiiki.service.network import Revoked, reinstate, revoke, what_would_be_revoked
    from heiiki.service.paper import check, compile_service
    from heiiki.service.pushing import Pushed, PushOrder, push
    from heiiki.service.reverting import Kept, kept_states, revert
    from heiiki.service.signing import Signed, sign
    from heiiki.service.snapshots import Restored, restore, snapshot, what_would_be_restored
    from heiiki.service.sources import Imported, finish_import, import_sites
    from heiiki.service.verification import Outcome, bad_ones, verify

__all__ = [
    "Enrolled",
    "Event",
    "Imported",
    "Kept",
    "Order",
    "Outcome",
    "PushOrder",
    "Pushed",
    "Renewed",
    "Restored",
    "Revoked",
    "Schedule",
    "Secret",
    "Service",
    "SetPoint",
    "Signed",
    "admit_registrar",
    "awaited",
    "bad_ones",
    "begin_writing",
    "book_of_control",
    "cancel_event",
    "check",
    "compile_service",
    "finish_import",
    "foreseen_rotation",
    "import_sites",
    "kept_states",
    "list_enrolled",
    "list_events",
    "make_secret",
    "opened",
    "order_control",
    "push",
    "reinstate",
    "renew",
    "renew_log_in",
    "reports_of_control",
    "restore",
    "revert",
    "revoke",
    "rotate",
    "send_event",
    "show_control",
    "show_event",
    "sign",
    "snapshot",
    "step_of_rotation",
    "take_over",
    "verify",
    "what_would_be_restored",
    "what_would_be_revoked",
    "withdraw_secret",
]

_NAMES = {
    "heiiki.control": ("Schedule", "SetPoint"),
    "heiiki.dispatch": ("Event", "Order"),
    "heiiki.enrolment": ("Enrolled", "Secret"),
    "heiiki.service.certificates": ("Renewed", "foreseen_rotation", "renew", "rotate", "step_of_rotation"),
    "heiiki.service.control": ("book_of_control", "order_control", "reports_of_control", "show_control"),
    "heiiki.service.enrolment": (
        "admit_registrar",
        "list_enrolled",
        "make_secret",
        "renew_log_in",
        "withdraw_secret",
    ),
    "heiiki.service.event": (
        "awaited",
        "begin_writing",
        "cancel_event",
        "list_events",
        "send_event",
        "show_event",
        "take_over",
    ),
    "heiiki.service.model": ("Service", "opened"),
    "heiiki.service.network": ("Revoked", "reinstate", "revoke", "what_would_be_revoked"),
    "heiiki.service.paper": ("check", "compile_service"),
    "heiiki.service.pushing": ("Pushed", "PushOrder", "push"),
    "heiiki.service.reverting": ("Kept", "kept_states", "revert"),
    "heiiki.service.signing": ("Signed", "sign"),
    "heiiki.service.snapshots": ("Restored", "restore", "snapshot", "what_would_be_restored"),
    "heiiki.service.sources": ("Imported", "finish_import", "import_sites"),
    "heiiki.service.verification": ("Outcome", "bad_ones", "verify"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Return a use case, or a type of one, from the module that has it (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
