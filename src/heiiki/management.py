"""How the devices of a service are reached: what its `management:` says, found by entry point.

A package that brings another way registers a class under the group `heiiki.management`, by the kind that
`service.yml` names. The product brings `ssh`; the extra `heiiki[lab]` brings `lab`.
"""

import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from heiiki.errors import ManagementError
from heiiki.plan.model import Device, Plan, VaultHost
from heiiki.transport import SshHost, SshTransport, Transport, host_key_options
from heiiki.verify.equipment import TestEquipment
from heiiki.verify.host.explained import Added

if TYPE_CHECKING:
    from heiiki.pki.server.pinned import Connector

GROUP = "heiiki.management"

Hosts = Callable[[Plan], Mapping[str, SshHost]]
"""Says how each managed device of a plan is reached over SSH, where that is not as the service says."""


_SHARED_CONNECTION = ("-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s")
"""What Ansible gives to ssh by default."""

_SUDO = ("sudo", "-n", "-u", "root", "--")


class Management(Protocol):
    """One way to the devices of a service."""

    simulated: bool
    """The network is a simulation: what is measured is no figure of a real one."""

    def transport(self, plan: Plan, hosts: Hosts | None = None) -> AbstractContextManager[Transport]:
        """Give the transport to the devices of `plan`; `hosts` counts where they are reached over SSH."""

    def ansible_variables(self, plan: Plan) -> dict[str, object]:
        """Return the variables by which Ansible reaches every device."""

    def ansible_host(self, plan: Plan, device: str) -> str | None:
        """Return the host name of a device; None where its own name is enough."""

    def vault_connector(self, plan: Plan, server: VaultHost) -> "Connector | None":
        """Return the way to a Vault server's port, or None where its address can be reached as it is."""

    def environment(self) -> Mapping[str, str]:
        """Return the variables that may name another Vault server, its CA and log-ins."""

    def test_equipment(self, plan: Plan, *, faults: bool) -> TestEquipment:
        """Return what a measurement may use; who fails elements only when `faults` are asked for."""

    def adds(self, plan: Plan, device: Device) -> Added:
        """Return what this way adds to a device, and no plan explains."""


class SshManagement:
    """Real hosts, over OpenSSH."""

    simulated = False

    @contextmanager
    def transport(self, plan: Plan, hosts: Hosts | None = None) -> Iterator[Transport]:
        """Reach every managed device by its name, as the user that the plan names."""
        with SshTransport((hosts or self._hosts)(plan)) as transport:
            yield transport

    def _hosts(self, plan: Plan) -> dict[str, SshHost]:
        user, become = plan.management.user, _SUDO if plan.management.become else ()
        options = host_key_options(plan.management.known_hosts)
        return {
            device.name: SshHost(self.ansible_host(plan, device.name), user, become=become, options=options)
            for device in plan.managed()
        }

    def ansible_variables(self, plan: Plan) -> dict[str, object]:
        """Log in as the user that the plan names, who becomes root where the plan says so; pin host keys."""
        become: dict[str, object] = {"ansible_become": True} if plan.management.become else {}
        arguments = shlex.join((*_SHARED_CONNECTION, *host_key_options(plan.management.known_hosts)))
        return {"ansible_user": plan.management.user, "ansible_ssh_args": arguments, **become}

    def ansible_host(self, plan: Plan, device: str) -> str:
        """Return the host name that the plan gives."""
        return f"{device}{plan.management.host_suffix}"

    def vault_connector(self, plan: Plan, server: VaultHost) -> None:
        """Reach the server by its address."""

    def environment(self) -> Mapping[str, str]:
        """Return the environment of this process."""
        return os.environ

    def test_equipment(self, plan: Plan, *, faults: bool) -> TestEquipment:  # noqa: ARG002 - the Protocol's
        """Allow nothing."""
        return TestEquipment()

    def adds(self, plan: Plan, device: Device) -> Added:  # noqa: ARG002 - the Protocol's
        """Add the account that logs in, and the SSH server."""
        return Added(programs=frozenset({"sshd"}), accounts=frozenset({plan.management.user}))


def management(plan: Plan) -> Management:
    """Return the way to the devices of `plan`.

    Raises:
        ManagementError: no package that is installed brings it.
    """
    return _brought(plan.management.kind)


@cache
def _brought(kind: str) -> Management:
    try:
        for entry in entry_points(group=GROUP, name=kind):
            found: Management = entry.load()()
            return found
    except ImportError as error:
        raise ManagementError(f"{_missing(kind)} ({error})") from error
    raise ManagementError(_missing(kind))


def _missing(kind: str) -> str:
    return (
        f"management: kind `{kind}` needs a package that is not installed here: "
        f"run `pip install heiiki[{kind}]`"
    )
