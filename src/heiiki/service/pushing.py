"""The use case push: routers of vendors' platforms are brought to what the intent says.

Everything is read first, and shown; then, unless that is all that was asked for, it is applied by
`heiiki.fleet`, each device with its own timed rollback.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from heiiki.errors import HeiikiError
from heiiki.fleet import engine, shown
from heiiki.fleet.access import Access, Logins, Place, SecretLogins, from_environment
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.cli.session import connect
from heiiki.fleet.comparing import OfService
from heiiki.fleet.errors import NotShownError
from heiiki.fleet.host_keys import FirstContact, HostKeys
from heiiki.fleet.journal import Journal
from heiiki.fleet.masking import mask
from heiiki.fleet.model import DeviceSession, Outcome, Result, Target, Watch
from heiiki.fleet.push import Guard, Means, Settings, Test, unguarded
from heiiki.output.lock import writing
from heiiki.plan.model import Device
from heiiki.render import compile_device
from heiiki.render.placeholders import ReadSecret, filled, values
from heiiki.service.model import Service


@dataclass(frozen=True, slots=True)
class PushOrder:
    """What is asked of a push.

    Attributes:
        only: names of devices and sites; none for every device.
        check: read and compare only.
        shown: digest of an earlier check: whatever differs from what it showed ends the push.
        revert_in_s: time of the devices' rollback timers.
        without_rollback: a person accepts that a device without a timed rollback is changed.
        width: devices at once.
    """

    only: tuple[str, ...] = ()
    check: bool = False
    shown: str = ""
    revert_in_s: float = 300.0
    without_rollback: bool = False
    width: int = engine.WIDTH


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push came to.

    Attributes:
        results: one for each device, secrets masked.
        digest: of what was shown; empty where nothing was only shown.
        unsettled: devices that this run or an earlier one has begun, and whose end is not known.
    """

    results: tuple[Result, ...]
    digest: str = ""
    unsettled: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether a device was changed, or in check mode would be."""
        return bool(engine.named(self.results, Outcome.CHANGED))

    @property
    def complete(self) -> bool:
        """Whether every device is as intended, or in check mode could be read."""
        bad = (Outcome.FAILED, Outcome.UNREACHABLE)
        return not any(engine.named(self.results, outcome) for outcome in bad)


async def trusted(target: Target) -> str:
    """Test nothing beyond what the second session has read."""
    del target
    return ""


def push(
    service: Service,
    order: PushOrder,
    access: Access | None = None,
    watch: Watch | None = None,
    test: Test = trusted,
) -> Pushed:
    """Bring the routers of vendors' platforms to what the intent says; nothing else of the service changes.

    Args:
        service: the service.
        order: which devices, and how.
        access: how devices are reached, where that is not as the service says.
        watch: is told of each device when it is done.
        test: looks from elsewhere whether a device serves.

    Raises:
        NotShownError: what would be done is not what was shown; no device was touched.
        HeiikiError: a name is unknown, a log-in or a secret cannot be had, or another push runs.
    """
    room = _Room(service, access or Access())
    chosen = _chosen(service, order.only)
    with room.alone(), room.secrets() as read:
        targets = tuple(room.targets(chosen, read))
        run = _Run(room, order, targets, watch, test)
        return run.check() if order.check else run.apply()


def _chosen(service: Service, only: tuple[str, ...]) -> tuple[Device, ...]:
    """Return the devices that are named, by themselves or by their site.

    Raises:
        HeiikiError: a name is neither's.
    """
    devices = tuple(service.plan.by_hand())
    known = {name for device in devices for name in (device.name, device.site)}
    if unknown := sorted(set(only) - known):
        raise HeiikiError(
            f"{', '.join(unknown)}: no router of a vendor's platform, and no site with one, is called so; "
            f"known: {', '.join(sorted(device.name for device in devices)) or 'none'}"
        )
    return tuple(one for one in devices if not only or {one.name, one.site} & set(only))


@dataclass(frozen=True, slots=True)
class _Room:
    """What a push has of a service: its folder below the state, host keys, log-ins and secrets."""

    service: Service
    access: Access

    @property
    def folder(self) -> Path:
        return self.access.state or self.service.state.folder / "devices"

    @property
    def shown(self) -> Path:
        return self.folder / "shown"

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "journal")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder; a second push at once would see half of the first.

        Raises:
            FolderError: another push has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with writing(str(self.folder / "lock"), str(self.folder), 0):
            yield

    @contextmanager
    def secrets(self) -> Iterator[ReadSecret]:
        if self.access.secrets is not None:
            yield self.access.secrets.read
            return
        with self.service.secrets() as read:
            yield read

    def host_keys(self) -> HostKeys:
        """Return the pinned keys: those that the service names are all that there are."""
        named = self.service.plan.management.known_hosts
        if named and self.access.state is None:
            return HostKeys(Path(named), FirstContact.REFUSE)
        return HostKeys(self.folder / "known_hosts")

    def targets(self, devices: tuple[Device, ...], read: ReadSecret) -> Iterator[Target]:
        """Yield each device with what it shall have, secrets filled in."""
        logins = self._logins(read)
        for device in devices:
            place = self.access.places.get(device.name) or self._place(device)
            (file,) = compile_device(self.service.plan, device).files
            known = values(file.content, read)
            yield Target(
                device.name,
                device.platform,
                place.host,
                logins.login(device.name, device.platform),
                filled(file.content, known),
                place.port,
                tuple(known.values()),
            )

    def _place(self, device: Device) -> Place:
        """Return a device's host name; ManagementError where no installed package knows it."""
        host = self.service.management.ansible_host(self.service.plan, device.name)
        return Place(host or device.name)

    def _logins(self, read: ReadSecret) -> Logins:
        user = self.access.user or self.service.plan.management.user
        return from_environment(user) or SecretLogins(user, read)


