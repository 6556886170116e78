# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
name: intent
short_description: The written service is the inventory
version_added: 0.1.0
author: Heiiki contributors (@heiiki)
description:
  - Reads a service's folder (C(service.yml) and C(sites/)), resolves its plan, and adds every device as a
    host.
  - "Groups: V(managed), in plan order, and V(unmanaged). A managed device is also in the group of its role
    (V(ce_router)), of its function (V(function_pe)), of its closed networks (V(network_a), V(network_b)), and
    of its site, which is called as the site is."
  - A device that no role of ours provisions, or that is shut out (C(revoked.yml)), is in C(unmanaged) and in
    no other group.
  - "Every host carries C(heiiki_device), C(heiiki_role), C(heiiki_function), C(heiiki_site) (V(null)
    outside a site), C(heiiki_networks), C(heiiki_sessions), C(heiiki_certificate) (whether it holds a
    certificate) and the service's way of reaching devices; C(all) carries C(heiiki_service), C(heiiki_lab)
    (whether devices are nodes of the lab), C(heiiki_service_dir), C(heiiki_artifacts) and C(heiiki_build)."
  - The intent is read anew in each run; nothing is cached.
options:
  plugin:
    description: Named only where a settings file is wanted; the plugin needs none.
    type: str
    choices: [heiiki.network.intent]
"""

EXAMPLES = r"""
# ansible.cfg
#   [inventory]
#   enable_plugins = heiiki.network.intent
#
# $ ansible-inventory -i inventories/lab --graph umeda
# @umeda:
#   |--umeda-bems
#   |--umeda-ce-a
#   |--umeda-gw-b
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import load_plan, package

if TYPE_CHECKING:
    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader

    from heiiki.plan.model import Device, Management, Plan

SERVICE_FILE = "service.yml"
MANAGED = "managed"
UNMANAGED = "unmanaged"


def service_folder(path: Path) -> Path | None:
    """Return the folder of the service whose file `path` is, or stands beside or below; else None."""
    return next(
        (folder for folder in (path.parent, path.parent.parent) if (folder / SERVICE_FILE).is_file()), None
    )


def groups(device: "Device") -> Iterator[str]:
    """Yield the groups of a managed device, its site's excepted."""
    yield str(device.role)
    yield f"function_{device.function.lower().replace(' ', '_')}"
    yield from (f"network_{letter}" for letter in device.networks)


def sessions(device: "Device", out: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Return the BGP sessions that must come up on a device: peer's name, address, VRF.

    Those with devices that are shut out, `out`, never come up.
    """
    instances = device.router.bgp if device.router else ()
    return [
        {"peer": neighbor.device, "address": str(neighbor.address), "vrf": instance.vrf or "default"}
        for instance in instances
        for neighbor in instance.neighbors
        if neighbor.device not in out
    ]


def way_to(device: "Device", management: "Management") -> dict[str, Any]:
    """Return the variables by which Ansible reaches a device."""
    python = {"ansible_python_interpreter": "/usr/bin/python3"}
    if management.kind == "lab":
        return {"ansible_connection": "heiiki.network.lab", **python}
    return {
        "ansible_user": management.user,
        "ansible_host": f"{device.name}{management.host_suffix}",
        **({"ansible_become": True} if management.become else {}),
        **python,
    }


def host_variables(
    device: "Device", management: "Management", out: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return a device's variables.

    Args:
        device: the device.
        management: how the service's devices are reached.
        out: devices that are shut out.
    """
    return {
        "heiiki_device": device.name,
        "heiiki_role": str(device.role),
        "heiiki_function": str(device.function),
        "heiiki_site": device.site,
        "heiiki_networks": [str(network) for network in device.networks],
        "heiiki_sessions": sessions(device, out),
        "heiiki_certificate": device.identity is not None,
        **way_to(device, management),
    }


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]  # the base is not typed
    """Hosts and groups of one service."""

    NAME = "heiiki.network.intent"

    def verify_file(self, path: str) -> bool:
        """Claim a service's file, and the files that belong to it, so that no other plugin reads them."""
        return service_folder(Path(path)) is not None

    def parse(self, inventory: "InventoryData", loader: "DataLoader", path: str, cache: bool = True) -> None:
        """Add the hosts of the service whose file is `path`; the files beside it bring none of their own."""
        super().parse(inventory, loader, path, cache)
        if Path(path).name == SERVICE_FILE:
            # Each task of each host is a fork of this process: what is loaded here need not be loaded there.
            package("heiiki.pki.enrol")
            self._fill(load_plan(Path(path).parent), Path(path).parent.resolve())

    def _fill(self, plan: "Plan", folder: Path) -> None:
        self._common(plan, folder)
        self._add_groups(plan)
        out = frozenset(device.name for device in plan.devices if device.revoked)
        for device in plan.devices:
            self.inventory.add_host(device.name, group=MANAGED if device.managed else UNMANAGED)
            for name, value in host_variables(device, plan.management, out).items():
                self.inventory.set_variable(device.name, name, value)
            if device.managed:
                for group in (*groups(device), *([device.site] if device.site else [])):
                    self.inventory.add_child(group, device.name)

    def _common(self, plan: "Plan", folder: Path) -> None:
        artifacts = Path.cwd() / "artifacts" / plan.service
        common: dict[str, Any] = {
            "heiiki_service": plan.service,
            "heiiki_lab": plan.management.kind == "lab",
            "heiiki_service_dir": str(folder),
            "heiiki_artifacts": str(artifacts),
            "heiiki_build": str(artifacts / "build"),
        }
        for name, value in common.items():
            self.inventory.set_variable("all", name, value)

    def _add_groups(self, plan: "Plan") -> None:
        """Add every group; a site may not be called as another group or a device is."""
        taken = {group for device in plan.managed() for group in groups(device)}
        for group in (MANAGED, UNMANAGED, *sorted(taken)):
            self.inventory.add_group(group)
        devices = {device.name for device in plan.devices}
        for site in plan.sites:
            if site.name in taken | devices | {MANAGED, UNMANAGED, "all", "ungrouped"}:
                raise AnsibleParserError(
                    f"sites: {site.name}: the inventory has a group or device of that name; "
                    "give the site another name"
                )
            self.inventory.add_group(site.name)
