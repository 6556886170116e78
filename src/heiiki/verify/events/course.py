"""R-EVENT/books, live: events are on their way while elements fail, and no end loses or doubles one.

At each fault an event goes to every site, lower, higher and by level in turn. In the end, and when several
are live, what all have answered is cancelled, which they must answer as well. Then an end's program is killed
in the middle of its exchanges, and the books of VTN, VENs and resources are compared
(`heiiki.verify.events.books`).
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import SystemRandom

from heiiki import vtn_hosts
from heiiki.dispatch import Desk, Order, served
from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan
from heiiki.render import openadr
from heiiki.report.faults import Step
from heiiki.transport import Transport
from heiiki.verify.events.books import Compared, compared, kept_twice
from heiiki.verify.events.steps import steps
from heiiki.verify.faults.lived import Lived, book_of, patiently
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import summarise
from heiiki_agent.openadr.books import VenBook, VtnBook
from heiiki_agent.openadr.places import End, unit

KILLS = 3
"""How often a program is killed, each time just after another event was sent."""
PATIENCE_S = 90.0
"""How long an end that was away may take to come back and say what it has: several polls of ten seconds."""
_AGAIN_S = 2.0
_LATER_S = 2.0
_MOST_OPEN = 4
"""Events that are live at once, before those that are answered are cancelled."""
_ORDERS = (("LOAD_DISPATCH", "setpoint", -5.0), ("LOAD_DISPATCH", "setpoint", 5.0), ("SIMPLE", "level", 1.0))


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the books say.

    Attributes:
        host: the VTN's host whose book counts.
        found: of each VEN, and of the VTN's other host.
        books: those of the VTN and of each VEN.
        unread: why some cannot be read.
        answers: the raw ones.
    """

    host: str
    found: Mapping[str, Compared]
    books: Mapping[str, tuple[VtnBook, VenBook]]
    unread: Mapping[str, str]
    answers: Mapping[str, Answer]

    @property
    def pending(self) -> bool:
        """An end has yet to say or to confirm something."""
        return bool(self.unread) or any(one.pending for one in self.found.values())

    @property
    def agree(self) -> bool:
        """Everything is there, and there once."""
        return not self.pending and not any(one.lost or one.doubled for one in self.found.values())


