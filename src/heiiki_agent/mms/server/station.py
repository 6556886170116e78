"""The data model of a controller: what is read of it, and what operating it does."""

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from open61850.data import IECData, IntData, OctetStringData, StructureData
from open61850.mms import ObjectName
from open61850.server import MmsServer, ServerConnection
from open61850.server.control import Command, ControlEngine
from open61850.server.model import ACCESS_OBJECT_ACCESS_DENIED
from open61850.server.reporting import ReportEngine

from heiiki_agent.mms import places
from heiiki_agent.mms import references as ref
from heiiki_agent.mms.model import loaded
from heiiki_agent.mms.orders import Order, SetPoint
from heiiki_agent.mms.server import events
from heiiki_agent.mms.server.events import EventBook
from heiiki_agent.mms.server.ledger import Ledger
from heiiki_agent.resource_socket import ResourceAwayError

_GOOD, _INVALID = 0, 0x0800
"""Quality (IEC 61850-7-3): good; invalid, of 13 bits the second."""
_OK, _ALARM = 1, 3
"""Health (IEC 61850-7-4)."""
_PDU = 65_000
_REMOTE = 3
"""Originator category: remote control."""


class Station:
    """What every session of a server shares."""

    def __init__(
        self,
        file: Path,
        ledger: Ledger,
        book: EventBook,
        measure: Callable[[str], float],
        now: Callable[[], datetime],
    ) -> None:
        """Serve the model of the SCL file, and keep its events in `book`.

        Raises:
            AgentError: the file cannot be used.
        """
        self.model = loaded(file)
        self._ledger, self._book, self._measure, self._now = ledger, book, measure, now
        self._one_order = threading.Lock()
        self.problem = ""
        self.mms = MmsServer(self.model, vendor="Heiiki", model_name=self.model.ied_name, max_pdu_size=_PDU)
        # What was ordered before is there before events are: it has been told of, but for what is told now.
        for word in ("set", "schedule"):
            if order := ledger.newest(word):
                self._show(order, book.operations)
        reports = ReportEngine(self.mms)
        events.keep(reports, ref.report(places.EVENT, buffered=True, instance=1), book)
        self.mms.reports = reports
        self._tell_untold()
        self.mms.write_hooks.append(_writable)
        self.mms.controls = ControlEngine(self.mms)
        self.mms.controls.set_handler(ref.SET_POINT, self._set)
        self.mms.controls.set_handler(ref.SCHEDULE, self._schedule)

    def _tell_untold(self) -> None:
        """Tell of an order that was done, and the program killed before it told: one order at most."""
        order = self._ledger.newest()
        if order is not None and self._ledger.done > self._book.operations:
            self._tell(order)

    def refresh(self) -> None:
        """Measure everything; what cannot be measured keeps its value, and is marked as invalid."""
        self.problem = ""
        with self.model.batch():
            for what, (item, factor) in ref.MEASURED.items():
                self._refresh(what, item, factor)
            self._tell_health()

    def _refresh(self, what: str, item: str, factor: float) -> None:
        quality = _GOOD
        try:
            self.model.set(ref.name(f"{item}$mag$f"), self._measure(what) * factor)
        except ResourceAwayError as error:
            self.problem, quality = str(error), _INVALID
        self.model.set(ref.name(f"{item}$q"), quality)
        self.model.set(ref.name(f"{item}$t"), self._now())

    def _tell_health(self) -> None:
        """Have the model say whether the resource answers: a change of it is an event."""
        health = _ALARM if self.problem else _OK
        if self.model.get(ref.name(f"{ref.HEALTH}$stVal")) != IntData(health):
            self.model.set(ref.name(f"{ref.HEALTH}$stVal"), health)
            self.model.set(ref.name(f"{ref.HEALTH}$t"), self._now())

    def _set(self, command: Command) -> int | None:
        return self._answered(lambda: ref.set_point(ref.order_id(command.origin), command.ctl_val))

    def _schedule(self, command: Command) -> int | None:
        values = [self.model.get(ref.name(item)) for item in ref.SCHEDULE_NAMES]
        return self._answered(lambda: ref.schedule(ref.order_id(command.origin), values))

    def _answered(self, make: Callable[[], Order]) -> int | None:
        """Return the answer to the order that is made; None is done."""
        try:
            order = make()
        except ValueError:
            return ref.WRONG
        # A client that was killed leaves a session behind, whose order its next one gives again.
        with self._one_order:
            before = self._ledger.done
            cause = self._ledger.answer(order)
            if self._ledger.done > before:
                self._tell(order)
        return cause

    def _tell(self, order: Order) -> None:
        """Have the event of an order made."""
        with self._book.about(order.order_id, self._ledger.done):
            self._show(order, self._ledger.done)

    def _show(self, order: Order, operations: int) -> None:
        """Have the model say what was ordered last, by which order, and how many were done."""
        base, item, value = _status(order)
        origin = StructureData([IntData(_REMOTE), OctetStringData(order.order_id.encode())])
        with self.model.batch():
            self.model.set(ref.name(f"{base}${item}"), value)
            self.model.set(ref.name(f"{base}$origin"), origin)
            self.model.set(ref.name(f"{base}$t"), self._now())
            self.model.set(ref.name(f"{ref.OPERATIONS}$stVal"), operations)
            self.model.set(ref.name(f"{ref.OPERATIONS}$t"), self._now())


def _status(order: Order) -> tuple[str, str, IECData | bool]:
    """Return the data object and the attribute that say what was ordered last, and their value."""
    if isinstance(order, SetPoint):
        return "DWGC1$MX$WSpt", "mxVal", ref.analogue(order.power_w)
    return "FSCH1$ST$EnaReq", "stVal", True


def _writable(_connection: ServerConnection, name: ObjectName, _value: IECData) -> int | None:
    """Refuse to write what is no schedule: operated objects and report control blocks were taken before."""
    return None if name.item.startswith(ref.WRITABLE) else ACCESS_OBJECT_ACCESS_DENIED
