"""Who gets in: one client, by a good certificate with its name, and for as long as that is good."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from open61850.mms.transport import TransportError
from open61850.server import ServerConnection
from open61850.server.protocol import accept_cotp

from heiiki_agent.errors import AgentError
from heiiki_agent.mms.bridge import MESSAGE_S, Bridge
from heiiki_agent.mms.frames import FrameError, Frames, refusal
from heiiki_agent.mms.secured import Secured
from heiiki_agent.mms.server.station import Station
from heiiki_agent.tls import Credentials, server_context

log = logging.getLogger(__name__)

MOST = 8
"""Sessions at a time: one client has one, and a new one before its last has gone."""
_UNACKNOWLEDGED_MS = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens, and the DNS name in the certificate of the one that it lets in."""

    address: str
    port: int
    client: str


class Listener:
    """The listening socket, and every session."""

    def __init__(self, place: Place, credentials: Credentials, station: Station) -> None:
        """Let those in who may use `station`."""
        self._place, self._credentials, self._station = place, credentials, station
        self._listening: asyncio.Server | None = None
        self._tls: ssl.SSLContext | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(MOST, thread_name_prefix="session")
        self.problem = "it does not listen yet"

    @property
    def sessions(self) -> int:
        """How many there are."""
        return len(self._sessions)

    async def open(self) -> None:
        """Listen, with the certificate and the revocation lists that are there now.

        Every session ends: what a peer's certificate was worth when it began is not what it is worth now.
        Files that cannot be used are noted as a problem; one that listens goes on with those of before.
        """
        try:
            self._tls = server_context(self._credentials)
        except AgentError as error:
            self.problem = str(error)
            log.error("%s", error)  # noqa: TRY400 - the text says it all
            return
        # A session that is resumed would show no certificate again; libiec61850 takes no ticket by TLS 1.3.
        self._tls.num_tickets = 0
        self._tls.options |= ssl.OP_NO_TICKET
        await self._hang_up()
        if self._listening is None:
            place = self._place
            self._listening = await asyncio.start_server(self._came, place.address, place.port, backlog=MOST)
        self.problem = ""

    async def close(self) -> None:
        """Listen no more, and hang up on everybody."""
        if self._listening is not None:
            self._listening.close()
        await self._hang_up()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _hang_up(self) -> None:
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None  # noqa: S101 - a task calls this
        assert self._tls is not None  # noqa: S101 - it listens since it has one
        self._sessions.add(session)
        tcp = writer.get_extra_info("socket")
        # A client whose path is gone holds what it has reserved until then.
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        line = Secured(reader, writer, self._tls)
        try:
            await line.handshake()
            await self._served(line)
        except TimeoutError:
            log.warning("ended: it was too slow, or its certificate has expired")
        except (FrameError, OSError) as error:
            log.warning("ended: %s", error)
        finally:
            self._sessions.discard(session)
            await line.close()

    async def _served(self, line: Secured) -> None:
        certificate = line.certificate
        names = dns_names(certificate)
        if self._place.client not in names:
            log.warning("refused: a certificate for %s", ", ".join(names) or "no DNS name")
            await _refuse(line)
        elif self.sessions > MOST:
            log.warning("refused: there are %s sessions already", MOST)
        else:
            async with asyncio.timeout(seconds_left(certificate)):
                await self._session(Bridge(line))

    async def _session(self, bridge: Bridge) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._station.refresh)
        thread = loop.run_in_executor(self._threads, self._work, bridge)
        try:
            await bridge.carry()
        finally:
            await asyncio.wait([thread], timeout=MESSAGE_S)

    def _work(self, bridge: Bridge) -> None:
        """Answer one client, in a thread of its own."""
        try:
            ServerConnection(self._station.mms, accept_cotp(bridge.library), ()).serve()
        except (TransportError, OSError) as error:
            log.warning("ended: %s", error)
        except Exception as error:  # noqa: BLE001 - bytes on which the library fails end their session, no other
            log.warning("ended: a message that cannot be read: %s", type(error).__name__)
        finally:
            bridge.library.close()


def dns_names(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the DNS names of a peer's certificate, as Python has it."""
    return tuple(str(value) for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")


def seconds_left(certificate: Mapping[str, Any]) -> float:
    """Return for how long a peer's certificate is still good."""
    return max(0.0, ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time())


async def _refuse(line: Secured) -> None:
    """Answer a connection request by saying that it is refused."""
    frames = Frames()
    async with asyncio.timeout(MESSAGE_S):
        while data := await line.read():
            if frame := frames.take(data):
                await line.write(refusal(frame))
                break
