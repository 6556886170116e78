#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: device
short_description: Provision a Linux device as compiled, in one task
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - "Takes the steps of a role in their order: preflight, application of files and services, certificate,
    readiness."
  - First the node is compared with its build. What differs is applied as M(heiiki.network.linux_node) does
    it, and the certificate is assessed as M(heiiki.network.certificate) does it, in the same call of the
    node. A device that is as compiled, with a good certificate and its sessions up, is left alone.
  - A device that needs a certificate is called a second time, to have its request signed and installed. The
    last call waits as M(heiiki.network.linux_ready) does.
  - Before anything is applied, programs and kernel features that the node lacks are named all at once.
  - A step that cannot be examined counts as due, so that it says itself what is wrong.
extends_documentation_fragment:
  - heiiki.network.service.programs
  - heiiki.network.service.secrets
options:
  device:
    description: Name of the device. The action plugin takes it from the inventory.
    type: str
  build:
    description: Folder on the controller into which M(heiiki.network.compile) wrote; for the action plugin.
    type: path
  service_dir:
    description:
      - Folder of the service. Needed by the action plugin where the device has a certificate or its files
        hold secrets.
    type: path
  certificate:
    description: Whether the device has a certificate of its own.
    type: bool
    default: false
  reinstate:
    description: The device takes the place of one that was revoked; see M(heiiki.network.certificate).
    type: bool
    default: false
  sessions:
    description:
      - The device's BGP sessions, as for M(heiiki.network.linux_ready). Those with devices earlier in the
        same play are awaited; each session is thus awaited once, by the later of its two devices.
    type: list
    elements: dict
    default: []
  wait_s:
    description: Seconds within which those sessions must come up.
    type: float
    default: 180.0
  programs:
    description:
      - Programs that the node must have, and the Debian package that brings each.
      - A name that begins with C(python3:) is a module of the node's Python, C(python3:NAME) or
        C(python3:NAME>=MAJOR).
    type: dict
    default: {}
  features:
    description: Kernel features that the node must have.
    type: list
    elements: str
    choices: [vrf, mpls, gre, esp, nftables, shaping, pppoe]
    default: []
  accounts:
    description: System accounts without home folder and shell that the build's files rely on.
    type: list
    elements: str
    default: []
  links:
    description: Symbolic links that the build's units rely on, path to target.
    type: dict
    default: {}
  steps:
    description: The steps to take; V(apply) includes the preflight.
    type: list
    elements: str
    choices: [apply, certificate, ready]
    default: [apply, certificate, ready]
  sent:
    description: For the action plugin. The device's files with their content, services and secrets, packed.
    type: str
    default: ""
  certificate_wanted:
    description: For the action plugin. What the certificate must be.
    type: dict
    default: {}
  order:
    description: For the action plugin. What the device is to have signed, and where.
    type: dict
    default: {}
  token:
    description: For the action plugin. The wrapped token for O(order); a device that is given one enrols.
    type: str
    default: ""
attributes:
  check_mode:
    description: Says what each step would change; nothing is changed, and sessions are not awaited.
    support: full
  diff_mode:
    description: Shows files, services and certificate; nothing secret.
    support: full
  platform:
    description: Works on.
    support: full
    platforms: linux
seealso:
  - module: heiiki.network.compile
  - module: heiiki.network.linux_preflight
  - module: heiiki.network.linux_node
  - module: heiiki.network.certificate
  - module: heiiki.network.linux_ready
"""

EXAMPLES = r"""
- name: Ensure that the device is as compiled
  heiiki.network.device:
    build: "{{ heiiki_build }}"
    service_dir: "{{ heiiki_service_dir }}"
    certificate: "{{ heiiki_certificate }}"
    sessions: "{{ heiiki_sessions }}"
    programs: {nft: nftables}
    features: [nftables]
"""

RETURN = r"""
due:
  description: Why each step was taken, by step; empty for a device that was left alone.
  returned: success
  type: dict
  sample: {apply: [/etc/frr/frr.conf differs]}
files:
  description: Paths that changed.
  returned: when files were applied
  type: list
  elements: str
services:
  description: What was done with each service.
  returned: when files were applied
  type: dict
  sample: {frr: reloaded}
waited_s:
  description: Seconds until every session was up.
  returned: when sessions were awaited
  type: float
certificate:
  description: Serial number, names, dates, issuer and key of the certificate in use.
  returned: when the device has a certificate
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import WHERE
from ansible_collections.heiiki.network.plugins.module_utils.device_look import FAILURES
from ansible_collections.heiiki.network.plugins.module_utils.device_provision import enrol, provision
from ansible_collections.heiiki.network.plugins.module_utils.preflight import FEATURES
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import find

STEPS = ["apply", "certificate", "ready"]
ARGUMENTS = {
    "device": {"type": "str"},
    "build": {"type": "path"},
    "service_dir": {"type": "path"},
    "secret_state": {"type": "path", "no_log": False},
    "certificate": {"type": "bool", "default": False},
    "reinstate": {"type": "bool", "default": False},
    "sessions": {"type": "list", "elements": "dict", "default": []},
    "wait_s": {"type": "float", "default": 180.0},
    "programs": {"type": "dict", "default": {}},
    "features": {"type": "list", "elements": "str", "choices": sorted(FEATURES), "default": []},
    "accounts": {"type": "list", "elements": "str", "default": []},
    "links": {"type": "dict", "default": {}},
    "steps": {"type": "list", "elements": "str", "choices": STEPS, "default": STEPS},
    # With the secrets in it. Being one text, it hides no word of the answer, as a list of files would.
    "sent": {"type": "str", "default": "", "no_log": True},
    "certificate_wanted": {"type": "dict", "default": {}},
    "order": {"type": "dict", "default": {}},
    "token": {"type": "str", "default": "", "no_log": True},
    **WHERE,
}


def main() -> None:
    """Run as an Ansible module: all steps that the node can take, or those that follow its request."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    given = module.params
    try:
        answer = enrol(given) if given["order"] else provision(given, find(), check=module.check_mode)
    except FAILURES as error:
        module.fail_json(msg=f"{given['device']}: {error}")
    else:
        for text in answer.pop("warnings", ()):
            module.warn(text)
        if answer.pop("failed", False):
            module.fail_json(**answer)
        module.exit_json(**answer)


if __name__ == "__main__":
    main()
