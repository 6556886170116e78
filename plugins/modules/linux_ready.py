#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: linux_ready
short_description: Wait until a Linux node does its work
version_added: 0.1.0
author: Heiiki contributors (@heiiki)
description:
  - Fails at once when a service that was applied does not run.
  - Then waits until the BGP sessions named are established, and fails naming those that are not.
  - A light look at one node; M(heiiki.network.verify) measures the service.
options:
  sessions:
    description: BGP sessions that must come up; C(peer) is the other device's name.
    type: list
    elements: dict
    default: []
    suboptions:
      peer:
        description: Name of the device at the other end.
        type: str
        required: true
      address:
        description: Address of the neighbour.
        type: str
        required: true
      vrf:
        description: VRF of the session.
        type: str
        default: default
  wait_s:
    description: Seconds within which the sessions must come up.
    type: float
    default: 180.0
attributes:
  check_mode:
    description: Looks at nothing in check mode, since nothing was applied; says so.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Works on.
    support: full
    platforms: linux
"""

EXAMPLES = r"""
- name: Ensure that the sessions come up
  heiiki.network.linux_ready:
    sessions:
      - {peer: a-pe1, address: 10.80.0.1}
"""

RETURN = r"""
services:
  description: Services that run.
  returned: success
  type: list
  elements: str
waited_s:
  description: Seconds until every session was up.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.heiiki.network.plugins.module_utils.readiness import examine
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import ServiceError


def main() -> None:
    """Run as an Ansible module."""
    session = {
        "peer": {"type": "str", "required": True},
        "address": {"type": "str", "required": True},
        "vrf": {"type": "str", "default": "default"},
    }
    module = AnsibleModule(
        argument_spec={
            "sessions": {"type": "list", "elements": "dict", "options": session, "default": []},
            "wait_s": {"type": "float", "default": 180.0},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, skipped=True, msg="not examined in check mode")
    try:
        module.exit_json(changed=False, **examine(module.params["sessions"], module.params["wait_s"]))
    except (ServiceError, ValueError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
