"""The test of a router from elsewhere: the devices at the other ends of its sessions say whether these stand.

Asked are Linux devices of the service; the Linux end of a line is asked itself of its sessions with routers.
A session that stood before a change has to stand after it; one that did not, or whose other end could not be
asked, decides nothing and is told as such.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from heiiki.fleet.model import Result, Target
from heiiki.plan.model import Plan
from heiiki.verify.fleet import Answer, Fleet, UnreadableError
from heiiki.verify.routing.expected import Expected, expectations, problems, question

_PAUSE_S = 2.0


class Peers:
    """Asks the peers of routers."""

    def __init__(self, plan: Plan, fleet: Fleet | None, wait_s: float, why_not: str = "") -> None:
        """Know the peers of every router of a vendor, and of every Linux end of their lines.

        Args:
            plan: the service.
            fleet: asks devices; None where none can be asked.
            wait_s: how long a session may take to come back.
            why_not: why none can be asked.
        """
        self._fleet, self._wait_s, self._why_not = fleet, wait_s, why_not
        self._noticed_s = max(
            (one.interval_ms * one.multiplier / 1000 for one in plan.timers.bfd), default=0.0
        )
        routers = {device.name for device in plan.by_hand()}
        linux = {end for _, end in linux_lines(plan)}
        self._ends: dict[str, list[Expected]] = {name: [] for name in (*routers, *linux)}
        for name, end in _ends(plan, self._ends.keys()):
            self._ends[name].append(end)
        for name, end in _own(plan, linux, routers):
            self._ends[name].append(end)
        self._stood: dict[str, tuple[Expected, ...]] = {}
        self._open: dict[str, str] = {}

    def before(self, names: Iterable[str]) -> None:
        """Learn which sessions of these routers stand."""
        wanted = tuple(names)
        answers = self._ask(end for name in wanted for end in self._ends.get(name, ()))
        for name in wanted:
            said = {end: _wrong(end, answers.get(end.device)) for end in self._ends.get(name, ())}
            self._stood[name] = tuple(end for end, wrong in said.items() if not wrong)
            if left := [text for texts in said.values() for text in texts]:
                self._open[name] = "; ".join(dict.fromkeys(left))

    async def test(self, target: Target) -> str:
        """Say which sessions of a router do not stand any more."""
        if not self._stood.get(target.name):
            return ""
        await asyncio.sleep(self._noticed_s)  # sooner its peers have not noticed that it is gone
        return await asyncio.to_thread(self._down, (target.name,))

    def wave(self, results: Iterable[Result]) -> str:
        """Say which sessions of the routers of a wave do not stand any more."""
        return self._down(tuple(result.device for result in results))

    def noted(self, result: Result) -> Result:
        """Return a result with what of its test is open."""
        if (why := self._open.get(result.device)) is None:
            return result
        return replace(result, notices=(*result.notices, f"not tested from elsewhere: {why}"))

    def _down(self, names: tuple[str, ...]) -> str:
        ends = [end for name in names for end in self._stood.get(name, ())]
        until = time.monotonic() + self._wait_s
        while ends:
            answers = self._ask(ends)
            wrong = [text for end in ends for text in _wrong(end, answers.get(end.device))]
            if not wrong or time.monotonic() > until:
                return "; ".join(wrong)
            time.sleep(_PAUSE_S)
        return ""

    def _ask(self, ends: Iterable[Expected]) -> dict[str, Answer]:
        asked = {end.device: question(end) for end in ends}
        if self._fleet is None:
            return {name: Answer(name, {}, self._why_not, b"") for name in asked}
        return self._fleet.ask("read", asked)


def ends_of_lines(plan: Plan) -> Iterator[frozenset[str]]:
    """Yield the two devices of every link, of every session of routing, and of every IPsec connection."""
    for link in plan.links:
        yield frozenset((link.a.device, link.b.device))
    for device in plan.configured():
        yield from (frozenset((device.name, one.peer)) for one in device.ipsec)
        yield from (
            frozenset((device.name, neighbor.device))
            for instance in (device.router.bgp if device.router else ())
            for neighbor in instance.neighbors
        )


def linux_lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield each vendor's router with the Linux device at the other end of its line or tunnel.

    The other gateway of its site is none: the two are on two networks, and these are never changed together.
    """
    routers = {device.name: device for device in plan.by_hand()}
    managed = {device.name: device for device in plan.managed() if device.name not in plan.out_of_service}
    for ends in dict.fromkeys(ends_of_lines(plan)):
        for router in sorted(ends & routers.keys()):
            for other in sorted(ends & managed.keys()):
                if managed[other].site != routers[router].site:
                    yield router, other


def _ends(plan: Plan, names: Collection[str]) -> Iterator[tuple[str, Expected]]:
    """Yield the other ends of the sessions of routers, each with its sessions with one of them."""
    for device, expected in expectations(plan).items():
        if device in plan.out_of_service:
            continue
        for name in dict.fromkeys(one.device for one in expected.sessions if one.device in names):
            yield name, Expected(device, tuple(one for one in expected.sessions if one.device == name))


def _own(plan: Plan, names: Collection[str], routers: Collection[str]) -> Iterator[tuple[str, Expected]]:
    """Yield devices, each with one of its sessions with a router, which cannot be asked."""
    for device, expected in expectations(plan).items():
        if device in names:
            for one in expected.sessions:
                if one.device in routers:
                    yield device, Expected(device, (one,))


def _wrong(end: Expected, answer: Answer | None) -> list[str]:
    if answer is None:
        return [f"{end.device}: was not asked"]
    try:
        return problems(end, answer)
    except UnreadableError as error:
        return [str(error)]