class Course:
    """The events of one verification: sent while elements fail, answered, cancelled, and compared."""

    def __init__(self, plan: Plan, fleet: Fleet, transport: Transport) -> None:
        """Send events to every site of `plan`.

        Raises:
            HeiikiError: the service has no VTN.
        """
        self._plan, self._fleet, self._transport = plan, fleet, transport
        self._desk, self._sites = Desk(plan, transport), served(plan)
        self._hosts = tuple(device.name for device in vtn_hosts.in_service(plan))
        now = datetime.now(UTC)
        self._prefix, self._since = f"verify-{now:%Y%m%dT%H%M%S}-", f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"
        self._sent = 0
        self._open: list[str] = []
        self._failed: list[str] = []
        self._troubles: list[str] = []

    def accompany(self, fault: str) -> None:
        """Have an event under way while an element fails."""
        self._failed.append(fault)
        if len(self._open) >= _MOST_OPEN:
            self._attempt(self._cancel_answered)
        self._attempt(self._send)

    def killed(self, device: str) -> Lived:
        """Kill the program of one end in the middle of its exchanges; its unit starts it again.

        Returns what the books say afterwards: of a VEN its own, of the VTN those of all its VENs.
        """
        end: End = "vtn" if device in self._hosts else "ven"
        random = SystemRandom()
        for _ in range(KILLS):
            self._attempt(self._send)
            time.sleep(random.uniform(0, _LATER_S))
            done = self._transport.run(device, ("systemctl", "kill", "--signal=KILL", unit(end)))
            if done.rc != 0:
                self._troubles.append(f"{device}: {unit(end)} cannot be killed: {done.text.strip()}")
        self._attempt(self._finish)
        concerned = (*self._sites.values(), *self._hosts) if end == "vtn" else (device,)
        return self._lived(self._settled(), concerned, f"killed {KILLS} times")

    def failover(self, device: str) -> Lived:
        """Kill the host of the VTN that writes, and have the other one take over before it is back.

        Where `device` is the standby, it is made the writer before.
        """
        other = next(name for name in self._hosts if name != device)
        self._attempt(lambda: self._have_write(device))
        self._attempt(self._send)
        time.sleep(SystemRandom().uniform(0, _LATER_S))
        # Killed first: what is only told to end answers what is under way.
        self._unit(device, "kill", "--signal=KILL")
        self._unit(device, "stop")
        try:
            self._attempt(lambda: self._take_over(other, unasked=True))
            self._attempt(self._send)
        finally:
            self._unit(device, "start")
        self._attempt(self._whole)
        self._attempt(self._finish)
        concerned = (*self._sites.values(), *self._hosts)
        return self._lived(self._settled(), concerned, f"{device} was killed, and {other} took over")

    def end(self) -> None:
        """Cancel what is left, whether or not it was answered."""
        with suppress(HeiikiError):
            self._cancel(tuple(self._open))
        self._open = []

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except HeiikiError as error:
            self._troubles.append(str(error))

    def _unit(self, device: str, *what: str) -> None:
        done = self._transport.run(device, ("systemctl", *what, unit("vtn")))
        if done.rc != 0:
            self._troubles.append(f"{device}: systemctl {what[0]} {unit('vtn')} fails: {done.text.strip()}")

    def _have_write(self, device: str) -> None:
        self._take_over(device)
        self._whole()

    def _take_over(self, device: str, *, unasked: bool = False) -> None:
        patiently(lambda: vtn_hosts.take_over(self._plan, self._transport, device, unasked=unasked))

    def _whole(self) -> None:
        """Wait until the standby has the whole book.

        Raises:
            HeiikiError: it takes too long.
        """
        until = time.monotonic() + PATIENCE_S
        while late := [one for one in vtn_hosts.hosts(self._plan, self._transport) if not one.is_well]:
            if time.monotonic() > until:
                raise HeiikiError("; ".join(one.told for one in late))
            time.sleep(_AGAIN_S)

    def _send(self) -> None:
        """Send the next event. The same order again changes nothing, so it can be sent until it is taken."""
        signal, kind, value = _ORDERS[self._sent % len(_ORDERS)]
        name, start = f"{self._prefix}{self._sent}", datetime.now(UTC) + timedelta(hours=1)
        order = Order(name, tuple(self._sites), start.isoformat(), "PT1H", value, signal, kind)
        self._sent += 1
        self._open.append(name)
        patiently(lambda: self._desk.send(order))

    def _cancel_answered(self) -> None:
        if self._open:
            found = patiently(lambda: self._desk.show(*self._open))
            self._cancel([one.event_id for one in found if not one.missing])

    def _cancel(self, names: Collection[str]) -> None:
        if names:
            patiently(lambda: self._desk.cancel(*names))
            self._open = [name for name in self._open if name not in names]

    def _finish(self) -> None:
        """Wait until all is answered, and cancel it."""
        until = time.monotonic() + PATIENCE_S
        while self._open and time.monotonic() < until:
            self._cancel_answered()
            time.sleep(_AGAIN_S if self._open else 0)

    def _settled(self) -> _Reading:
        """Read all books until they agree; what is wrong in two readings running is no message on its way."""
        until, before = time.monotonic() + PATIENCE_S, None
        while True:
            reading = self._read()
            stands = not reading.pending and reading.found == before
            if reading.agree or stands or time.monotonic() > until:
                return reading
            before = reading.found
            time.sleep(_AGAIN_S)

    def _read(self) -> _Reading:
        host = self._writing()
        ends: dict[str, End] = {
            **dict.fromkeys(self._hosts, "vtn"),
            **dict.fromkeys(self._sites.values(), "ven"),
        }
        questions = {
            name: {"commands": {"book": list(openadr.book(end, self._prefix, self._since))}}
            for name, end in ends.items()
        }
        answers = self._fleet.ask("read", questions)
        vtn, books, found, unread = book_of(VtnBook, answers[host]), {}, {}, {}
        for name, end in ends.items():
            if name == host:
                continue
            own = book_of(VtnBook, answers[name]) if end == "vtn" else book_of(VenBook, answers[name])
            if isinstance(vtn, str) or isinstance(own, str):
                unread[name] = summarise([one for one in (vtn, own) if isinstance(one, str)])
            elif isinstance(own, VtnBook):
                found[name] = kept_twice(name, vtn, own)
            else:
                books[name], found[name] = (vtn, own), compared(name, vtn, own)
        return _Reading(host, found, books, unread, answers)

    def _writing(self) -> str:
        """Return the host of the VTN whose book counts."""
        with suppress(HeiikiError):
            return vtn_hosts.writer(self._plan, self._transport).name
        # Where none writes, no event can be sent or cancelled either, which is told.
        return self._hosts[0]

    def _lived(self, reading: _Reading, concerned: Sequence[str], done: str) -> Lived:
        found = {name: reading.found[name] for name in concerned if name in reading.found}
        return Lived(
            wrong=tuple(
                f"{name}: {what}" for name, one in found.items() for what in (*one.lost, *one.doubled)
            ),
            doubts=(
                *(reading.unread[name] for name in concerned if name in reading.unread),
                *(f"{name}: {what}" for name, one in found.items() for what in one.pending),
                *self._troubles,
            ),
            notes={name: answer.raw.decode(errors="replace") for name, answer in reading.answers.items()},
            said=self._said(found.values(), done),
            steps=tuple(self._steps(reading, concerned)),
        )

    def _steps(self, reading: _Reading, vens: Collection[str]) -> Iterator[Step]:
        """Yield how the last event went to each VEN and back."""
        for site, ven in self._sites.items():
            if ven in vens and ven in reading.books:
                yield from steps(site, reading.host, ven, *reading.books[ven])

    def _said(self, found: Collection[Compared], done: str) -> str:
        versions, acts, reports = (
            sum(getattr(one, what) for one in found) for what in ("versions", "acts", "reports")
        )
        same = f"{versions} versions of events, {acts} actions and {reports} reports"
        before = f", faults before it: {len(self._failed)}" if self._failed else ""
        return f"{done}{before}; {same}, each once in every book"
