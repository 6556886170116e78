# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one place where the collection imports the package `heiiki`.

Nothing is imported before it is used, so that `ansible-doc` works without the package; a missing package and
every `HeiikiError` become an AnsibleError whose text says what to do.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from ansible.errors import AnsibleError

if TYPE_CHECKING:
    from heiiki.output import Update
    from heiiki.pki.server.bootstrap import Access
    from heiiki.plan.model import Plan
    from heiiki.render.model import DeviceBuild
    from heiiki.requirements.verdict import Verdict
    from heiiki.state import ServiceState
    from heiiki_lab.client import NodeClient


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


def load_plan(service: Path) -> "Plan":
    """Return the plan of the service whose folder is given.

    Raises:
        AnsibleError: the intent has mistakes; all of them, one a line.
    """
    with translated(prefix=f"the service in {service} cannot be read:\n"):
        return cast("Plan", package("heiiki.plan").build(package("heiiki.intent").load(service)))


def compile_to(plan: "Plan", out: Path, service: Path) -> "Update":
    """Write every managed device's build below `out`; returns what changed there.

    Args:
        plan: the service.
        out: an owned folder: see `heiiki.output`.
        service: the folder of the service; another one's builds are not overwritten while that one exists.

    Raises:
        AnsibleError: a device cannot be rendered, or `out` is not the service's, or cannot be written.
    """
    render = package("heiiki.render")
    with translated():
        known = package("heiiki.output").OwnedFolder(out).about() or {}
        other = known.get("service_dir", str(service))
        if other != str(service) and (Path(other) / "service.yml").is_file():
            raise AnsibleError(
                f"{out}: holds the builds of the service in {other}, and this one is in {service}: "
                "give one of them another name (service.yml), or set heiiki_build"
            )
        facts = {**render.facts(plan), "service_dir": str(service)}
        return cast("Update", render.write(render.compile_plan(plan), out, facts).update)


def design_verdicts(plan: "Plan", builds: "Sequence[DeviceBuild] | None" = None) -> "tuple[Verdict, ...]":
    """Return what the checks on paper say of the plan; `builds` spares rendering the devices again."""
    with translated():
        rendered = tuple(package("heiiki.render").compile_plan(plan)) if builds is None else builds
        return tuple(package("heiiki.design").design(plan, rendered))


def kept(plan: "Plan | None", service: Path, state: Path | None) -> "ServiceState":
    """Return what the controller keeps of a service: in the folder `state`, or in the service's own.

    Args:
        plan: the service, where the caller has it already.
        service: its folder.
        state: named by the user.

    Raises:
        AnsibleError: that belongs to another folder with a service of the same name.
    """
    states = package("heiiki.state")
    if state is not None:
        return cast("ServiceState", states.ServiceState(state))
    if plan is None:
        plan = load_plan(service)
    with translated():
        return cast("ServiceState", states.of_service(plan.service, service))


def node_client(state: Path | None, node: str) -> "NodeClient":
    """Return the client of one node of the lab whose state folder is given, or of the default one."""
    paths = package("heiiki_lab.state")
    client: type[NodeClient] = package("heiiki_lab.client").NodeClient
    return client(paths.socket_path(state or paths.lab_dir(), node))


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
        def source() -> Any:
            plan = load_plan(service)
            access = vault_access(plan, kept(plan, service, state), "reading a device's secrets")
            purpose = package("heiiki.pki.server.policies").Purpose.SUBSCRIBER
            session = stack.enter_context(package("heiiki.pki.server.bootstrap").logged_in(access, purpose))
            return package("heiiki.pki.server.secrets").VaultSecrets(session, plan.pki.secrets_mount)

        yield lambda path, field: source().read(path, field)


def _files(state: Path | None) -> Any:
    if state is not None:
        return package("heiiki.state").FileSecrets(state).read

    def refuse(path: str, _field: str) -> str:
        raise AnsibleError(f"secret {path} is wanted: name service_dir, or the folder secret_state")

    return refuse


def vault_access(plan: "Plan", state: "ServiceState", step: str) -> "Access":
    """Return the way to the service's Vault server; nothing is sent yet.

    The lab's is reached through its node, and the environment has no say in it; another's by VAULT_ADDR or
    the plan's address.

    Args:
        plan: the service.
        state: what the controller keeps of it.
        step: what it is for, in words that begin an error's sentence.

    Raises:
        AnsibleError: nothing says which CA to trust for it.
    """
    trust = plan.pki
    lab = plan.management.kind == "lab"

    def connect() -> Any:
        return node_client(None, trust.vault).connect(str(trust.address), trust.port)

    with translated():
        access: Access = package("heiiki.pki.server.bootstrap").access(
            trust, state.secrets, {} if lab else os.environ, connect if lab else None
        )
        access.vault.for_step(step)
    return access
