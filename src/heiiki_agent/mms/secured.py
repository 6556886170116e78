"""A TLS connection on plain asyncio streams, which says why it refuses.

asyncio's own hangs up on a certificate that it does not take before the alert of it has gone, so that the
other side never learns what is wrong.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

HANDSHAKE_S = 5.0
_LINGER_S = 1.0
_CHUNK = 16_384
_T = TypeVar("_T")


class Secured:
    """One connection, for one task, or one that reads and one that writes."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        context: ssl.SSLContext,
        server_name: str = "",
    ) -> None:
        """Be the client of the server of that name; the server, where there is none."""
        self._reader, self._writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=not server_name,
            server_hostname=server_name or None,
        )

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The peer's certificate, as Python has it."""
        return self._tls.getpeercert() or {}

    async def handshake(self) -> None:
        """Agree on everything.

        Raises:
            OSError: the peer was refused, or refused us, or was too slow; an SSLError says why.
        """
        async with asyncio.timeout(HANDSHAKE_S):
            await self._done(self._tls.do_handshake)
            await self._flush()

    async def read(self) -> bytes:
        """Return what comes next; nothing at the end.

        Raises:
            OSError: the connection failed; an SSLError brings the peer's alert.
        """
        try:
            return await self._done(lambda: self._tls.read(_CHUNK))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            OSError: the connection failed.
        """
        await self._done(lambda: self._tls.write(data))
        await self._flush()

    async def close(self) -> None:
        """Say goodbye, and wait a moment until the peer has read it: a reset would take it away."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                with suppress(ssl.SSLError):
                    self._tls.unwrap()
                await self._flush()
                self._writer.write_eof()
                while await self._reader.read(_CHUNK):
                    pass
        self._writer.close()

    async def _done(self, step: Callable[[], _T]) -> _T:
        """Return what a step of TLS gives, with all that it needs of the network."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError:
                # What was refused is told, before the connection ends.
                await self._flush()
                raise
            await self._fill()

    async def _fill(self) -> None:
        if data := await self._reader.read(_CHUNK):
            self._incoming.write(data)
        elif self._incoming.eof:
            # What wants to read beyond the end would be asked again without end.
            raise ConnectionResetError("it hung up")
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            self._writer.write(data)
            await self._writer.drain()
