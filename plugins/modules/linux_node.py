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
  - A service whose running configuration is not that of its files, or of the last run, is reloaded, and the
    diff says so. Of the packet filter it shows each rule that differs.
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
    description: For the action plugin. Entries of the device's C(manifest.json), each with its C(content).
    type: list
    elements: dict
    default: []
  services:
    description: Entries of the device's C(manifest.json), in the order in which services are started.
    type: list
    elements: dict
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import apply
from ansible_collections.heiiki.network.plugins.module_utils.node_files import NodeError
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import (
    ManagedFile,
    ManagedService,
    parse,
)
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import ServiceError, find

ARGUMENTS = {
    "device": {"type": "str"},
    "build": {"type": "path"},
    "secret_state": {"type": "path", "no_log": False},
    "files": {"type": "list", "elements": "dict", "default": []},
    "services": {"type": "list", "elements": "dict", "default": []},
    "service_dir": {"type": "path"},
    "secrets": {"type": "dict", "no_log": True, "default": {}},
}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        outcome = apply(
            parse(ManagedFile, module.params["files"]),
            parse(ManagedService, module.params["services"]),
            secrets=module.params["secrets"],
            manager=find(),
            check=module.check_mode,
        )
    except (NodeError, ServiceError, OSError, ValueError) as error:
        module.fail_json(msg=f"{module.params['device']}: {error}")
    else:
        answer = outcome.answer()
        for text in answer.pop("warnings"):
            module.warn(text)
        module.exit_json(**answer)


if __name__ == "__main__":
    main()
