"""Two ways to a VTN: what the first one does not carry, the second one does."""

import logging

from heiiki_agent.openadr.ven.model import NotTaken, Transport, Unreachable

log = logging.getLogger(__name__)


class Ways:
    """Uses the second way while the first one brings no answer. A message may arrive by both."""

    def __init__(self, first: Transport, second: Transport) -> None:
        """Prefer `first`."""
        self._first, self._second = first, second

    def exchange(self, service: str, body: bytes) -> bytes:
        """Send a message and return what answers it.

        Raises:
            Unreachable: neither way brings an answer.
        """
        try:
            return self._first.exchange(service, body)
        except NotTaken:
            raise
        except Unreachable as error:
            log.debug("goes by the second way: %s", error)
            first = error
        try:
            return self._second.exchange(service, body)
        except NotTaken:
            raise
        except Unreachable as error:
            raise Unreachable(f"{error}; before: {first}") from error
