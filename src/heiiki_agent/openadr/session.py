"""A session at an XMPP server that lasts: it begins again when it has ended, with the credentials of then."""

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher.base import MatcherBase

from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.xmpp_stream import Stream
from heiiki_agent.tls import Credentials, client_context
from heiiki_agent.xmpp.client import CLIENT, STANZAS, TIMED_OUT, Place, error_of

log = logging.getLogger(__name__)

LARGEST = 60_000
"""Octets of a payload: the server takes 65,536 of a stanza, and ends the session of who sends more."""
_LOGIN_S = 15.0
_FIRST_RETRY_S, _LAST_RETRY_S = 0.5, 10.0
_LEAVE_S = 1.0


class UnansweredError(Exception):
    """A request that has no answer; the message is the error's condition (RFC 6120 8.3.3), or says why."""


class RefusalError(Exception):
    """What a handler raises to have a request answered by an error.

    Attributes:
        kind: type of the error: ``cancel``, ``auth``, ``modify`` or ``wait``.
        condition: its condition.
    """

    def __init__(self, kind: str, condition: str) -> None:
        """Refuse."""
        super().__init__(condition)
        self.kind, self.condition = kind, condition


@dataclass(frozen=True, kw_only=True)
class Login:
    """As whom a session is, and where.

    Attributes:
        jid: bare, as the certificate has it.
        resource: what is bound, so that others know the full JID without asking.
    """

    place: Place
    jid: str
    resource: str
    credentials: Credentials


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """What the end says it has (XEP-0030).

    Attributes:
        feature: in its disco#info.
        node: under which disco#items lists `items`, each a node of this end.
    """

    feature: str
    node: str
    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Served:
    """What is done for others.

    Attributes:
        tag: of the one child that a request has.
        answer: takes the sender's full JID and that child, and returns what stands in the result.
        begun: called each time that a session has begun.
    """

    tag: str
    answer: Callable[[str, Element], Awaitable[str]]
    begun: Callable[[], None]
    discovery: Discovery | None = None


class Session:
    """One server, and the session there."""

    def __init__(self, login: Login, served: Served) -> None:
        """Be ready to log in; `run` does it."""
        self._login, self._served = login, served
        self.problem: str | None = "has not logged in yet"
        self._stream: Stream | None = None
        self._pending: dict[str, tuple[str, asyncio.Future[Element]]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._begun: asyncio.Future[None]
        self._ended: asyncio.Future[str]
        self._at_once = False

    @property
    def is_up(self) -> bool:
        """It is logged in."""
        return self.problem is None

    def renew(self) -> None:
        """Begin again, with the certificate and the lists that are there now."""
        if self._stream is not None:
            self._at_once = True
            self._end("there are new credentials")

    async def run(self) -> None:
        """Log in, and again whenever it ends, until this is cancelled."""
        stream = self._stream = self._made()
        retry = _FIRST_RETRY_S
        try:
            while True:
                begun = await self._once(stream)
                retry = _FIRST_RETRY_S if begun else min(2 * retry, _LAST_RETRY_S)
                if not self._at_once:
                    # Spread, so that a thousand that lost their server at once do not come back at once.
                    await asyncio.sleep(retry * random.uniform(0.5, 1))  # noqa: S311  # spreads, hides nothing
                self._at_once = False
        finally:
            self._forget("has ended")
            stream.abort()

    async def ask(self, to: str, payload: str, wait_s: float) -> Element:
        """Send a request to a full JID and return what stands in its result.

        Raises:
            UnansweredError: there is none; whether the request arrived is not known.
        """
        if not self.is_up:
            raise UnansweredError(self.problem)
        if len(payload.encode()) > LARGEST:
            raise UnansweredError(f"is above the {LARGEST} octets that a stanza may hold")
        number, answer = secrets.token_hex(8), asyncio.get_running_loop().create_future()
        self._pending[number] = (to, answer)
        try:
            self._send("set", number, to, payload)
            async with asyncio.timeout(wait_s):
                found: Element = await answer
        except TimeoutError:
            raise UnansweredError(TIMED_OUT) from None
        finally:
            del self._pending[number]
        if found.get("type") == "error":
            raise UnansweredError(error_of(found) or "an error without a condition")
        if len(found) != 1:
            raise UnansweredError("an answer without a payload")
        return found[0]

    def _send(self, kind: str, number: str, to: str, content: str) -> None:
        """Send an iq as text: slixmpp loses attributes of a namespace of their own."""
        assert self._stream is not None  # noqa: S101 - there is a session
        head = f"<iq xmlns='{CLIENT}' type='{kind}' id={quoteattr(number)} to={quoteattr(to)}>"
        self._stream.send(f"{head}{content}</iq>")

    def _made(self) -> Stream:
        stream = Stream(f"{self._login.jid}/{self._login.resource}")
        for event, why in _ENDS.items():
            stream.add_event_handler(event, lambda data, why=why: self._end(why(data)))
        stream.add_event_handler("session_start", self._start)
        stream.register_handler(Callback("answers", _Matching(self._is_answer), self._take))
        stream.register_handler(Callback("requests", _Matching(self._is_request), self._requested))
        stream.register_plugin("xep_0030")
        return stream

    async def _once(self, stream: Stream) -> bool:
        """Log in and wait until the session has ended; return whether there was one."""
        loop, place = asyncio.get_running_loop(), self._login.place
        self._begun, self._ended = loop.create_future(), loop.create_future()
        try:
            stream.tls = client_context(self._login.credentials)
        except AgentError as error:
            self._fail(str(error))
            return False
        stream.connect(place.address, place.port)
        either: set[asyncio.Future[Any]] = {self._begun, self._ended}
        await asyncio.wait(either, timeout=_LOGIN_S, return_when=asyncio.FIRST_COMPLETED)
        begun = self._begun.done() and not self._ended.done()
        if begun:
            self.problem = None
            log.info("%s: logged in as %s", place.domain, self._login.jid)
            self._served.begun()
            await self._ended
        reason = self._ended.result() if self._ended.done() else f"no log-in within {_LOGIN_S:g} s"
        self._fail(f"{place.domain} at {place.address}:{place.port}: {reason}")
        stream.cancel_connection_attempt()
        if self._at_once:
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * _LEAVE_S):
                    await stream.disconnect(_LEAVE_S)
        stream.abort()
        return begun

    async def _start(self, _event: Any) -> None:
        stream, found = self._stream, self._served.discovery
        assert stream is not None  # noqa: S101 - it has started
        if not stream.is_secure:
            self._end("it logs in without TLS")
            return
        if found is not None:
            discovery = stream.plugin["xep_0030"]
            await discovery.add_feature(found.feature)
            for item in found.items:
                await discovery.add_item(stream.boundjid.full, name=item, node=found.node, subnode=item)
        if not self._begun.done():
            self._begun.set_result(None)

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _fail(self, problem: str) -> None:
        if problem != self.problem and not self._at_once:
            log.warning("%s", problem)
        self._forget(problem)

    def _forget(self, problem: str) -> None:
        """Be away, and let no one wait for an answer."""
        self.problem = problem
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_exception(UnansweredError(problem))

    def _is_answer(self, stanza: Element) -> bool:
        asked = self._pending.get(stanza.get("id", ""))
        return (
            stanza.get("type") in {"result", "error"} and asked is not None and asked[0] == stanza.get("from")
        )

    def _take(self, stanza: Any) -> None:
        answer = self._pending[stanza.xml.get("id")][1]
        if not answer.done():
            answer.set_result(stanza.xml)

    def _is_request(self, stanza: Element) -> bool:
        return stanza.get("type") == "set" and [one.tag for one in stanza] == [self._served.tag]

    def _requested(self, stanza: Any) -> None:
        task = asyncio.create_task(self._answer(stanza.xml))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, request: Element) -> None:
        number, sender = request.get("id", ""), request.get("from", "")
        try:
            content, kind = await self._served.answer(sender, request[0]), "result"
        except RefusalError as error:
            content, kind = _error(error.kind, error.condition), "error"
        except Exception:
            # One request that cannot be dealt with takes no other with it; who asked will try again.
            log.exception("%s: a request failed", sender)
            content, kind = _error("wait", "internal-server-error"), "error"
        if self.is_up:
            self._send(kind, number, sender, content)


