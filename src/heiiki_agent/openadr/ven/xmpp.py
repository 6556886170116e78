"""The way to a VTN over XMPP, and what the VTN sends by it (OpenADR 2.0b, xmpp).

The sessions have a thread of their own. What comes is brought to the one that works on the state.
"""

import asyncio
import logging
import os
import signal
import threading
from xml.etree.ElementTree import Element

from heiiki_agent.openadr.session import RefusalError, Served, Sessions, UnansweredError
from heiiki_agent.openadr.ven.inbox import Inbox
from heiiki_agent.openadr.ven.model import NotTaken, Unreachable
from heiiki_agent.openadr.xmpp import (
    ANSWER_S,
    PAYLOAD,
    VEN_RESOURCE,
    VTN_RESOURCE,
    bare,
    read,
    sessions,
    written,
)
from heiiki_agent.openadr.xmpp_settings import VenXmppSettings
from heiiki_agent.tls import Credentials

log = logging.getLogger(__name__)

_FAILED_THERE = "internal-server-error"


class XmppTransport:
    """Keeps the sessions of a VEN in a thread. Each begins with the certificate and lists of then."""

    def __init__(self, settings: VenXmppSettings, credentials: Credentials, inbox: Inbox) -> None:
        """Speak with the VTN of `settings`, and bring what it sends to `inbox`."""
        self._settings, self._credentials, self._inbox = settings, credentials, inbox
        self._wait_s = ANSWER_S * len(settings.servers) + 1
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._sessions: Sessions

    @property
    def problem(self) -> str | None:
        """Why it is logged in at no server; None: it is."""
        return self._sessions.problem

    def start(self) -> None:
        """Log in."""
        threading.Thread(target=self._run, name="xmpp", daemon=True).start()
        self._ready.wait()

    def exchange(self, service: str, body: bytes) -> bytes:
        """Send a message and return what answers it; which service it is for, its kind says.

        Raises:
            Unreachable: there is no answer; the message may have arrived.
        """
        to = f"{self._settings.vtn}/{VTN_RESOURCE}"
        asked = asyncio.run_coroutine_threadsafe(self._sessions.ask(to, written(body), ANSWER_S), self._loop)
        try:
            return read(asked.result(self._wait_s))
        except UnansweredError as error:
            kind = NotTaken if str(error) == _FAILED_THERE else Unreachable
            raise kind(f"{to}: {service}: {error}") from error
        except TimeoutError as error:
            asked.cancel()
            raise Unreachable(f"{to}: {service}: no answer") from error

    def _run(self) -> None:
        try:
            asyncio.run(self._keep())
        except Exception:
            # Half a way would go unnoticed: the unit starts the program again.
            log.exception("the sessions ended")
            os.kill(os.getpid(), signal.SIGTERM)

    async def _keep(self) -> None:
        self._loop = asyncio.get_running_loop()
        # Woken, the VEN polls: what was pushed while it was away is there at once.
        served = Served(tag=PAYLOAD, answer=self._pushed, begun=self._inbox.wake)
        self._sessions = sessions(self._settings, VEN_RESOURCE, self._credentials, served)
        self._ready.set()
        await self._sessions.run()

    async def _pushed(self, sender: str, payload: Element) -> str:
        if bare(sender) != self._settings.vtn:
            log.warning("%s is not the VTN", sender)
            raise RefusalError("auth", "forbidden")
        try:
            return written(await asyncio.wrap_future(self._inbox.put(read(payload))))
        except Unreachable as error:
            # The resource cannot be asked now; the VTN will send again.
            raise RefusalError("wait", "resource-constraint") from error
