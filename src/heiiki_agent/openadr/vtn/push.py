"""A VTN over XMPP (OpenADR 2.0b, xmpp): events go out at once, and VENs ask what they ask by HTTP.

That an event was sent, and even that the VEN has it, means nothing: it is sent again, as it is in each answer
to a poll, until its answer is in the book. What is sent is read from the book, so it is committed before.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.errors import Malformed
from heiiki_agent.openadr.session import LARGEST, RefusalError, Served, UnansweredError
from heiiki_agent.openadr.vtn import event_service
from heiiki_agent.openadr.vtn.context import Context
from heiiki_agent.openadr.vtn.desk import Desk
from heiiki_agent.openadr.vtn.engine import ANY_SERVICE, Request
from heiiki_agent.openadr.vtn.settings import VtnSettings
from heiiki_agent.openadr.xmpp import (
    DISCOVERY,
    PAYLOAD,
    VEN_RESOURCE,
    VTN_RESOURCE,
    bare,
    read,
    sessions,
    written,
)
from heiiki_agent.openadr.xmpp_settings import XmppSettings

log = logging.getLogger(__name__)

_AT_ONCE = 256
"""Requests that are under way: VENs that do not answer keep no place for long."""
_TAKEN_S = 10.0
"""How long a VEN may take to say that it has its events: it may be waiting for its resource."""
_LOOK_S, _FIRST_RETRY_S = 1.0, 1.0


class _Turn:
    """When a VEN is sent something again."""

    def __init__(self) -> None:
        self._versions: frozenset[event_service.Version] = frozenset()
        self._pause_s, self._due = _FIRST_RETRY_S, 0.0

    def is_due(self, versions: frozenset[event_service.Version]) -> bool:
        """Tell whether it is time, or there is something that it was not sent."""
        return time.monotonic() >= self._due or not versions <= self._versions

    def had(self, versions: frozenset[event_service.Version], every_s: float, *, failed: bool) -> None:
        """Note that it was sent these; a failure is repeated sooner at first, what was taken later."""
        pause_s = self._pause_s if failed else every_s
        self._pause_s = min(2 * self._pause_s, every_s) if failed else _FIRST_RETRY_S
        self._versions, self._due = versions, time.monotonic() + pause_s


class Push:
    """Speaks with the VENs of one VTN over XMPP."""

    def __init__(
        self,
        settings: VtnSettings,
        own: XmppSettings,
        context: Context,
        desk: Desk,
        heard: Callable[[str], None],
    ) -> None:
        """Serve the VENs of `settings` that have a JID; `heard` is told the venID of who speaks."""
        self._context, self._desk, self._heard = context, desk, heard
        self._names: Mapping[str, str] = {
            one.jid: one.certificate_name for one in settings.vens if one.jid is not None
        }
        self._jids: Mapping[str, str] = {one.ven_id: one.jid for one in settings.vens if one.jid is not None}
        self._every_s = settings.poll_every_s
        self._news = asyncio.Event()
        self._turns: dict[str, _Turn] = {}
        self._under_way: set[str] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        served = Served(tag=PAYLOAD, answer=self._answer, begun=self._begun, discovery=DISCOVERY)
        self._sessions = sessions(own, VTN_RESOURCE, settings.credentials, served)

    @property
    def problem(self) -> str | None:
        """Why it is logged in at no server; None: it is."""
        return self._sessions.problem

    def open(self) -> None:
        """Log in, or again with the credentials that are there now."""
        if self._loop is not None:
            self._sessions.renew()
            return
        self._loop = asyncio.get_running_loop()
        self._beside(self._sessions.run())
        self._beside(self._push())

    async def close(self) -> None:
        """Log out."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def news(self) -> None:
        """Note, from any thread, that there may be something new in the book."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._news.set)

    def _begun(self) -> None:
        self._turns.clear()
        self._news.set()

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Half a service would go unnoticed: the unit starts the program again.
            log.error("what pushes events failed", exc_info=error)
            signal.raise_signal(signal.SIGTERM)

    async def _push(self) -> None:
        """Send each VEN what is new at once, and what it has not answered again and again."""
        while True:
            waiting = await self._desk.call(lambda: event_service.waiting(self._context))
            for ven_id in waiting.keys() & self._jids.keys() - self._under_way:
                if self._turns.setdefault(ven_id, _Turn()).is_due(waiting[ven_id]):
                    self._under_way.add(ven_id)
                    self._beside(self._tell(ven_id, waiting[ven_id]))
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S if waiting else None):
                    await self._news.wait()
            self._news.clear()

    async def _tell(self, ven_id: str, versions: frozenset[event_service.Version]) -> None:
        problem = ""
        try:
            async with self._places:
                await self._sent(ven_id)
        except UnansweredError as error:
            problem = str(error)
        except Malformed as error:
            problem = f"its answer cannot be read: {error.description!r}"
        finally:
            self._under_way.discard(ven_id)
        if problem:
            # What it says may be as long as a stanza.
            log.info("%s: events are not taken yet: %.200s", ven_id, problem)
        self._turns[ven_id].had(versions, self._every_s, failed=bool(problem))

    async def _sent(self, ven_id: str) -> None:
        """Send all live events of a VEN; its answer to them may stand in the result."""
        message = await self._desk.call(
            lambda: event_service.poll(self._context, ven_id, m.Poll(ven_id=ven_id))
        )
        if not isinstance(message, m.DistributeEvent):
            return
        to = f"{self._jids[ven_id]}/{VEN_RESOURCE}"
        body = read(await self._sessions.ask(to, written(encode(message)), _TAKEN_S))
        self._heard(ven_id)
        answer = decode(body)
        if isinstance(answer, m.CreatedEvent):
            await self._desk.answer(Request(self._names[self._jids[ven_id]], "EiEvent", body))
        elif not isinstance(answer, m.Response) or not answer.response.code.startswith("2"):
            raise UnansweredError(f"it says {encode(answer).decode()!r}")

    async def _answer(self, sender: str, payload: Element) -> str:
        """Answer a message of a VEN: who it is, the server has taken from its certificate."""
        jid = bare(sender)
        if jid not in self._names:
            log.warning("%s is no VEN of this VTN", jid)
            raise RefusalError("auth", "forbidden")
        name = self._names[jid]
        self._heard(self._context.identity.vens[name])
        reply = await self._desk.answer(Request(name, ANY_SERVICE, read(payload)))
        if reply.status is HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RefusalError("wait", "internal-server-error")
        if len(reply.body) > LARGEST:
            # By HTTP it gets it all.
            raise RefusalError("wait", "resource-constraint")
        return written(reply.body)
