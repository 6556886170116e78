"""The routers of vendors' platforms as use cases see them: how they are reached, and what is kept of them."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from heiiki import files
from heiiki.errors import HeiikiError
from heiiki.fleet.access import Access, Logins, Place, SecretLogins, from_environment
from heiiki.fleet.host_keys import FirstContact, HostKeys
from heiiki.fleet.journal import Journal
from heiiki.fleet.model import Target
from heiiki.fleet.states import States
from heiiki.output.lock import writing
from heiiki.plan.model import Device
from heiiki.render import compile_device
from heiiki.render.placeholders import ReadSecret, filled, values
from heiiki.service.model import Service
from heiiki.service.peers import Peers, ends_of_lines, linux_lines


@dataclass(frozen=True, slots=True)
class Routers:
    """The routers of a service, and what the controller keeps of them.

    Attributes:
        service: the service.
        access: how they are reached, where that is not as the service says.
    """

    service: Service
    access: Access

    @property
    def folder(self) -> Path:
        """Folder of all that is kept of them."""
        return self.access.state or self.service.state.folder / "devices"

    @property
    def shown(self) -> Path:
        """Folder of what was shown."""
        return self.folder / "shown"

    @property
    def journal(self) -> Journal:
        """What pushes have begun."""
        return Journal(self.folder / "journal")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder; a second push at once would see half of the first.

        Raises:
            FolderError: another push has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with writing(str(self.folder / "lock"), str(self.folder), 0):
            # A push may write nothing, and what one that was killed has left holds a whole configuration.
            files.clear(self.folder, below=True)
            yield

    def chosen(self, only: tuple[str, ...]) -> tuple[Device, ...]:
        """Return the devices that are named, by themselves or by their site, with the ends of their lines.

        Raises:
            HeiikiError: a name is neither's.
        """
        devices = tuple(self.service.plan.by_hand())
        known = {name for device in devices for name in (device.name, device.site)}
        if unknown := sorted(set(only) - known):
            raise HeiikiError(
                f"{', '.join(unknown)}: no router of a vendor's platform, and no site with one, is called "
                f"so; known: {', '.join(sorted(device.name for device in devices)) or 'none'}"
            )
        named = {one.name for one in devices if not only or {one.name, one.site} & set(only)}
        lines = (*self._begun(), *self._pairs())
        while more := {end for line in lines if named & set(line) for end in line} - named:
            named |= more
        return tuple(one for one in devices if one.name in named)

    def named(self, name: str) -> Device:
        """Return one router.

        Raises:
            HeiikiError: there is none of this name.
        """
        found = next((one for one in self.service.plan.by_hand() if one.name == name), None)
        if found is None:
            raise HeiikiError(f"{name}: no router of a vendor's platform is called so")
        return found

    def states(self, name: str) -> States:
        """Return the configurations that are kept of a router."""
        return States(self.folder / "states", name)

    def shared(self, device: Device, read: ReadSecret) -> dict[str, str]:
        """Return the secrets that a router shares with others, by placeholder."""
        return values(self._text(device), read)

    def linux_ends(self, routers: Iterable[Device]) -> tuple[Device, ...]:
        """Return the Linux devices at the other ends of the lines of some routers, in plan order.

        Those of a line that an earlier run has begun are among them.
        """
        if self.access.alone:
            return ()
        names = {router.name for router in routers}
        begun = {name for line in self._begun() if names & set(line) for name in line}
        wanted = begun | {end for router, end in linux_lines(self.service.plan) if router in names}
        return tuple(one for one in self.service.plan.managed() if one.name in wanted)

    def lines(self) -> tuple[tuple[str, ...], ...]:
        """Return which devices are changed together: the ends of each line, if they are to be changed.

        Raises:
            HeiikiError: an earlier run has begun a line of which an end is not in the service any more.
        """
        return (*self._begun(), *self._pairs(), *linux_lines(self.service.plan))

    def _begun(self) -> tuple[tuple[str, ...], ...]:
        plan = self.service.plan
        known = {device.name for device in (*plan.by_hand(), *plan.managed())}
        begun = tuple(line for line in self.journal.lines() if len(line) > 1)
        if gone := sorted({name for line in begun for name in line} - known):
            raise HeiikiError(
                f"{', '.join(gone)}: an earlier run has begun a line with it, and it is not in the "
                f"service any more: look at both ends yourself, then remove the file in {self.folder}/journal"
            )
        return begun

    def _pairs(self) -> Iterator[tuple[str, ...]]:
        known = {device.name for device in self.service.plan.by_hand()}
        return (tuple(line) for line in ends_of_lines(self.service.plan) if known >= line)

    @contextmanager
    def peers(self, wait_s: float) -> Iterator[Peers]:
        """Give those who test a router from elsewhere."""
        if self.access.alone:
            yield Peers(self.service.plan, None, wait_s, "the devices are simulated, and stand alone")
            return
        with ExitStack() as stack:
            try:
                fleet = stack.enter_context(self.service.fleet())
            except HeiikiError as error:
                yield Peers(self.service.plan, None, wait_s, str(error))
            else:
                yield Peers(self.service.plan, fleet, wait_s)

    @contextmanager
    def secrets(self) -> Iterator[ReadSecret]:
        """Give the function that reads a field of a secret."""
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
            text = self._text(device)
            known = values(text, read)
            yield Target(
                device.name,
                device.platform,
                place.host,
                logins.login(device.name, device.platform),
                filled(text, known),
                place.port,
                tuple(known.values()),
            )

    def _text(self, device: Device) -> str:
        (file,) = compile_device(self.service.plan, device).files
        return file.content

    def _place(self, device: Device) -> Place:
        """Return a device's host name; ManagementError where no installed package knows it."""
        host = self.service.management.ansible_host(self.service.plan, device.name)
        return Place(host or device.name)

    def _logins(self, read: ReadSecret) -> Logins:
        user = self.access.user or self.service.plan.management.user
        return from_environment(user) or SecretLogins(user, read)
