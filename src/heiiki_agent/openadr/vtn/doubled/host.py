"""A host of a VTN on the network: its receiver, its way to the other host, and what it does by itself."""

import asyncio
import logging
import sqlite3
from contextlib import suppress

from heiiki_agent.openadr.vtn.doubled.book import Book
from heiiki_agent.openadr.vtn.doubled.exchange import NotServingError
from heiiki_agent.openadr.vtn.doubled.link import CONNECT_S, HttpsLink
from heiiki_agent.openadr.vtn.doubled.node import Node
from heiiki_agent.openadr.vtn.doubled.receiver import Receiver
from heiiki_agent.openadr.vtn.doubled.settings import DoubledSettings
from heiiki_agent.openadr.vtn.doubled.thread import Thread
from heiiki_agent.tls import AsyncioContext, Credentials

log = logging.getLogger(__name__)

_EVERY_S = 1.0
"""How often the writer hears that the standby is there."""


class Host:
    """One of the two."""

    def __init__(self, settings: DoubledSettings, credentials: Credentials, book: Book) -> None:
        """Keep `book` with the other host."""
        self._settings = settings
        self._link = HttpsLink(settings.peer, credentials)
        self.node = Node(book, settings.name, settings.peer.name, self._link)
        self._receiver: Receiver | None = None
        self._thread: Thread | None = None
        self._tending: asyncio.Task[None] | None = None

    async def open(self, tls: AsyncioContext, address: str, thread: Thread) -> None:
        """Listen with these certificates and revocation lists; both connections begin again with them.

        When it returns, the other host has been asked, if it answers, who of the two is the writer.

        Raises:
            AgentError: the address cannot be listened on.
        """
        if self._receiver is None:
            self._receiver = Receiver(self._settings, address, self.node, thread)
        await self._receiver.open(tls)
        self._thread = thread
        await thread.apart(self._link.close)
        if self._tending is None:
            await self._tend_once(thread)
            self._tending = asyncio.create_task(self._tend(thread))

    async def take_over(self) -> None:
        """Begin an epoch in which this host writes.

        Raises:
            NotServingError: it must not.
        """
        if self._thread is None:
            raise NotServingError(f"{self._settings.name} does not listen yet")
        await self._thread.apart(self.node.take_over)

    async def close(self) -> None:
        """Hang up and listen no more."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait([self._tending])
        if self._receiver is not None:
            await self._receiver.close()
        self._link.close()

    async def _tend(self, thread: Thread) -> None:
        while True:
            await asyncio.sleep(0 if self.node.is_sending else _EVERY_S)
            # A writer that writes alone answers on that thread, which is not to wait for a host that is gone.
            if self.node.writes and (not self.node.is_apart or await self._is_reachable()):
                await self._tend_once(thread)

    async def _is_reachable(self) -> bool:
        peer = self._settings.peer
        try:
            async with asyncio.timeout(CONNECT_S):
                _, line = await asyncio.open_connection(str(peer.address), peer.port)
        except OSError:
            return False
        line.close()
        with suppress(OSError):
            await line.wait_closed()
        return True

    async def _tend_once(self, thread: Thread) -> None:
        try:
            await thread.apart(self.node.tend)
        except sqlite3.Error:
            log.exception("the book cannot be read or written")
