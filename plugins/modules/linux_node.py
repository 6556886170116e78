#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: linux_node
short_description: Make a Linux node what its manifest says, in one call
version_added: 0.1.0
author: Heiiki contributors (@heiiki)
description:
  - Takes the whole of a role's work on one node. The action plugin of the same name reads the device's build
    on the controller and sends its files and services; everything else happens here.
  - Compares every file, validates every candidate before the first is installed, saves the old state in a
    journal below C(/var/lib/heiiki/journal), installs by rename, then starts, reloads or restarts what must
    notice, and checks health.
  - Whatever fails, the old files and services are brought back. A run that was cut off is rolled back by the
    next one.
  - Files and services of an earlier manifest that are in this one no longer are removed and stopped.
  - A service whose running configuration is not what the last run left is reloaded, and the diff says so.
extends_documentation_fragment:
  - heiiki.network.service.secrets
options:
  device:
    description: Name of the device. The action plugin takes it from the inventory.
    type: str
  build:
    description:
      - Folder on the controller into which M(heiiki.network.compile) wrote. Needed by the action plugin
        alone.
    type: path
  files:
    description: The device's files. The action plugin reads them from O(build).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path on the node.
        type: path
        required: true
      content:
        description: Text of the file; a secret stands in it as a placeholder.
        type: str
        required: true
      mode:
        description: Octal mode.
        type: str
        default: "0644"
      owner:
        description: Owning user, and group where there is one of that name.
        type: str
        default: root
      validate:
        description: Command that must exit 0 for the candidate, whose path replaces C({path}).
        type: list
        elements: str
        default: []
      service:
        description: Service that must notice a change.
        type: str
        default: ""
      secret:
        description: Show the file in no diff.
        type: bool
        default: false
  services:
    description: The device's services, in the order in which they are started.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Unit name without C(.service).
        type: str
        required: true
      on_change:
        description: What a changed file asks for.
        type: str
        choices: [reload, restart]
        default: restart
      health:
        description: Command that must exit 0 after a start, reload or restart.
        type: list
        elements: str
        default: []
      health_s:
        description: Seconds within which it must.
        type: float
        default: 60.0
      running:
        description: Command that prints the running configuration.
        type: list
        elements: str
        default: []
  service_dir:
    description:
      - Folder of the service whose Vault server holds the secrets; without it they are files of the
        controller. Needed by the action plugin alone.
    type: path
  secrets:
    description: Value of each placeholder in O(files).
    type: dict
    default: {}
attributes:
  check_mode:
    description:
      - Compares, reports, and changes nothing; candidates are not validated, since that would write them.
    support: full
  diff_mode:
    description: Shows every file; a file with secrets is shown as a digest.
    support: full
  platform:
    description: Works on.
    support: full
    platforms: linux
seealso:
  - module: heiiki.network.compile
"""

EXAMPLES = r"""
- name: Apply the compiled configuration
  heiiki.network.linux_node:
    build: "{{ heiiki_build }}"
"""

RETURN = r"""
files:
  description: Paths that changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/frr/frr.conf]
services:
  description: What was done with each service.
  returned: success
  type: dict
  sample: {frr: reloaded}
recovered:
  description: An earlier run had been cut off and was rolled back first.
  returned: success
  type: bool
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.heiiki.network.plugins.module_utils.journal import NodeError
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import (
    ManagedFile,
    ManagedService,
    Outcome,
    apply,
)
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import ServiceError, find

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "validate": {"type": "list", "elements": "str", "default": []},
    "service": {"type": "str", "default": ""},
    "secret": {"type": "bool", "default": False, "no_log": False},
}
SERVICE = {
    "name": {"type": "str", "required": True},
    "on_change": {"type": "str", "choices": ["reload", "restart"], "default": "restart"},
    "health": {"type": "list", "elements": "str", "default": []},
    "health_s": {"type": "float", "default": 60.0},
    "running": {"type": "list", "elements": "str", "default": []},
}
ARGUMENTS = {
    "device": {"type": "str"},
    "build": {"type": "path"},
    "secret_state": {"type": "path", "no_log": False},
    "files": {"type": "list", "elements": "dict", "options": FILE, "default": []},
    "services": {"type": "list", "elements": "dict", "options": SERVICE, "default": []},
    "service_dir": {"type": "path"},
    "secrets": {"type": "dict", "no_log": True, "default": {}},
}


def _file(entry: Mapping[str, Any]) -> ManagedFile:
    return ManagedFile(**{**entry, "validate": tuple(entry["validate"])})


def _service(entry: Mapping[str, Any]) -> ManagedService:
    return ManagedService(**{**entry, "health": tuple(entry["health"]), "running": tuple(entry["running"])})


def _answer(outcome: Outcome) -> dict[str, Any]:
    return {
        "changed": outcome.changed,
        "files": list(outcome.files),
        "services": dict(outcome.services),
        "recovered": outcome.recovered,
        "diff": [dict(entry) for entry in outcome.diff],
    }


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        outcome = apply(
            [_file(entry) for entry in module.params["files"]],
            [_service(entry) for entry in module.params["services"]],
            secrets=module.params["secrets"],
            manager=find(),
            check=module.check_mode,
        )
    except (NodeError, ServiceError, OSError) as error:
        module.fail_json(msg=f"{module.params['device']}: {error}")
    else:
        if outcome.recovered:
            module.warn("an earlier run was cut off here; what it had changed is rolled back first")
        module.exit_json(**_answer(outcome))


if __name__ == "__main__":
    main()
