"""What arrives on an XMPP stream (RFC 6120 4): one element after the other, and nothing that XMPP forbids."""

from collections.abc import Iterator
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

LIMIT = 262_144
"""Octets of one element, and of a header, at most."""
_HEADER, _STANZA = 1, 2


class MalformedError(Exception):
    """What came is no stream of XMPP; the message says how."""


class Reader:
    """Reads one stream; after TLS or a log-in there is a new stream, and a new reader (RFC 6120 4.3.3)."""

    def __init__(self) -> None:
        """Read from the beginning of a stream."""
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data
        # RFC 6120 11.1: no comments, no processing instructions, no declarations, so no entities.
        for name in ("StartDoctypeDeclHandler", "CommentHandler", "ProcessingInstructionHandler"):
            setattr(self._parser, name, _forbidden)
        self._depth = self._octets = 0
        self._builder = TreeBuilder()
        self._found: list[Element] = []
        self.closed = False

    def feed(self, data: bytes) -> Iterator[Element]:
        """Yield the elements that `data` completes: features, stanzas, errors.

        Raises:
            MalformedError: it is not well formed, too large, or holds what a stream may not.
        """
        self._octets += len(data)
        try:
            self._parser.Parse(data, False)  # noqa: FBT003 - its only name is by position
        except expat.ExpatError as error:
            raise MalformedError(f"is not well formed: {error}") from error
        if self._found:
            self._octets = 0
        if self._octets > LIMIT:
            raise MalformedError(f"sent more than {LIMIT} octets of one element")
        found, self._found = self._found, []
        yield from found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == _STANZA:
            self._builder = TreeBuilder()
        if self._depth >= _STANZA:
            self._builder.start(_clark(name), {_clark(key): text for key, text in attributes.items()})

    def _end(self, name: str) -> None:
        if self._depth >= _STANZA:
            self._builder.end(_clark(name))
        if self._depth == _STANZA:
            self._found.append(self._builder.close())
        if self._depth == _HEADER:
            self.closed = True
        self._depth -= 1

    def _data(self, text: str) -> None:
        if self._depth >= _STANZA:
            self._builder.data(text)


def _clark(name: str) -> str:
    """Return a name as ElementTree writes it: ``{namespace}name``."""
    return f"{{{name}" if "}" in name else name


def _forbidden(*_: object) -> NoReturn:
    raise MalformedError("holds a declaration, a comment or a processing instruction")
