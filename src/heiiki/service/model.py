"""A service as the use cases see it: plan, state, and how its devices and its Vault server are reached."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from heiiki.intent import load
from heiiki.management import Hosts, Management, management
from heiiki.plan import build
from heiiki.plan.model import Plan
from heiiki.state import ServiceState, of_service

if TYPE_CHECKING:
    from heiiki.pki.register import Register
    from heiiki.pki.server.login import Access
    from heiiki.report.ledger import Ledger
    from heiiki.verify.fleet import Fleet

# What speaks to devices and to Vault servers is imported where it is asked for: a check on paper needs none.
# ruff: noqa: PLC0415


@dataclass(frozen=True, slots=True)
class Service:
    """A service.

    Attributes:
        folder: holds its ``service.yml``.
        plan: what is written there, resolved.
        state_folder: holds what the controller keeps of it; None for the service's own in the state folder.
        hosts: says how devices are reached over SSH; None for what the plan says.
    """

    folder: Path
    plan: Plan
    state_folder: Path | None = None
    hosts: Hosts | None = None

    @property
    def management(self) -> Management:
        """How its devices are reached; ManagementError where no installed package brings it."""
        return management(self.plan)

    @property
    def state(self) -> ServiceState:
        """What the controller keeps of it; StateError where another folder has that."""
        if self.state_folder is not None:
            return ServiceState(self.state_folder)
        return of_service(self.plan.service, self.folder)

    @property
    def register(self) -> "Register":
        """The certificates that were revoked."""
        from heiiki.pki.register import Register

        return Register(self.state.folder / "revoked")

    @property
    def ledger(self) -> "Ledger":
        """The records of evidence that the controller made."""
        from heiiki.report.ledger import Ledger

        return Ledger(self.state)

    def vault(self, step: str) -> "Access":
        """Return the access to its Vault servers; nothing is sent yet.

        Args:
            step: what it is for: the beginning of an error's sentence.

        Raises:
            VaultError: nothing says which CA vouches for the server.
        """
        from heiiki.pki.server import login

        way = self.management
        access = login.access(
            self.plan.pki,
            self.state.secrets,
            way.environment(),
            lambda server: way.vault_connector(self.plan, server),
        )
        access.vault.for_step(step)
        return access

    @contextmanager
    def fleet(self) -> Iterator["Fleet"]:
        """Give the fleet of its devices, which are asked in parallel."""
        from heiiki.verify.fleet import fleet

        with (
            self.management.transport(self.plan, self.hosts) as transport,
            fleet(transport, len(self.plan.devices)) as asked,
        ):
            yield asked

    @contextmanager
    def secrets(self, *, hurried: bool = False) -> Iterator[Callable[[str, str], str]]:
        """Give the function that reads a field of a secret from the Vault server, which is asked at need.

        Args:
            hurried: a server that hangs is given up in seconds.
        """
        from heiiki.pki.server import login
        from heiiki.pki.server.policies import AppRole
        from heiiki.pki.server.secrets import VaultSecrets

        with ExitStack() as stack:

            @cache
            def source() -> VaultSecrets:
                access = self.vault("reading a device's secrets")
                access = access.hurried() if hurried else access
                session = stack.enter_context(login.logged_in(access, AppRole.SIM_KEY_READER))
                return VaultSecrets(session, self.plan.pki.secrets_mount)

            yield lambda path, field: source().read(path, field)


def opened(
    folder: Path,
    state_folder: Path | None = None,
    *,
    notify: Callable[[str], None] = lambda _notice: None,
) -> Service:
    """Return the service in `folder`.

    Args:
        folder: holds its ``service.yml``.
        state_folder: holds what the controller keeps of it; None for the service's own state.
        notify: called once for each former name that the files use.

    Raises:
        IntentError: what is written there has mistakes; all of them.
    """
    intent = load(folder)
    for notice in intent.notices:
        notify(notice)
    return Service(folder, build(intent), state_folder)
