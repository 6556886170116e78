"""The outermost frames of MMS: TPKT (RFC 1006) and COTP class 0 (X.224), of what a peer sends.

They are looked at before the library gets them: it puts a message together however long it becomes.
"""

from heiiki_agent.errors import AgentError

LIMIT = 65_536
"""The longest message: what both ends offer as largest PDU, with the layers around it."""
REFUSED = 136
"""Reason of a DR: connection request refused on this network connection (X.224 13.5)."""
_VERSION, _HEADER = 3, 4
_CONNECT, _DISCONNECT, _DATA, _LAST = 0xE0, 0x80, 0xF0, 0x80
_KIND, _END = 5, 6
"""Where a TPKT has the kind of its TPDU, and a DT whether it ends a message."""


class FrameError(AgentError):
    """A peer's bytes are no MMS, or more than are taken."""


class Frames:
    """Follows the frames of one connection."""

    def __init__(self) -> None:
        """Begin at the first frame."""
        self._waiting = bytearray()
        self._message = 0

    @property
    def under_way(self) -> bool:
        """A message has begun and not ended."""
        return bool(self._waiting or self._message)

    def take(self, data: bytes) -> bytes:
        """Return the frames that are whole with `data`.

        Raises:
            FrameError: they are none, or of a message that is too long.
        """
        self._waiting += data
        done = 0
        while (size := self._size(done)) and done + size <= len(self._waiting):
            self._count(bytes(self._waiting[done : done + size]))
            done += size
        whole = bytes(self._waiting[:done])
        del self._waiting[:done]
        return whole

    def _size(self, at: int) -> int:
        """Return the size of the frame that begins there; 0: its header is not whole."""
        header = self._waiting[at : at + _HEADER]
        if header and header[0] != _VERSION:
            raise FrameError(f"no TPKT: it begins with {header[:1].hex()}")
        if len(header) < _HEADER:
            return 0
        size = int.from_bytes(header[2:])
        if size <= _KIND:
            raise FrameError(f"a TPKT of {size} bytes has no room for a TPDU")
        return size

    def _count(self, frame: bytes) -> None:
        if frame[_KIND] & 0xF0 != _DATA:
            return
        if len(frame) <= _END:
            raise FrameError("a DT TPDU without its number")
        self._message += len(frame)
        if self._message > LIMIT:
            raise FrameError(f"a message above {LIMIT} bytes")
        if frame[_END] & _LAST:
            self._message = 0


def refusal(frame: bytes) -> bytes:
    """Return the disconnect request that answers a connection request (X.224 13.5).

    Raises:
        FrameError: `frame` is none.
    """
    reference = frame[8:10]
    if len(reference) < 2 or frame[_KIND] & 0xF0 != _CONNECT:  # noqa: PLR2004 - two bytes
        raise FrameError("the first frame is no connection request")
    disconnect = bytes((6, _DISCONNECT)) + reference + bytes((0, 0, REFUSED))
    return bytes((_VERSION, 0)) + (_HEADER + len(disconnect)).to_bytes(2) + disconnect


def refused(frame: bytes) -> bool:
    """Tell whether a COTP answer is such a disconnect request; `frame` is without its TPKT header."""
    return len(frame) > _END and frame[1] & 0xF0 == _DISCONNECT and frame[_END] == REFUSED
