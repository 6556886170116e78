"""The use case push: routers of vendors' platforms are brought to what the intent says.

Everything is read first, and shown; then, unless that is all that was asked for, it is applied by
`heiiki.fleet`, each device with its own timed rollback.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial

from heiiki.fleet import engine, shown, ways
from heiiki.fleet.access import Access
from heiiki.fleet.comparing import OfService
from heiiki.fleet.errors import NotShownError
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.linux import LINUX, LinuxComparer
from heiiki.fleet.masking import mask
from heiiki.fleet.model import Comparer, DeviceSession, Outcome, Progress, Result, Target
from heiiki.fleet.push import Guard, Means, Settings, Test, unguarded
from heiiki.fleet.waves import Waves, Where, planned, too_many
from heiiki.service.dependence import Dependence
from heiiki.service.lines import Lines
from heiiki.service.linux_ends import LinuxEnds
from heiiki.service.model import Service
from heiiki.service.peers import Peers
from heiiki.service.routers import Routers

_BACK_S = 60.0
"""How long a session may take to come back after a change."""

Phases = Callable[[str, Progress], None]
"""Is told how far a push is: `read`, then `pushed`."""


@dataclass(frozen=True, slots=True)
class PushOrder:
    """What is asked of a push.

    Attributes:
        only: names of devices and sites; none for every device.
        check: read and compare only.
        shown: digest of an earlier check: whatever differs from what it showed ends the push.
        revert_in_s: time of the devices' rollback timers.
        without_rollback: a person accepts that a device without a timed rollback is changed.
        consent: how a person says so where this is asked.
        width: devices at once.
        most_unreachable: share of the devices, and of those of a wave, that may be unreachable.
        alone: the Linux ends of the routers' lines are neither looked at nor changed.
        napalm: platforms whose routers are reached by NAPALM, the others by their command line.
    """

    only: tuple[str, ...] = ()
    check: bool = False
    shown: str = ""
    revert_in_s: float = 300.0
    without_rollback: bool = False
    consent: str = "without_rollback=True"
    width: int = engine.WIDTH
    most_unreachable: float = 0.25
    alone: bool = False
    napalm: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push came to.

    Attributes:
        results: one for each device, secrets masked.
        digest: of what was shown; empty where nothing was only shown.
        unsettled: devices that this run or an earlier one has begun, and whose end is not known.
        stopped: why not every device was begun; empty where all were.
        left: those that were not.
    """

    results: tuple[Result, ...]
    digest: str = ""
    unsettled: tuple[str, ...] = ()
    stopped: str = ""
    left: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether a device was changed, or in check mode would be."""
        return bool(engine.named(self.results, Outcome.CHANGED))

    @property
    def complete(self) -> bool:
        """Whether every device is as intended, or in check mode could be read."""
        bad = (Outcome.FAILED, Outcome.UNREACHABLE)
        return not self.stopped and not any(engine.named(self.results, outcome) for outcome in bad)


def push(
    service: Service,
    order: PushOrder,
    access: Access | None = None,
    watch: Phases | None = None,
) -> Pushed:
    """Bring the routers of vendors' platforms to what the intent says; nothing else of the service changes.

    Args:
        service: the service.
        order: which devices, and how.
        access: how devices are reached, where that is not as the service says.
        watch: is told of each device when it is done.

    Raises:
        NotShownError: what would be done is not what was shown; no device was touched.
        HeiikiError: a name is unknown, a log-in or a secret cannot be had, or another push runs.
    """
    routers = Routers(service, access or Access())
    with routers.alone(), routers.secrets() as read:
        chosen = routers.chosen(order.only)
        linux = () if order.alone else LinuxEnds(service).targets(routers.linux_ends(chosen), read)
        targets = (*routers.targets(chosen, read), *linux)  # those that serve others too are touched last
        dependence = cache(partial(Dependence, service.plan))

        def depends(name: str) -> Mapping[str, str]:
            return dependence().of(name, routers.shared(routers.named(name), read))

        return Run(routers, order, targets, depends, watch or unwatched).done()


def unwatched(phase: str, progress: Progress) -> None:
    """Show nothing."""
    del phase, progress


@dataclass(slots=True)
class Run:
    """One push, once its devices are known.

    Attributes:
        routers: the routers of the service.
        order: how they are changed.
        targets: those that are, with what they shall have.
        depends: what the other ends of a device's lines have for it with that configuration.
        watch: is told of each device.
    """

    routers: Routers
    order: PushOrder
    targets: tuple[Target, ...]
    depends: Callable[[str], Mapping[str, str] | None]
    watch: Phases = unwatched
    keys: HostKeys = field(init=False)

    def __post_init__(self) -> None:
        ways.examined(self.order.napalm)
        self.keys = self.routers.host_keys()

    def done(self) -> Pushed:
        """Do it, or in check mode show it."""
        if self.order.check:
            return self.check()
        with self.routers.peers(min(_BACK_S, self.order.revert_in_s / 3)) as peers:
            return self.apply(peers)

    def check(self) -> Pushed:
        """Read everything, and keep what is shown."""
        results, seen = self._look()
        seen.write(self.routers.shown)
        return self._pushed(self._lines().seen(results), digest=seen.digest)

    def apply(self, peers: Peers) -> Pushed:
        """Read everything, and change what differs, wave by wave.

        Raises:
            NotShownError: something is not as it was shown; no device was touched.
        """
        looked, now = self._look()
        guard = self._as_shown(looked, now) if self.order.shown else unguarded
        lines = self._lines()
        looked, units = lines.seen(looked), lines.units(looked)
        if why := too_many(lines.of_routers(looked), self.order.most_unreachable) or lines.too_long(units):
            return self._pushed(_unchanged(looked), stopped=why, left=engine.named(looked, Outcome.CHANGED))
        peers.before(target.name for unit in units for target in unit)
        waves = Waves(
            means=self._means(peers.test, partial(self._kept, guard), check=False),
            lines=self.routers.lines(),
            verify=peers.wave,
            most_unreachable=self.order.most_unreachable,
            width=self.order.width,
            watch=partial(self.watch, "pushed"),
        )
        gone = asyncio.run(waves.push(planned(units, self._where())))
        self._accept(gone.results)
        done = {result.device: peers.noted(result) for result in gone.results}
        settled = [one for one in looked if one.device not in {*done, *gone.left}]
        return self._pushed((*_told(looked, done), *settled), stopped=gone.stopped, left=gone.left)

    def _kept(self, guard: Guard, target: Target, running: str) -> str:
        """Keep what a device has, unless it must not be changed."""
        if why := guard(target, running):
            return why
        if target.platform != LINUX:  # the states of a Linux device are those of the intent
            self.routers.states(target.name).keep_found(running, OfService(target.platform))
        return ""

    def _accept(self, results: Iterable[Result]) -> None:
        """Keep what was brought to devices."""
        for target in self.targets:
            if target.platform != LINUX and target.name in engine.named(results, Outcome.CHANGED):
                states = self.routers.states(target.name)
                states.keep_accepted(target.intended, target.secrets, self.depends(target.name))

    def _lines(self) -> Lines:
        return Lines(self.targets, self.routers.lines(), self.routers.journal.begun())

    def _where(self) -> dict[str, Where]:
        devices = map(self.routers.service.plan.device, (target.name for target in self.targets))
        return {one.name: Where(one.site or "", frozenset(map(str, one.networks))) for one in devices}

    def _as_shown(self, looked: tuple[Result, ...], now: shown.Shown) -> Guard:
        """Return what refuses a device that is not as it was shown, now that all of them are.

        Raises:
            NotShownError: one is not.
        """
        before = shown.read(self.routers.shown, self.order.shown)
        silent = [result.reason for result in looked if result.device not in now.devices]
        if differences := (*before.differences(now), *silent):
            raise NotShownError(
                "\n".join(("no device was touched, for this is not what was shown:", *differences))
            )
        return partial(shown.refused, before)

    def _look(self) -> tuple[tuple[Result, ...], shown.Shown]:
        """Read every device; those that could not be are in the results alone."""
        sights = shown.Sights()
        means = self._means(_untested, sights.note, check=True)
        watch = partial(self.watch, "read")
        results = asyncio.run(engine.push(self.targets, means, width=self.order.width, watch=watch))
        seen = {one.name: sights.seen[one.name] for one in self.targets if one.name in sights.seen}
        return results, shown.Shown(self.routers.service.plan.digest, seen)

    def _means(self, test: Test, guard: Guard, *, check: bool) -> Means:
        settings = Settings(
            check=check,
            revert_in_s=self.order.revert_in_s,
            without_rollback=self.order.without_rollback,
            consent=self.order.consent,
        )
        return Means(self._connect, _comparer, test, self.routers.journal, settings, guard)

    async def _connect(self, target: Target) -> DeviceSession:
        if target.platform == LINUX:
            return await LinuxEnds(self.routers.service).connect(target)
        return await ways.connect(target, self.keys, self.order.napalm)

    def _pushed(
        self, results: Iterable[Result], *, digest: str = "", stopped: str = "", left: tuple[str, ...] = ()
    ) -> Pushed:
        """Return what it came to, in the order of the devices, secrets masked."""
        known = {result.device: result for result in results}
        masked = tuple(_masked(one, known[one.name]) for one in self.targets if one.name in known)
        return Pushed(masked, digest, self.routers.journal.begun(), stopped, left)


def _comparer(platform: str) -> Comparer:
    return LinuxComparer() if platform == LINUX else OfService(platform)


async def _untested(target: Target) -> str:
    """Find nothing wrong: nothing is changed."""
    del target
    return ""


def _told(looked: Iterable[Result], done: Mapping[str, Result]) -> Iterator[Result]:
    """Yield what was done, with what was found out before."""
    for before in looked:
        if (result := done.get(before.device)) is not None:
            yield replace(result, notices=(*before.notices, *result.notices))


def _unchanged(looked: Iterable[Result]) -> Iterator[Result]:
    """Yield those of a look that are no promise of a change."""
    return (result for result in looked if result.outcome is not Outcome.CHANGED)


def _masked(target: Target, result: Result) -> Result:
    """Take the known secrets out of a result; the platform's rules have masked what they know."""
    hide: Callable[[str], str] = mask((*target.secrets, *target.login.secrets))
    notices = tuple(map(hide, result.notices))
    return replace(result, diff=hide(result.diff), reason=hide(result.reason), notices=notices)
