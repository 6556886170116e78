#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: linux_preflight
short_description: Tell what a Linux node lacks before anything is changed on it
version_added: 0.1.0
author: Heiiki contributors (@heiiki)
description:
  - Looks for the programs and kernel features that a role needs, and fails with one message that names all
    that is missing and what to install.
  - Kernel features are tried in a network namespace that is gone afterwards; nothing on the node changes.
options:
  programs:
    description:
      - Programs that must be there, and the Debian package that brings each.
      - A name that begins with C(python3:) is a module of the node's Python, C(python3:NAME) or
        C(python3:NAME>=MAJOR).
    type: dict
    default: {}
  features:
    description: Kernel features that must be there.
    type: list
    elements: str
    choices: [vrf, mpls, gre, esp, nftables, shaping, pppoe]
    default: []
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
"""

EXAMPLES = r"""
- name: Ensure that the node can be a provider edge router
  heiiki.network.linux_preflight:
    programs: {vtysh: frr, nft: nftables}
    features: [vrf, mpls]
"""

RETURN = r"""
missing:
  description: What is missing, one sentence each.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.heiiki.network.plugins.module_utils.preflight import (
    FEATURES,
    missing_features,
    missing_programs,
)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "programs": {"type": "dict", "default": {}},
            "features": {"type": "list", "elements": "str", "choices": sorted(FEATURES), "default": []},
        },
        supports_check_mode=True,
    )
    missing = [*missing_programs(module.params["programs"]), *missing_features(module.params["features"])]
    if missing:
        module.fail_json(msg=f"nothing was changed; this node lacks: {'; '.join(missing)}", missing=missing)
    module.exit_json(changed=False, missing=[])


if __name__ == "__main__":
    main()
