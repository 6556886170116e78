# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one place where the collection imports the package `heiiki`.

Nothing is imported before it is used, so that `ansible-doc` works without the package; a missing package and
every `HeiikiError` become an AnsibleError whose text says what to do.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from ansible.errors import AnsibleError
from ansible.utils.display import Display

if TYPE_CHECKING:
    from heiiki.management import Hosts
    from heiiki.plan.model import Plan
    from heiiki.service import Service

display = Display()


def package(name: str) -> ModuleType:
    """Return module `name` of the package.

    Raises:
        AnsibleError: the Python that runs Ansible has no package heiiki.
    """
    try:
        return import_module(name)
    except ImportError as error:
        if not (error.name or "").startswith("heiiki"):
            raise
        raise AnsibleError(
            f"the collection heiiki.network needs the package heiiki, which {sys.executable} does not have: "
            "run `make setup` and use .venv/bin/ansible-playbook, or `pip install heiiki` of the same version"
        ) from error


@contextmanager
def translated(kind: type[AnsibleError] = AnsibleError, prefix: str = "") -> Iterator[None]:
    """Turn every error that the package raises on purpose into an Ansible error, `prefix` before it."""
    failure: type[Exception] = package("heiiki.errors").HeiikiError
    try:
        yield
    except failure as error:
        raise kind(
            f"{prefix}{error}"
        ) from None  # Ansible prints a cause beside its effect, and this one's text is the same


def opened(service: Path, state: Path | None = None, hosts: "Hosts | None" = None) -> "Service":
    """Return the service whose folder is given, for the use cases of `heiiki.service`.

    Every process of a run that needs the same service has it from the process that it was forked from.

    Args:
        service: holds ``service.yml``.
        state: holds what the controller keeps of it; None for the service's own state.
        hosts: says how the plays reach each device; None for what the service says.

    Raises:
        AnsibleError: the intent has mistakes; all of them, one a line.
    """
    use_cases = package("heiiki.service")
    return cast("Service", use_cases.Service(service, load_plan(service), state, hosts))


def load_plan(service: Path) -> "Plan":
    """Return the plan of the service whose folder is given.

    Raises:
        AnsibleError: the intent has mistakes; all of them, one a line.
    """
    written = (*service.glob("*.yml"), *service.glob("sites/*"))
    return _planned(service, tuple(sorted((str(path), path.stat().st_mtime_ns) for path in written)))


@lru_cache(maxsize=4)
def _planned(service: Path, _written: tuple[tuple[str, int], ...]) -> "Plan":
    """Return the plan of what is written, once for each state of the files."""
    with translated(prefix=f"the service in {service} cannot be read:\n"):
        return cast("Plan", package("heiiki.service").opened(service, notify=_deprecated).plan)


def _deprecated(notice: str) -> None:
    display.deprecated(notice, version="0.3.0", collection_name="heiiki.network")


@contextmanager
def secrets_for(service: Path | None, state: Path | None) -> Iterator[Any]:
    """Give the function that reads a secret's field from the service's Vault server, which is asked at need.

    Without a service it reads the files in `state`.

    Raises:
        AnsibleError: neither is named, and a secret is asked for.
    """
    if service is None:
        yield _files(state)
        return
    with ExitStack() as stack:

        @cache
        def read() -> Any:
            return stack.enter_context(opened(service, state).secrets())

        def read_secret(path: str, field: str) -> str:
            return str(read()(path, field))

        yield read_secret


def _files(state: Path | None) -> Any:
    if state is not None:
        return package("heiiki.state").FileSecrets(state).read

    def refuse(path: str, _field: str) -> str:
        raise AnsibleError(f"secret {path} is wanted: name service_dir, or the folder secret_state")

    return refuse


def given(path: str | None) -> Path | None:
    """Return a path that a user may leave out."""
    return Path(path) if path else None
