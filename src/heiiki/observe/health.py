"""Waiting until both paths of every site are as planned: the gate before and after every disturbance."""

import time

from heiiki.errors import HeiikiError
from heiiki.observe.fleet import Fleet
from heiiki.observe.state import expectations, path_ends, problems, question
from heiiki.plan.model import Plan

POLL_S = 0.35


class UnhealthyError(HeiikiError):
    """A path did not become healthy in time; the message says what was missing."""


class Health:
    """Asks the gateways and the hub's routers, whose sessions run over the whole of each path."""

    def __init__(self, plan: Plan, fleet: Fleet) -> None:
        """Ask the devices of `plan` through `fleet`."""
        self._fleet = fleet
        self._ends = path_ends(plan)
        expected = expectations(plan)
        self._expected = {name: expected[name] for name in self._ends}

    def wait(self, limit: float) -> float:
        """Wait until all are as planned; only those not yet so are asked again.

        Args:
            limit: seconds after which the wait is given up.

        Returns:
            How long it took, seconds.

        Raises:
            UnhealthyError: it took longer.
        """
        began, left = time.monotonic(), list(self._ends)
        while True:
            answers = self._fleet.ask("read", {name: question(self._expected[name]) for name in left})
            found = {name: problems(self._expected[name], answer) for name, answer in answers.items()}
            left = [name for name, those in found.items() if those]
            if not left:
                return time.monotonic() - began
            if time.monotonic() - began >= limit:
                wrong = [problem for those in found.values() for problem in those]
                raise UnhealthyError(f"paths unhealthy for {limit:g} s: {'; '.join(wrong[:3])}")
            time.sleep(POLL_S)
