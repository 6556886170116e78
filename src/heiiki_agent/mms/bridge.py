"""Gives the library a socket, and keeps TLS, sizes and times out of its sight.

The library reads in one thread and writes in another, which no TLS connection of Python bears. So one thread
has all TLS connections, and each has a pair of sockets: what is whole and not too long goes on.
"""

import asyncio
import socket
import time

from heiiki_agent.mms.frames import FrameError, Frames
from heiiki_agent.mms.secured import Secured

MESSAGE_S = 5.0
"""How long a message may take to arrive, once it has begun."""
IDLE_S = 120.0
"""For how long a peer may be silent."""
_ALERT_S = 1.0
_CHUNK = 16_384


class Bridge:
    """One TLS connection, and the library's end of it."""

    def __init__(self, line: Secured) -> None:
        """Carry what comes and goes by `line`."""
        self._line = line
        self._ours, self.library = socket.socketpair()

    async def carry(self) -> None:
        """Carry until one side ends.

        Raises:
            FrameError: the peer sent what is not taken, or not in time.
            OSError: the connection failed; an alert of TLS is one of these.
        """
        reader, writer = await asyncio.open_connection(sock=self._ours)
        inwards = asyncio.create_task(self._inwards(writer))
        outwards = asyncio.create_task(self._outwards(reader))
        try:
            await asyncio.wait((inwards, outwards), return_when=asyncio.FIRST_COMPLETED)
            if outwards.done() and outwards.exception():
                # Why nothing can be sent any more may be told by what came.
                await asyncio.wait((inwards,), timeout=_ALERT_S)
            for one in (inwards, outwards):
                if one.done():
                    one.result()
        finally:
            for one in (inwards, outwards):
                one.cancel()
            await asyncio.gather(inwards, outwards, return_exceptions=True)
            writer.close()
            await self._line.close()

    async def _inwards(self, local: asyncio.StreamWriter) -> None:
        frames, began = Frames(), 0.0
        while data := await self._read(frames, began):
            if not frames.under_way:
                began = time.monotonic()
            if whole := frames.take(data):
                local.write(whole)
                await local.drain()

    async def _read(self, frames: Frames, began: float) -> bytes:
        """Return what comes next: of a message that has begun in time, however many pieces it has."""
        left = began + MESSAGE_S - time.monotonic() if frames.under_way else IDLE_S
        try:
            async with asyncio.timeout(left):
                return await self._line.read()
        except TimeoutError:
            what = f"a message did not arrive within {MESSAGE_S:g} s"
            raise FrameError(what if frames.under_way else f"nothing came for {IDLE_S:g} s") from None

    async def _outwards(self, local: asyncio.StreamReader) -> None:
        while data := await local.read(_CHUNK):
            try:
                async with asyncio.timeout(MESSAGE_S):
                    await self._line.write(data)
            except TimeoutError:
                raise FrameError(f"an answer was not taken within {MESSAGE_S:g} s") from None
