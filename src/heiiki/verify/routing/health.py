"""Waiting until both paths of every site are as planned: the gate before and after every disturbance."""

import time
from typing import Any

from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan
from heiiki.verify.fleet import Answer, Fleet, UnreadableError, reading
from heiiki.verify.routing.expected import (
    ENB_STATE,
    expectations,
    path_ends,
    problems,
    question,
    radio_problems,
)

POLL_S = 0.35


class UnhealthyError(HeiikiError):
    """A path did not become healthy in time; the message says what was missing."""


class Health:
    """Asks the gateways and the hub's routers, whose sessions run over the whole of each path."""

    def __init__(self, plan: Plan, fleet: Fleet, *, radio: bool = False) -> None:
        """Ask the devices of `plan`; with `radio` the eNB too, which only a lab can."""
        self._plan = plan
        self._fleet = fleet
        self._ends = (*path_ends(plan), *((plan.mobile.enb,) if radio else ()))
        expected = expectations(plan)
        self._expected = {name: expected[name] for name in path_ends(plan)}

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
            answers = self._fleet.ask("read", {name: self._question(name) for name in left})
            found = {name: self._problems(answer) for name, answer in answers.items()}
            left = [name for name, those in found.items() if those]
            if not left:
                return time.monotonic() - began
            if time.monotonic() - began >= limit:
                wrong = [problem for those in found.values() for problem in those]
                raise UnhealthyError(f"paths unhealthy for {limit:g} s: {'; '.join(wrong[:3])}")
            time.sleep(POLL_S)

    def _question(self, device: str) -> dict[str, Any]:
        return question(self._expected[device]) if device in self._expected else {"files": [ENB_STATE]}

    def _problems(self, answer: Answer) -> list[str]:
        expected = self._expected.get(answer.device)
        try:
            with reading(answer.device):
                return problems(expected, answer) if expected else radio_problems(self._plan, answer)
        except UnreadableError as error:
            return [str(error)]
