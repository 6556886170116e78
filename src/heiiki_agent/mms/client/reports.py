"""What sites report by themselves (IEC 61850-7-2 clause 17): an association with each that stands.

Measurements and the running schedule come as often as TR-1072 tables 5.6 and 5.8 have them (URCB), events as
soon as they happen. Those are kept by the site while the DRAS does not listen (BRCB), and asked for from the
last one on that it has, by its book of them. When each report was made and when it came is kept for a while,
in memory: that is what says how long they take. One that an operator asks for between is told to that one
alone, or it would hide that those of the site itself have ceased.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from open61850.data import BoolData
from open61850.mms import DataAccessError, MmsClient, ObjectName
from open61850.mms.pdu import InformationReport
from open61850.mms.rcb import RcbError, RcbSettings, enable
from open61850.mms.report import OptFlds, Report, TrgOps, decode_report, is_report
from open61850.server.protocol import access_results

from heiiki_agent.mms import places
from heiiki_agent.mms import references as ref
from heiiki_agent.mms.client.inbox import Inbox
from heiiki_agent.mms.client.session import FAILED, WHOLE_S, AwayError, Client, Line, Site, bridged, cause
from heiiki_agent.mms.client.session import Report as Wanted
from heiiki_agent.mms.orders import stamp
from heiiki_agent.tls import Credentials

log = logging.getLogger(__name__)

KEPT = 120
"""Reports of each kind whose times are kept: two minutes of those that come each second."""
_INSTANCES = 2
"""Control blocks of a URCB: a new association takes one before the last has given its own back."""
_ALIVE_S = 40.0
"""How often something is asked, for a site hangs up on a client that says nothing for long."""
_FIRST_AGAIN_S, _LAST_AGAIN_S = 1.0, 5.0
_OPTIONS = OptFlds(
    sequence_number=True,
    report_time_stamp=True,
    reason_for_inclusion=True,
    buffer_overflow=True,
    entry_id=True,
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A report that came.

    Attributes:
        made: when, by the site's clock, UTC.
        came: when, by this host's.
        asked_for: it was sent because it was asked for, as at the beginning of an association.
    """

    made: datetime
    came: datetime
    asked_for: bool


class Reports:
    """What one site has reported."""

    def __init__(self, site: Site, credentials: Credentials, inbox: Inbox) -> None:
        """Listen to `site`, and keep its events in `inbox`."""
        self._site, self._credentials, self._inbox = site, credentials, inbox
        self._arrivals: dict[str, deque[Arrival]] = {one.name: deque(maxlen=KEPT) for one in site.reports}
        self._loop = asyncio.get_running_loop()
        self._client: MmsClient | None = None
        self._blocks: dict[str, ObjectName] = {}
        self._asked: dict[str, asyncio.Future[Arrival]] = {}
        self.problem = f"{site.name}: it is not associated yet"

    def told(self) -> Mapping[str, object]:
        """Return it as the operator's socket says it: times of each kind, the oldest first."""
        return self._told(self.problem, self._arrivals)

    def _told(self, problem: str, arrivals: Mapping[str, Iterable[Arrival]]) -> Mapping[str, object]:
        return {
            "site": self._site.name,
            "problem": problem or None,
            "reports": [
                {
                    "name": one.name,
                    "every_s": one.every_s,
                    "times": [_written(arrival) for arrival in arrivals.get(one.name, ())],
                }
                for one in self._site.reports
            ],
        }

    async def interrogate(self) -> Mapping[str, object]:
        """Have each report that is not an event sent now; return the times of those alone, as `told` does."""
        client, blocks = self._client, dict(self._blocks)
        if client is None or self._asked:
            return self._told(self.problem or f"{self._site.name}: it is asked already", {})
        self._asked = {name: self._loop.create_future() for name in blocks}
        waited = tuple(self._asked.values())
        try:
            async with asyncio.timeout(WHOLE_S):
                await asyncio.to_thread(_interrogated, client, blocks.values())
                await asyncio.gather(*waited)
            problem = ""
        except TimeoutError:
            problem = f"{self._site.name}: no report in time"
        except FAILED as error:
            problem = f"{self._site.name}: {cause(error)}"
        finally:
            self._asked = {}
        those = zip(blocks, waited, strict=True)
        came = {name: (one.result(),) for name, one in those if one.done() and not one.cancelled()}
        return self._told(problem, came)

    async def follow(self) -> None:
        """Associate, and again when that has ended, until this is cancelled."""
        pause = _FIRST_AGAIN_S
        while True:
            began = self._loop.time()
            try:
                await self._associated()
            except AwayError as error:
                if str(error) != self.problem:
                    log.warning("%s", error)
                self.problem = str(error)
            pause = _FIRST_AGAIN_S if self._loop.time() - began > _ALIVE_S else min(2 * pause, _LAST_AGAIN_S)
            await asyncio.sleep(pause)

    async def _associated(self) -> None:
        """Have the site report until the association ends.

        Raises:
            AwayError: always, with what ended it.
        """
        try:
            async with bridged(self._site, self._credentials) as line:
                try:
                    last_event = self._inbox.last(self._site.name)
                    client = await asyncio.to_thread(self._opened, line, last_event)
                    self.problem, self._client = "", client
                    await _alive(client, line)
                finally:
                    self._client = None
                    line.library.close()
        except TimeoutError as error:
            raise AwayError(f"{self._site.name}: no answer in time") from error
        except FAILED as error:
            raise AwayError(f"{self._site.name}: {cause(error)}") from error

    def _opened(self, line: Line, last_event: bytes) -> MmsClient:
        client = Client.on(line.library)
        client.add_report_listener(self._take)
        enabled = {one.name: _enable(client, one, last_event) for one in self._site.reports}
        self._blocks = {name: block for name, block in enabled.items() if name != places.EVENT}
        return client

    def _take(self, message: InformationReport) -> None:
        """Note a report, in the library's thread."""
        if is_report(message):
            self._loop.call_soon_threadsafe(self._note, decode_report(message), datetime.now(UTC))

    def _note(self, report: Report, came: datetime) -> None:
        arrivals = self._arrivals.get(report.rpt_id)
        if arrivals is None or report.time_of_entry is None:
            log.warning("%s: a report %r was not asked for", self._site.name, report.rpt_id)
            return
        made = report.time_of_entry.astimezone(UTC)
        if report.entry_id and not self._inbox.take(
            self._site.name, report.entry_id, _contents(report), made, came
        ):
            return
        reasons = [entry.reason for entry in report.entries if entry.reason]
        asked_for = any(one.general_interrogation for one in reasons)
        arrival = Arrival(made, came, asked_for)
        waiting = self._asked.get(report.rpt_id)
        if asked_for and waiting is not None and not waiting.done():
            waiting.set_result(arrival)
        else:
            arrivals.append(arrival)