class _Matching(MatcherBase):
    """Matches an iq by what it is."""

    def match(self, stanza: Any) -> bool:
        """Tell whether the criterion, a function, holds for the element."""
        return stanza.xml.tag == f"{{{CLIENT}}}iq" and bool(self._criteria(stanza.xml))


def _hung_up(reason: Any) -> str:
    return f"hung up: {reason}" if reason else "hung up"


_ENDS: dict[str, Callable[[Any], str]] = {
    "connection_failed": lambda error: str(error) or type(error).__name__,
    "ssl_invalid_chain": lambda error: f"its certificate is refused: {error}",
    "failed_all_auth": lambda _: "does not take the certificate",
    "stream_error": lambda stanza: f"ends the session: {stanza['condition']}",
    "stream_refused": str,
    "disconnected": _hung_up,
}
"""Events of slixmpp after which there is no session, and what they say."""


def _error(kind: str, condition: str) -> str:
    return f"<error type='{kind}'><{condition} xmlns='{STANZAS}'/></error>"


class Sessions:
    """The sessions at every server of a service: what one does not carry, the next one does."""

    def __init__(self, *sessions: Session) -> None:
        """Work by `sessions`, the first one that is up first."""
        self._sessions = sessions

    @property
    def problem(self) -> str | None:
        """Why there is no session at any server; None: there is one."""
        problems = [one.problem for one in self._sessions]
        return None if None in problems else "; ".join(map(str, problems))

    async def run(self) -> None:
        """Keep all of them until this is cancelled."""
        await asyncio.gather(*(one.run() for one in self._sessions))

    def renew(self) -> None:
        """Have each begin again with new credentials."""
        for one in self._sessions:
            one.renew()

    async def ask(self, to: str, payload: str, wait_s: float) -> Element:
        """Ask as `Session.ask`, by one server after the other.

        Raises:
            UnansweredError: none brought an answer; the last one's reason.
        """
        failed = UnansweredError(self.problem)
        for session in self._sessions:
            if session.is_up:
                try:
                    return await session.ask(to, payload, wait_s)
                except UnansweredError as error:
                    failed = error
        raise failed
