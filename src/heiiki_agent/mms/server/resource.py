"""The site's resource, as an MMS server needs it."""

from pathlib import Path

from heiiki_agent.mms.orders import Order, described, kind
from heiiki_agent.mms.references import REFUSED
from heiiki_agent.mms.server.ledger import Refused
from heiiki_agent.resource_socket import ResourceAwayError, asked, measured


class Resource:
    """Asks the process behind a local socket, as the VEN does.

    `{"set": ORDER, "key": KEY}` and `{"schedule": ORDER, "key": KEY}` are answered by `{"done": KEY}` or, for
    what it never does, `{"refused": WHY}`: what comes twice under one key is done once.
    """

    def __init__(self, path: Path) -> None:
        """Ask at `path`."""
        self._path = path

    def tell(self, order: Order) -> Refused | None:
        """Hand an order over.

        Raises:
            ResourceAwayError: it is not known whether it was taken.
        """
        answer = asked(self._path, {kind(order): described(order), "key": order.order_id})
        if isinstance(why := answer.get("refused"), str):
            return Refused(REFUSED, why)
        if answer.get("done") != order.order_id:
            raise ResourceAwayError(f"{self._path}: did not take {order.order_id!r}")
        return None

    def measure(self, what: str) -> float:
        """Return a value, in the resource's own unit.

        Raises:
            ResourceAwayError: there is none.
        """
        return measured(self._path, what)
