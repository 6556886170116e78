"""The use case revert: a router gets a configuration back that it had."""

from dataclasses import dataclass, replace

from heiiki.errors import HeiikiError
from heiiki.fleet.access import Access
from heiiki.fleet.comparing import OfService
from heiiki.fleet.errors import StaleError
from heiiki.fleet.states import State
from heiiki.service.dependence import Dependence
from heiiki.service.model import Service
from heiiki.service.pushing import Phases, Pushed, PushOrder, Run, unwatched
from heiiki.service.routers import Routers


@dataclass(frozen=True, slots=True)
class Kept:
    """A state that may come back.

    Attributes:
        state: the state.
        changed_since: what other devices have otherwise since then, so that the state does not fit; empty
            where it fits.
    """

    state: State
    changed_since: tuple[str, ...]


def kept_states(service: Service, name: str, access: Access | None = None) -> tuple[Kept, ...]:
    """Return the states that are kept of a router, the oldest first.

    Raises:
        HeiikiError: there is no such router, or the secrets that it shares with others cannot be had.
    """
    routers = Routers(service, access or Access())
    device = routers.named(name)
    with routers.secrets() as read:
        now = Dependence(service.plan).of(name, routers.shared(device, read))
    return tuple(Kept(state, state.changed_since(now)) for state in routers.states(name).all())


def revert(
    service: Service,
    name: str,
    order: PushOrder,
    *,
    to: str = "",
    force: bool = False,
    access: Access | None = None,
    watch: Phases = unwatched,
) -> tuple[str, Pushed]:
    """Bring a router back to a configuration that it had; returns the state's name and what it came to.

    The intent stays as it is, so the next push brings the router forward again.

    Args:
        service: the service.
        name: of the router.
        order: how it is changed; which devices it names does not count.
        to: name of the state; empty for the newest that is another one than the last.
        force: go back although the other ends were changed since.
        access: how devices are reached, where that is not as the service says.
        watch: is told of each device when it is done.

    Raises:
        StaleError: later work depends on what the router has now; the message says which.
        HeiikiError: there is no such router or state, or an earlier push of it was cut off.
    """
    routers = Routers(service, access or Access())
    device = routers.named(name)
    with routers.alone(), routers.secrets() as read:
        if name in routers.journal.begun():
            raise HeiikiError(f"{name}: an earlier push was cut off; run `heiiki push` for it first")
        states = routers.states(name)
        state = states.named(to) if to else states.former(OfService(device.platform))
        now = Dependence(service.plan).of(name, routers.shared(device, read))
        if (since := state.changed_since(now)) and not force:
            raise StaleError(
                f"{name}: state {state.name} does not fit any more, for this is not as it was: "
                f"{'; '.join(since)}; change that back first, or say --force"
            )
        (target,) = routers.targets((device,), read)
        former = replace(target, intended=state.text, secrets=(*target.secrets, *state.secrets))
        return state.name, Run(routers, order, (former,), lambda _: state.depends, watch).done()
