# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How devices are reached by what is not a task of theirs: with the variables and settings of the plays."""

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package

if TYPE_CHECKING:
    from heiiki.management import Hosts
    from heiiki.plan.model import Device, Plan
    from heiiki.transport import SshHost

Variables = Mapping[str, Any]

SSH = frozenset({"ssh", "smart", "ansible.builtin.ssh"})
BECOME = {"sudo": ("sudo", "-n", "-u"), "doas": ("doas", "-n", "-u")}
"""Programs that become another user without asking for a password."""


def hosts_of(variables: Variables) -> "Hosts":
    """Return the function that says how the plays reach each managed device of a service over SSH.

    It raises AnsibleError where a device is reached in a way that only plays can take.

    Args:
        variables: those of the task; ``hostvars`` among them says how the plays reach each device.
    """

    def hosts(plan: "Plan") -> "dict[str, SshHost]":
        return {device.name: ssh_host(device, plan, variables) for device in plan.managed()}

    return hosts


def ssh_host(device: "Device", plan: "Plan", variables: Variables) -> "SshHost":
    """Return how the plays reach a device.

    Variables are taken as Ansible's own plugin takes them: aliases, command line and settings included.

    Raises:
        AnsibleError: the plays reach it by another plugin than ssh, or by a password.
    """
    name = device.name
    ours = package("heiiki.management").SshManagement()
    own = {"inventory_hostname": name, "ansible_host": ours.ansible_host(plan, name)}
    own |= ours.ansible_variables(plan)
    given = variables.get("hostvars", {})
    # Ansible's mapping answers `get` with a marker for a host that it does not know.
    found: Variables = given[name] if name in given else own  # noqa: SIM401
    kind = str(found.get("ansible_connection", "ssh"))
    if kind not in SSH:
        raise AnsibleError(f"{name}: ansible_connection is {kind}: devices are observed over ssh only")
    get = _options(found)
    if get("password"):
        raise AnsibleError(
            f"{name}: ansible_password is set: devices are observed with keys only; use an SSH key or agent"
        )
    made: SshHost = package("heiiki.transport").SshHost(
        address=str(get("host") or own["ansible_host"]),
        user=str(get("remote_user") or plan.management.user),
        port=int(get("port")) if get("port") else None,
        become=_become(name, found),
        options=tuple(_arguments(get)),
        program=str(get("ssh_executable")),
    )
    return made


def _options(found: Variables) -> Any:
    """Return the function that reads an option of Ansible's plugin ssh for the host with these variables."""
    connection = connection_loader.get("ssh", PlayContext(), os.devnull)
    names = constants.config.get_plugin_vars("connection", "ssh")
    connection.set_options(var_options={name: found[name] for name in names if name in found})
    return connection.get_option


def _arguments(get: Any) -> Iterator[str]:
    if key := get("private_key_file"):
        yield from ("-o", f"IdentityFile={Path(str(key)).expanduser()}")
    if not get("host_key_checking"):
        yield from ("-o", "StrictHostKeyChecking=no")
    for name in ("ssh_args", "ssh_common_args", "ssh_extra_args"):
        yield from shlex.split(str(get(name) or ""))


def _become(name: str, found: Variables) -> tuple[str, ...]:
    if not boolean(found.get("ansible_become", False)):
        return ()
    method = str(found.get("ansible_become_method", "sudo")).removeprefix("ansible.builtin.")
    if method not in BECOME:
        known = " or ".join(BECOME)
        raise AnsibleError(f"{name}: ansible_become_method is {method}: observation knows {known} only")
    user = str(found.get("ansible_become_user", "root"))
    return (*BECOME[method], user, "--") if method == "sudo" else (*BECOME[method], user)
