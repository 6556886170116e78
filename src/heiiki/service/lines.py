"""Which devices of a push are changed together, once what each of them has was read."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from heiiki.fleet import engine
from heiiki.fleet.linux import LINUX
from heiiki.fleet.model import Outcome, Result, Target

MOST_ENDS = 12
"""Devices that one change may have: each is touched while the timers of those before it run."""

Unit = tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of the devices of a push.

    A Linux end that is as planned is in no change. One that differs is in that of every router with a line to
    it that is to be changed; one that could not be read keeps these from being changed.

    Attributes:
        targets: routers, then the Linux ends of their lines.
        lines: the ends of each line.
        begun: what an earlier run has begun.
    """

    targets: tuple[Target, ...]
    lines: Collection[Collection[str]]
    begun: Collection[str]

    def units(self, looked: Collection[Result]) -> tuple[Unit, ...]:
        """Return what is to be changed or settled, each device with the other ends of its lines."""
        apart = {result.device for result in looked if result.outcome is Outcome.UNCHANGED}
        routers = {target.name for target in self.targets if target.platform != LINUX}
        ends = {target.name for target in self.targets} - routers - apart
        due = ({*engine.named(looked, Outcome.CHANGED)} & routers) | {*self.begun}
        given = [one for one in self.targets if one.name in (due | ends)]
        return tuple(
            unit for unit in engine.together(given, self.lines) if due & {target.name for target in unit}
        )

    def of_routers(self, looked: Collection[Result]) -> tuple[Result, ...]:
        """Return what was found out of the routers alone."""
        linux = {target.name for target in self.targets if target.platform == LINUX}
        return tuple(result for result in looked if result.device not in linux)

    def seen(self, looked: Collection[Result]) -> tuple[Result, ...]:
        """Return what is told of a look: of a Linux end only what a router's change has to do with."""
        linux = {target.name for target in self.targets if target.platform == LINUX}
        within = {target.name for unit in self.units(looked) for target in unit}
        return tuple(
            _left(result) if result.device in linux - within else result
            for result in looked
            if result.device not in linux - within or result.outcome is Outcome.CHANGED
        )

    def too_long(self, units: Collection[Unit]) -> str:
        """Say that more devices would have to be changed together than can be; empty where they can."""
        unit = max(units, key=len, default=())
        shared = ", ".join(target.name for target in unit if target.platform == LINUX)
        if len(unit) <= MOST_ENDS or not shared:
            return ""
        routers = sum(target.platform != LINUX for target in unit)
        return (
            f"{routers} routers would have to be changed together, more than can be, for their lines end at "
            f"{shared}, not as planned: push fewer by --limit, or run site.yml for {shared} first"
        )


def _left(result: Result) -> Result:
    notice = "differs from the plan, but no router's change has to do with it: site.yml brings it there"
    return replace(result, outcome=Outcome.UNCHANGED, diff="", notices=(*result.notices, notice))
