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
  - A device that no role of ours provisions, or that is revoked (C(revoked.yml)), is in C(unmanaged) and in
    no other group; a CE router of a vendor's platform is in V(by_hand) too. Its configuration is compiled,
    and C(push.yml) brings it there; no other play changes it or waits for it.
  - "Every host carries C(heiiki_device), C(heiiki_role), C(heiiki_function), C(heiiki_site) (V(null)
    outside a site), C(heiiki_networks), C(heiiki_sessions), C(heiiki_certificate) (whether it holds a
    certificate), C(heiiki_wireless) (whether its LAN is on the air), C(heiiki_dot1x) (whether it
    is wired with IEEE 802.1X), C(heiiki_optical) (whether it has to do with lines by PPPoE),
    C(heiiki_signs) (whether its messages of OpenADR are signed), C(heiiki_xmpp) (whether it speaks
    OpenADR over XMPP), C(heiiki_doubled) (whether it keeps the VTN's book with a second host) and the
    service's way of reaching devices; C(all) carries C(heiiki_service), C(heiiki_lab) (whether devices are
    nodes of the lab), C(heiiki_service_dir), C(heiiki_artifacts) and C(heiiki_build)."
  - The intent is read again in each run; nothing is cached.
  - A service is named by its folder (C(-i inventories/lab)), by its C(service.yml), or by a settings file of
    this plugin, which may stand anywhere. With C(plugin) in C(service.yml) or in a settings file Ansible's
    plugin P(ansible.builtin.auto#inventory) finds this one, so that no C(enable_plugins) is needed.
  - One run has one service. A path inside a service that is not the service itself is refused, as is a second
    service.
  - C(ansible_user), C(ansible_connection) and C(ansible_python_interpreter) are set on the groups V(managed)
    and V(unmanaged), so that C(group_vars/all.yml) has precedence over them; C(ansible_host) is set on each
    host, and C(host_vars) have precedence over it.
options:
  plugin:
    description:
      - Names this plugin in a settings file, or in C(service.yml) itself.
    type: str
    choices: [heiiki.network.intent]
  service:
    description:
      - Folder of the service, relative to the settings file. By default the settings file's own folder.
    type: str
  artifacts:
    description:
      - Folder for reports, evidence and builds, a folder for each service below it; in a settings file it is
        relative to that file, in C(ansible.cfg) to that one.
      - By default C(services/NAME/artifacts) in the state folder (E(HEIIKI_STATE), or C(heiiki) below
        E(XDG_STATE_HOME), or C(~/.local/state/heiiki)). It does not depend on the working folder.
      - In a container that is thrown away, as AWX's, name a volume that stays.
    type: path
    env:
      - name: HEIIKI_ARTIFACTS
    ini:
      - section: heiiki
        key: artifacts
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

# A settings file, such as inventories/osaka.yml, for `-i inventories/osaka.yml` or as AWX's inventory file
plugin: heiiki.network.intent
service: osaka
artifacts: /var/lib/heiiki/artifacts
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml
from ansible import constants, context
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.template import trust_as_template
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    load_plan,
    package,
    translated,
)
from ansible_collections.heiiki.network.plugins.plugin_utils.run_end import revoke_at_end

if TYPE_CHECKING:
    from ansible.inventory.data import InventoryData
    from ansible.parsing.dataloader import DataLoader

    from heiiki.management import Management
    from heiiki.plan.model import Device, Plan

SERVICE_FILE = "service.yml"
PARTS = frozenset({SERVICE_FILE, "retired.yml", "revoked.yml"})
MANAGED = "managed"
UNMANAGED = "unmanaged"
BY_HAND = "by_hand"
NAME = "heiiki.network.intent"
MARKS = ("{{", "{%", "{#")


def service_folder(path: Path) -> Path | None:
    """Return the folder of the service whose file `path` is, or stands beside or below; else None."""
    return next((folder for folder in path.parents if (folder / SERVICE_FILE).is_file()), None)


def is_part(path: Path, service: Path) -> bool:
    """Tell whether a file below a service's folder is one of the service's own."""
    relative = path.relative_to(service)
    return relative.parts[0] == "sites" or str(relative) in PARTS


