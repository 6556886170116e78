#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: linux_settled
short_description: Tell whether a Linux node is already what its role says
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Looks in one call at everything that a role looks at in several. Files and services are those of the
    build, what they have loaded is what was applied, the certificate is good, the BGP sessions are up.
  - A play passes a role over for a node that is settled. For any other the role runs as ever, finds by itself
    what is to be done, and shows it.
  - Whatever cannot be examined counts as not settled. So does a node whose files hold secrets.
options:
  device:
    description: Name of the device. The action plugin takes it from the inventory.
    type: str
  build:
    description: Folder into which M(heiiki.network.compile) wrote. Needed by the action plugin alone.
    type: path
  service_dir:
    description: Folder of the service, with its C(service.yml). Needed by the action plugin alone.
    type: path
  secret_state:
    description: State folder of the secret source on the controller; its own default when left out.
    type: path
  certificate:
    description: Whether the device has a certificate of its own. Needed by the action plugin alone.
    type: bool
    default: false
  sessions:
    description: BGP sessions that must be up, as for M(heiiki.network.linux_ready).
    type: list
    elements: dict
    default: []
  links:
    description: Symbolic links that must be there besides, path to target.
    type: dict
    default: {}
  files:
    description: For the action plugin. Path, digest, mode, owner, service and secrecy of each file.
    type: list
    elements: dict
    default: []
  services:
    description: For the action plugin. The device's services, in the order in which they are started.
    type: list
    elements: dict
    default: []
  wanted:
    description: For the action plugin. What the certificate must be; empty where there is none.
    type: dict
    default: {}
  program:
    description: The device's program for its certificate.
    type: path
    default: /usr/local/lib/heiiki/credentials.py
  config:
    description: Its configuration.
    type: path
    default: /etc/heiiki/credentials.json
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Works on.
    support: full
    platforms: linux
seealso:
  - module: heiiki.network.linux_node
  - module: heiiki.network.certificate
  - module: heiiki.network.linux_ready
"""

EXAMPLES = r"""
- name: See whether the device is what its role says
  heiiki.network.linux_settled:
    build: "{{ heiiki_build }}"
    service_dir: "{{ heiiki_service_dir }}"
    certificate: "{{ heiiki_certificate }}"
    sessions: "{{ heiiki_sessions }}"
  register: device_settled
"""

RETURN = r"""
settled:
  description: Whether the role would find nothing to do.
  returned: success
  type: bool
why:
  description: The first thing that it would look into, empty when settled.
  returned: success
  type: str
  sample: /etc/frr/frr.conf differs
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.heiiki.network.plugins.module_utils.bgp_sessions import SUMMARY, pending, states
from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import (
    WHERE,
    DeviceError,
    Program,
    anchors_differ,
    reasons,
)
from ansible_collections.heiiki.network.plugins.module_utils.journal import (
    Journal,
    NodeError,
    ownership,
    read,
)
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import (
    ManagedService,
    Owned,
    running_digest,
)
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import (
    OWNED,
    ServiceError,
    ServiceManager,
    find,
    run,
)

ARGUMENTS = {
    "device": {"type": "str"},
    "build": {"type": "path"},
    "service_dir": {"type": "path"},
    "secret_state": {"type": "path", "no_log": False},
    "certificate": {"type": "bool", "default": False},
    "sessions": {"type": "list", "elements": "dict", "default": []},
    "links": {"type": "dict", "default": {}},
    "files": {"type": "list", "elements": "dict", "default": []},
    "services": {"type": "list", "elements": "dict", "default": []},
    "wanted": {"type": "dict", "default": {}},
    **WHERE,
}


def unsettled(wanted: Mapping[str, Any], manager: ServiceManager, root: Path = Path("/")) -> Iterator[str]:
    """Yield what a role would look into, what is cheap to see first.

    Args:
        wanted: the module's parameters.
        manager: knows which services run.
        root: where the node's files stand.
    """
    record = read(root / OWNED)
    if record is None:
        yield "nothing was applied yet"
        return
    if Journal(root).found():
        yield "an earlier run was cut off"
    owned = Owned.parse(record.data)
    yield from _files(wanted["files"], owned, root)
    for path, target in wanted["links"].items():
        link = root / path.lstrip("/")
        if not link.is_symlink() or str(link.readlink()) != target:
            yield f"{path} does not lead to {target}"
    yield from _services(wanted["services"], owned, manager)
    if wanted["wanted"]:
        yield from _certificate(Program(wanted["program"], wanted["config"]), wanted["wanted"])
    if wanted["sessions"]:
        yield from pending(wanted["sessions"], states(json.loads(run(SUMMARY))))


def _files(files: Sequence[Mapping[str, Any]], owned: Owned, root: Path) -> Iterator[str]:
    belonging = {file["path"]: {key: file[key] for key in ("service", "secret")} for file in files}
    if belonging != owned.files:
        yield "other files than those of the build were applied"
    for file in files:
        found = read(root / file["path"].lstrip("/"))
        if found is None or hashlib.sha256(found.data).hexdigest() != file["sha256"]:
            yield f"{file['path']} differs"
        elif found.stat != ownership(file["owner"], file["mode"]):
            yield f"{file['path']} has another owner or mode"


def _services(services: Sequence[Mapping[str, Any]], owned: Owned, manager: ServiceManager) -> Iterator[str]:
    belonging = tuple({key: service[key] for key in ("name", "on_change")} for service in services)
    if belonging != owned.services:
        yield "other services than those of the build were applied"
    for service in services:
        name, command = service["name"], tuple(service["running"])
        if not manager.is_active(name):
            yield f"{name} does not run"
        elif command and running_digest(ManagedService(name, running=command)) != owned.running.get(name):
            yield f"the running configuration of {name} is not what was applied"


def _certificate(program: Program, wanted: Mapping[str, Any]) -> Iterator[str]:
    status = program("status")
    yield from reasons(status, wanted)
    if anchors_differ(status, wanted):
        yield "its trust anchors are others"
    if not status["loaded"]:
        yield "what uses the certificate has not loaded it"


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        why = next(unsettled(module.params, find()), "")
    except (NodeError, ServiceError, DeviceError, OSError, ValueError) as error:
        why = str(error)
    module.exit_json(changed=False, settled=not why, why=why)


if __name__ == "__main__":
    main()