@dataclass(slots=True)
class _Run:
    """One push, once its devices are known."""

    room: _Room
    order: PushOrder
    targets: tuple[Target, ...]
    watch: Watch | None
    test: Test
    keys: HostKeys = field(init=False)

    def __post_init__(self) -> None:
        self.keys = self.room.host_keys()

    def check(self) -> Pushed:
        """Read everything, and keep what is shown."""
        results, seen = self._look(self.watch)
        seen.write(self.room.shown)
        return self._pushed(results, seen.digest)

    def apply(self) -> Pushed:
        guard = self._as_shown() if self.order.shown else unguarded
        return self._pushed(self._engine(self.watch, guard, check=False))

    def _as_shown(self) -> Guard:
        """Return what refuses a device that is not as it was shown, now that all of them are.

        Raises:
            NotShownError: one is not.
        """
        before = shown.read(self.room.shown, self.order.shown)
        results, now = self._look(None)
        silent = [result.reason for result in results if result.device not in now.devices]
        if differences := (*before.differences(now), *silent):
            raise NotShownError(
                "\n".join(("no device was touched, for this is not what was shown:", *differences))
            )
        return partial(shown.refused, before)

    def _look(self, watch: Watch | None) -> tuple[tuple[Result, ...], shown.Shown]:
        """Read every device; those that could not be are in the results alone."""
        sights = shown.Sights()
        results = self._engine(watch, sights.note, check=True)
        return results, shown.Shown(self.room.service.plan.digest, sights.seen)

    def _engine(self, watch: Watch | None, guard: Guard, *, check: bool) -> tuple[Result, ...]:
        settings = Settings(
            check=check, revert_in_s=self.order.revert_in_s, without_rollback=self.order.without_rollback
        )
        means = Means(self._connect, OfService, self.test, self.room.journal, settings, guard)
        return asyncio.run(engine.push(self.targets, means, width=self.order.width, watch=watch))

    async def _connect(self, target: Target) -> DeviceSession:
        return await connect(DRIVERS[target.platform], target, self.keys)

    def _pushed(self, results: tuple[Result, ...], digest: str = "") -> Pushed:
        masked = tuple(_masked(*pair) for pair in zip(self.targets, results, strict=True))
        return Pushed(masked, digest, self.room.journal.begun())


def _masked(target: Target, result: Result) -> Result:
    """Take the known secrets out of a result; the platform's rules have masked what they know."""
    hide: Callable[[str], str] = mask((*target.secrets, *target.login.secrets))
    notices = tuple(map(hide, result.notices))
    return replace(result, diff=hide(result.diff), reason=hide(result.reason), notices=notices)