def _contents(report: Report) -> bytes:
    """Return the values of a report as they came."""
    values = (entry.value for entry in report.entries)
    return access_results([one.code if isinstance(one, DataAccessError) else one for one in values])


def _written(arrival: Arrival) -> Mapping[str, object]:
    return {"made": stamp(arrival.made), "came": stamp(arrival.came), "asked_for": arrival.asked_for}


async def _alive(client: MmsClient, line: Line) -> None:
    """Stay until the association ends, and ask something now and then.

    Raises:
        OSError, MmsError: what ended it.
    """
    while True:
        ended, _ = await asyncio.wait((line.carrying,), timeout=_ALIVE_S)
        if ended:
            line.carrying.result()
            raise ConnectionResetError("it hung up")
        await asyncio.to_thread(client.read, ref.name(f"{ref.HEALTH}$stVal"))


def _interrogated(client: MmsClient, blocks: Iterable[ObjectName]) -> None:
    """Have reports sent now (IEC 61850-7-2 17.2.2.13, GI).

    Raises:
        OSError, MmsError: the site does not answer, or refuses it.
    """
    for block in blocks:
        client.write(ObjectName(f"{block.item}$GI", block.domain), BoolData(value=True))


def _enable(client: MmsClient, wanted: Wanted, last_event: bytes) -> ObjectName:
    """Have a report sent, by the first of its blocks that is free; return that.

    Raises:
        MmsError: none is, or the site does not answer.
    """
    buffered = wanted.name == places.EVENT
    settings = RcbSettings(
        trg_ops=TrgOps(
            data_change=buffered,
            quality_change=buffered,
            integrity=bool(wanted.every_s),
            general_interrogation=not buffered,
        ),
        opt_flds=_OPTIONS,
        intg_pd_ms=1000 * wanted.every_s,
        entry_id=last_event if buffered else None,
        general_interrogation=not buffered,
    )
    blocks = [
        ref.report(wanted.name, buffered=buffered, instance=number)
        for number in range(1, 2 if buffered else 1 + _INSTANCES)
    ]
    return _first_free(client, blocks, settings)


def _first_free(client: MmsClient, blocks: Iterable[ObjectName], settings: RcbSettings) -> ObjectName:
    *others, last = blocks
    for block in others:
        with suppress(RcbError):
            enable(client, block, settings)
            return block
    enable(client, last, settings)
    return last


class Listening:
    """Reports of every site."""

    def __init__(self, sites: Iterable[Site], credentials: Credentials, inbox: Inbox) -> None:
        """Listen to `sites`, and keep their events in `inbox`."""
        self._reports = {one.name: Reports(one, credentials, inbox) for one in sites if one.reports}
        self._following: tuple[asyncio.Task[None], ...] = ()

    def begin(self) -> None:
        """Associate with every site."""
        self._following = tuple(asyncio.create_task(one.follow()) for one in self._reports.values())

    async def end(self) -> None:
        """End every association."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)

    async def renew(self) -> None:
        """End every association, and begin it again under the certificates and lists that are there now."""
        await self.end()
        self.begin()

    @property
    def problems(self) -> Mapping[str, str]:
        """Why a site is not heard, by its name."""
        return {name: one.problem for name, one in self._reports.items() if one.problem}

    def told(self, sites: Iterable[str]) -> list[Mapping[str, object]]:
        """Return what some sites have reported."""
        return [self._reports[name].told() for name in sites if name in self._reports]

    async def interrogated(self, sites: Iterable[str]) -> list[Mapping[str, object]]:
        """Have some sites report now, and return the times of that."""
        asked = (self._reports[name].interrogate() for name in sites if name in self._reports)
        return list(await asyncio.gather(*asked))
