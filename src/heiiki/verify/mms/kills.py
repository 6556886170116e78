"""R-EVENT/books, live: an end of direct control is killed among its exchanges, and no end loses or doubles.

Each time every site under direct control is ordered what its resource does as it is, a battery by a schedule
of one second before. Then the program of one end is killed at a random moment, and its unit starts it again.
In the end the books of DRAS, controllers and resources are compared (`heiiki.verify.mms.books`): orders, and
the events that sites report by themselves.
"""

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import SystemRandom

from heiiki.control import Desk, Order, SetPoint, Shown, client, controlled
from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan
from heiiki.render import mms
from heiiki.transport import Transport
from heiiki.verify.faults.lived import Lived, book_of, patiently
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.mms.books import Compared, compared
from heiiki.verify.mms.orders import POWER, SCHEDULED, batteries, schedule
from heiiki.verify.verdicts import summarise
from heiiki_agent.mms.books import ClientBook, ServerBook
from heiiki_agent.mms.places import End, unit

KILLS = 3
"""How often a program is killed, each time just after another order was given."""
PATIENCE_S = 90.0
"""How long an end that was away may take to come back and say what it has, and an order is given again."""
_BACK_S = 20.0
_AGAIN_S = 2.0
_LATER_S = 0.5
"""An order takes a connection and two exchanges at most."""
_EARLIER = timedelta(minutes=1)
"""How much earlier reports are looked at than orders are given: clocks differ, and all ends keep them."""
_KW = 1000


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the books say of each site, why some cannot be read, and the raw answers."""

    found: Mapping[str, Compared]
    unread: Mapping[str, str]
    answers: Mapping[str, Answer]

    @property
    def agree(self) -> bool:
        """Everything is there, and there once."""
        return not self.unread and not any(
            one.lost or one.doubled or one.pending for one in self.found.values()
        )


class Kills:
    """The orders of one verification, given while ends are killed."""

    def __init__(self, plan: Plan, fleet: Fleet, transport: Transport) -> None:
        """Order the sites of `plan` that are under direct control.

        Raises:
            HeiikiError: there is none.
        """
        self._fleet, self._transport = fleet, transport
        self._desk, self._host, self._sites = Desk(plan, transport), client(plan).name, controlled(plan)
        self._batteries = batteries(plan)
        self._prefix, self._sent, self._since = "", 0, ""
        self._troubles: list[str] = []

    def killed(self, device: str) -> Lived:
        """Kill the program of one end in the middle of its exchanges; its unit starts it again.

        Returns what the books say afterwards: of a server its site's, of the client those of all sites.
        """
        end: End = "client" if device == self._host else "server"
        now = datetime.now(UTC)
        self._prefix, self._sent, self._troubles = f"kill-{secrets.token_hex(6)}-", 0, []
        self._since = f"{now - _EARLIER:%Y-%m-%dT%H:%M:%S.%fZ}"
        # Last is the one that is killed: what it was ordered is on its way then.
        sites = sorted(self._sites, key=lambda site: self._sites[site] == device)
        for _ in range(KILLS):
            self._attempt(lambda: self._give(sites))
            time.sleep(SystemRandom().uniform(0, _LATER_S))
            done = self._transport.run(device, ("systemctl", "kill", "--signal=KILL", unit(end)))
            if done.rc != 0:
                self._troubles.append(f"{device}: {unit(end)} cannot be killed: {done.text.strip()}")
        concerned = [site for site in sites if end == "client" or self._sites[site] == device]
        return self._lived(self._settled(), concerned)

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except HeiikiError as error:
            self._troubles.append(str(error))

    def _give(self, sites: Sequence[str]) -> None:
        """Order of every site the power that it has."""
        for shown in self._shown(sites):
            if shown.problem:
                self._troubles.append(f"{shown.site}: nothing was ordered: {shown.problem}")
                continue
            name, power_kw = f"{self._prefix}{shown.site}-{self._sent}", shown.values[POWER][0] / _KW
            if shown.site in self._batteries:
                self._order(schedule(f"{name}{SCHEDULED}", power_kw), shown.site)
            self._order(SetPoint(name, power_kw), shown.site)
        self._sent += 1

    def _shown(self, sites: Sequence[str]) -> tuple[Shown, ...]:
        """Return how the sites are, when all of them answer again, or what they say after a while."""
        until = time.monotonic() + _BACK_S
        while True:
            found = patiently(lambda: self._desk.show(sites))
            if time.monotonic() > until or not any(one.problem for one in found):
                return found
            time.sleep(_AGAIN_S)

    def _order(self, order: Order, site: str) -> None:
        """Give an order until DRAS has taken it: the same order again changes nothing."""
        patiently(lambda: self._desk.order(order, [site], PATIENCE_S, 0.0))

    def _settled(self) -> _Reading:
        """Read all books until they agree; what came too late to be there by then is lost."""
        until = time.monotonic() + PATIENCE_S
        while True:
            reading = self._read()
            if reading.agree or time.monotonic() > until:
                return reading
            time.sleep(_AGAIN_S)

    def _read(self) -> _Reading:
        ends: dict[str, End] = {self._host: "client", **dict.fromkeys(self._sites.values(), "server")}
        questions = {
            name: {"commands": {"book": list(mms.book(self._prefix, end, self._since))}}
            for name, end in ends.items()
        }
        answers = self._fleet.ask("read", questions)
        dras, found, unread = book_of(ClientBook, answers[self._host]), {}, {}
        for site, device in self._sites.items():
            server = book_of(ServerBook, answers[device])
            if isinstance(dras, ClientBook) and isinstance(server, ServerBook):
                found[site] = compared(site, dras, server)
            else:
                unread[site] = summarise([one for one in (dras, server) if isinstance(one, str)])
        return _Reading(found, unread, answers)

    def _lived(self, reading: _Reading, sites: Sequence[str]) -> Lived:
        found = {site: reading.found[site] for site in sites if site in reading.found}
        return Lived(
            wrong=tuple(
                f"{site}: {what}" for site, one in found.items() for what in (*one.lost, *one.doubled)
            ),
            doubts=(
                *(reading.unread[site] for site in sites if site in reading.unread),
                *(f"{site}: {what}" for site, one in found.items() for what in one.pending),
                *self._troubles,
            ),
            notes={name: answer.raw.decode(errors="replace") for name, answer in reading.answers.items()},
            said=_said(found.values()),
        )


def _said(found: Collection[Compared]) -> str:
    orders, reports = (sum(getattr(one, what) for one in found) for what in ("orders", "reports"))
    return f"killed {KILLS} times; {orders} orders and {reports} reports of events, each once in every book"
