"""The hosts of a VTN, one of which answers at a time."""

import logging
from collections import deque
from collections.abc import Iterable

from heiiki_agent.openadr.ven.model import NotTaken, Transport, Unreachable

log = logging.getLogger(__name__)


class Hosts:
    """Asks the host that answered last, and the others where it does not. A message may arrive at several."""

    def __init__(self, hosts: Iterable[Transport]) -> None:
        """Begin with the first one."""
        self._hosts = deque(hosts)

    def exchange(self, service: str, body: bytes) -> bytes:
        """Send a message and return what answers it.

        Raises:
            Unreachable: no host answers.
        """
        problems = []
        for _ in range(len(self._hosts)):
            try:
                return self._hosts[0].exchange(service, body)
            except NotTaken:
                raise
            except Unreachable as error:
                log.debug("goes to another host: %s", error)
                problems.append(str(error))
                self._hosts.rotate(-1)
        raise Unreachable("; ".join(problems))
