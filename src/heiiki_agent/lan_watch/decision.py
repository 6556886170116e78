"""Decides whether the LAN lives, and whether this gateway is fit to serve it."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address

_REVIVE = 2


@dataclass(slots=True)
class Watch:
    """Decides from answers and clock whether the LAN lives; knows nothing of sockets. All times nanoseconds.

    Attributes:
        due: when the next probe is to be sent.
        alive: the verdict; None until there is one.
        seen: when each target last answered.
    """

    probe_ns: int
    lost: int
    due: int
    alive: bool | None = None
    seen: dict[IPv4Address, int] = field(default_factory=dict)
    _silent: int = 0
    _answered: int = 0
    _asked: bool = False
    _heard: bool = False

    def answer(self, target: IPv4Address, now: int) -> None:
        """Note an answer of `target`."""
        self.seen[target] = now
        self._heard = True

    def tick(self, now: int, *, running: bool) -> bool:
        """Judge the probe before and plan the next; call when `due`, after all answers are noted.

        Args:
            now: the time.
            running: whether the port is up and has a carrier.

        Returns:
            Whether `alive` changed.
        """
        before = self.alive
        late = now - self.due
        stalled = late > self.probe_ns // 2
        self.due = now + self.probe_ns if stalled else self.due + self.probe_ns
        if not running:
            self._restart()
            self.alive = False
        elif self._asked:
            self._count(stalled=stalled)
        self._asked, self._heard = running, False
        return self.alive is not before

    def _count(self, *, stalled: bool) -> None:
        if self._heard:
            self._silent, self._answered = 0, self._answered + 1
        elif not stalled:  # else this process did not run, and what it missed says nothing (D19)
            self._silent, self._answered = self._silent + 1, 0
        if self._silent >= self.lost:
            self.alive = False
        elif self._answered >= _REVIVE:
            self.alive = True

    def _restart(self) -> None:
        self._silent = self._answered = 0


@dataclass(slots=True)
class Fitness:
    """Decides whether this gateway may hold the virtual address of the LAN.

    It may while the LAN answers and there is a route to the network beyond. A route that is missing for less
    than `lost` intervals is no reason to hand over: routing is just replacing it.

    Attributes:
        fit: the verdict; None until there is one.
    """

    lost: int
    fit: bool | None = None
    _missing: int = 0

    def tick(self, *, alive: bool | None, route: bool) -> bool:
        """Judge one interval of the watch.

        Args:
            alive: the verdict on the LAN; while there is none, there is none here either.
            route: whether there is a route to the network beyond.

        Returns:
            Whether `fit` changed.
        """
        before = self.fit
        self._missing = 0 if route else self._missing + 1
        if alive is not None:
            tolerated = self.fit is True and self._missing < self.lost
            self.fit = alive and (route or tolerated)
        return self.fit is not before