def is_settings(path: Path) -> bool:
    """Tell whether a file is a settings file of this plugin."""
    if path.suffix not in (".yml", ".yaml") or not path.is_file() or path.name == SERVICE_FILE:
        return False
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text) if NAME in text else None
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(document, dict) and document.get("plugin") == NAME


def is_named(service: Path) -> bool:
    """Tell whether the service in a folder is among the inventories of this run, by itself or in a folder."""
    sources = context.CLIARGS.get("inventory") or constants.DEFAULT_HOST_LIST or ()
    named = [Path(source).absolute().resolve() for source in sources if "," not in source]
    file = service.resolve() / SERVICE_FILE
    return any(file == path or path in file.parents for path in named)


def groups(device: "Device") -> Iterator[str]:
    """Yield the groups of a managed device, its site's excepted."""
    yield str(device.role)
    yield f"function_{device.function.lower().replace(' ', '_')}"
    yield from (f"network_{letter}" for letter in device.networks)


def sessions(device: "Device", out: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Return the BGP sessions that must come up on a device: peer's name, address, VRF.

    Those with the devices in `out` are not waited for.
    """
    instances = device.router.bgp if device.router else ()
    return [
        {"peer": neighbor.device, "address": str(neighbor.address), "vrf": instance.vrf or "default"}
        for instance in instances
        for neighbor in instance.neighbors
        if neighbor.device not in out
    ]


def reached(plan: "Plan") -> "Management":
    """Return how the devices of a service are reached.

    Raises:
        AnsibleError: no package that is installed brings it.
    """
    with translated():
        return cast("Management", package("heiiki.management").management(plan))


def connection(plan: "Plan") -> dict[str, Any]:
    """Return the variables by which Ansible reaches every device."""
    return {"ansible_python_interpreter": "/usr/bin/python3", **reached(plan).ansible_variables(plan)}


def host_variables(device: "Device", plan: "Plan", out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return a device's variables.

    Args:
        device: the device.
        plan: the service.
        out: devices whose sessions are not waited for.
    """
    host = reached(plan).ansible_host(plan, device.name)
    return {
        "heiiki_device": device.name,
        "heiiki_role": str(device.role),
        "heiiki_function": str(device.function),
        "heiiki_site": device.site,
        "heiiki_networks": [str(network) for network in device.networks],
        "heiiki_sessions": sessions(device, out),
        "heiiki_certificate": device.identity is not None,
        "heiiki_wireless": device.access_point is not None or device.station is not None,
        "heiiki_dot1x": device.controlled_port is not None,
        "heiiki_optical": bool(device.pppoe or device.pppoe_lines or device.radius_proxy),
        "heiiki_signs": any(end.signed for end in (device.vtn, device.ven) if end is not None),
        "heiiki_xmpp": any(end.xmpp is not None for end in (device.vtn, device.ven) if end is not None),
        "heiiki_doubled": device.vtn is not None and device.vtn.doubled is not None,
        **({"ansible_host": host} if host else {}),
    }


def plain(value: Any) -> Any:
    """Return a value that `ansible-inventory` shows as it is: texts without a mark of trust it does not.

    The attribute `trusted_by_default` would do, but not where a file that another plugin reads comes first:
    ansible-core 2.19 keeps that plugin's answer for all.
    """
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]  # the base is not typed
    """Hosts and groups of one service."""

    NAME = NAME

    def verify_file(self, path: str) -> bool:
        """Claim a service's files and settings files; other files there only if nothing else reads them."""
        file = Path(path)
        if is_settings(file):
            return True
        service = service_folder(file)
        if service is None:
            return False
        others = set(constants.INVENTORY_ENABLED) - {NAME, "auto", "ansible.builtin.auto"}
        return is_part(file, service) or not others

    def parse(self, inventory: "InventoryData", loader: "DataLoader", path: str, cache: bool = True) -> None:
        """Add the hosts of the service whose file, or settings file, is `path`.

        The service's other files bring none of their own: they are refused where nothing names the service.
        """
        super().parse(inventory, loader, path, cache)
        file = Path(path)
        if file.name == SERVICE_FILE:
            self.set_options()
            self._read(file.parent, self.get_option("artifacts"))
        elif is_settings(file):
            self._read(*self._settings(file))
        elif service := service_folder(file):
            self._beside(file, service)

    def _beside(self, file: Path, service: Path) -> None:
        """Say what becomes of a file of a service's folder that is not the service itself."""
        if not is_named(service):
            raise AnsibleParserError(
                f"{file}: is in the folder of the service in {service}, which is not an inventory of this "
                f"run; use -i {service}, and --limit for one site"
            )
        if not is_part(file, service):
            self.display.warning(f"{file}: is no file of the service in {service}: nothing is read from it")

    def _settings(self, file: Path) -> tuple[Path, str | None]:
        """Return the service's folder and the artifacts' that a settings file names."""
        config = self._read_config_data(str(file))
        service = file.parent / str(config.get("service") or ".")
        if not (service / SERVICE_FILE).is_file():
            raise AnsibleParserError(
                f"{file}: service: there is no {SERVICE_FILE} in {service}; name the service's folder"
            )
        if given := config.get("artifacts"):
            return service, str(file.parent.absolute() / Path(str(given)).expanduser())
        return service, self.get_option("artifacts")

    def _read(self, service: Path, artifacts: str | None) -> None:
        """Add a service, unless it is there already."""
        folder = service.resolve()
        present = self.inventory.groups["all"].get_vars().get("heiiki_service_dir")
        if present == str(folder):
            return
        if present:
            raise AnsibleParserError(
                f"two services in one run: {present} and {folder}; their devices have names in common: "
                "name one of them by -i"
            )
        # Each task of each host is a fork of this process: what is loaded here need not be loaded there.
        for what_hosts_need in ("heiiki.pki.enrol", "heiiki.pki.server.secrets"):
            package(what_hosts_need)
        plan = load_plan(service)
        self._fill(plan, folder, artifacts)
        revoke_at_end(folder, package("heiiki.state").run_folder(plan.service))

    def _fill(self, plan: "Plan", folder: Path, artifacts: str | None = None) -> None:
        self._add_groups(plan)
        self._common(plan, folder, artifacts)
        # Who is revoked never answers; whether somebody has loaded a vendor's file yet, no play knows.
        never = plan.revoked | {device.name for device in plan.by_hand()}
        for device in plan.devices:
            self.inventory.add_host(device.name, group=MANAGED if device.managed else UNMANAGED)
            for name, value in host_variables(device, plan, never).items():
                self._variable(device.name, name, value)
            if device.by_hand:
                self.inventory.add_child(BY_HAND, device.name)
            if device.managed:
                for group in (*groups(device), *([device.site] if device.site else [])):
                    self.inventory.add_child(group, device.name)

    def _common(self, plan: "Plan", folder: Path, artifacts: str | None) -> None:
        state = package("heiiki.state")
        place = Path(artifacts) / plan.service if artifacts else state.artifacts(plan.service)
        common: dict[str, Any] = {
            "heiiki_service": plan.service,
            "heiiki_lab": reached(plan).simulated,
            "heiiki_service_dir": str(folder),
            "heiiki_artifacts": str(place),
            "heiiki_build": str(place / "build"),
        }
        for name, value in common.items():
            self._variable("all", name, value)
        for name, value in connection(plan).items():
            for group in (MANAGED, UNMANAGED):
                self._variable(group, name, value)

    def _variable(self, entity: str, name: str, value: Any) -> None:
        """Set a variable; a text that Ansible would take for a template is refused."""
        if isinstance(value, str) and any(mark in value for mark in MARKS):
            raise AnsibleParserError(
                f"{name}: Ansible would read {value!r} as a template; choose another name"
            )
        self.inventory.set_variable(entity, name, plain(value))

    def _add_groups(self, plan: "Plan") -> None:
        """Add every group; a site may not be called as another group or a device is."""
        taken = {group for device in plan.managed() for group in groups(device)}
        by_hand = {BY_HAND for _ in plan.by_hand()}
        for group in (MANAGED, UNMANAGED, *sorted(taken | by_hand)):
            self.inventory.add_group(group)
        devices = {device.name for device in plan.devices}
        for site in plan.sites:
            if site.name in taken | devices | {MANAGED, UNMANAGED, "all", "ungrouped"}:
                raise AnsibleParserError(
                    f"sites: {site.name}: the inventory has a group or device of that name; "
                    "give the site another name"
                )
            self.inventory.add_group(site.name)
