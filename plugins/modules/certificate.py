#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: certificate
short_description: Give a device its certificate, and renew it in time
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Issues a certificate when a device has none, and a new one when O(renew_share) of its life is gone, its
    names are no longer the plan's, the issuing CA was replaced, something is wrong with it, or O(force) asks
    for it; otherwise leaves it alone.
  - Key and request are made on the device. The action plugin of the same name holds the request against the
    plan and has the Vault server make a token for one call under that device's names; it travels wrapped and
    can be opened once. The device opens it, has the request signed over its own way to the server, checks
    the answer, and installs key, certificate and chain together.
  - What uses the certificate then loads it. A run that was cut off before that does it the next time.
  - When the server is away or sealed, a device that needs nothing is left alone with a warning; so is one
    whose certificate is due for renewal alone, with the days left, until half of the time between renewal and
    end is gone. For any other that needs a certificate the task fails before anything has changed.
  - Warns of a CA that is to be rotated by now.
  - Logging in and reading the CAs' certificates happens once a run, however many devices it has.
extends_documentation_fragment:
  - heiiki.network.service.programs
  - heiiki.network.service.secrets
options:
  device:
    description: Name of the device. The action plugin takes it from the inventory.
    type: str
  service_dir:
    description: Folder of the service, with its C(service.yml). Needed by the action plugin alone.
    type: path
  force:
    description: Issue a new certificate even if the present one is good.
    type: bool
    default: false
  compromised:
    description:
      - Its key may be in other hands. Issues a new certificate, then revokes every other one of the device
        and removes their keys from it. O(force) alone leaves the former certificates good until they end.
    type: bool
    default: false
  reinstate:
    description:
      - The device takes the place of one that was revoked, and gets a certificate although the newest one
        under its names is revoked. For C(enrol.yml); without it, such a device is refused.
    type: bool
    default: false
  step:
    description: For the action plugin; it calls the module once for each step.
    type: str
    choices: [assess, install]
    default: assess
  request:
    description: For the action plugin. Make key and request when a certificate is needed.
    type: bool
    default: false
  url:
    description: For the action plugin. Where the device finds the Vault server.
    type: str
    default: ""
  others:
    description: For the action plugin. Further servers of its cluster, each with C(url) and C(host).
    type: list
    elements: dict
    default: []
  wait_s:
    description: Seconds within which the device must find a way to the server; a new network takes its time.
    type: int
    default: 240
  handed:
    description:
      - For the action plugin. The device finds a way to the server only with its certificate, so that the
        controller has the request signed and hands it over.
    type: bool
    default: false
  renew_share:
    description: For the action plugin. Share of a certificate's life after which it is renewed.
    type: float
    default: 0.66
  names:
    description: For the action plugin. Names that the plan gives the device.
    type: dict
    default: {}
  issuer_sha256:
    description: For the action plugin. Fingerprint of the CA that signs now, or empty when that is not known.
    type: str
    default: ""
  anchors:
    description: For the action plugin. Root certificates that the device is to trust, PEM.
    type: list
    elements: str
    default: []
  server_anchors:
    description: For the action plugin. Certificates that vouch for the Vault server besides, PEM.
    type: list
    elements: str
    default: []
  order:
    description: For the action plugin. What the device is to have signed, and where.
    type: dict
    default: {}
  token:
    description: For the action plugin. The wrapped token.
    type: str
    default: ""
attributes:
  check_mode:
    description: Says what would be done and why; makes no key and no token.
    support: full
  diff_mode:
    description: Shows serial number, issuer, dates and names, nothing secret.
    support: full
  platform:
    description: Works on.
    support: full
    platforms: linux
seealso:
  - module: heiiki.network.linux_node
"""

EXAMPLES = r"""
- name: Ensure that the device has a good certificate
  heiiki.network.certificate:
    service_dir: "{{ heiiki_service_dir }}"
"""

RETURN = r"""
reasons:
  description: Why a certificate was, or would be, issued; empty when it was left alone.
  returned: success
  type: list
  elements: str
  sample: [there is no certificate]
revoked:
  description: Serial numbers of the certificates that were revoked.
  returned: when O(compromised) and a certificate was issued
  type: list
  elements: str
margin:
  description: Whether a device that needs a certificate can wait for the server some days yet.
  returned: when a certificate is assessed
  type: bool
certificate:
  description: Serial number, names, dates, issuer and key of the certificate in use.
  returned: success
  type: dict
reloaded:
  description: Commands by which users loaded what is new.
  returned: success
  type: list
  elements: str
  sample: [swanctl --load-creds --noprompt]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.heiiki.network.plugins.module_utils.certificate_assessment import (
    assess,
    install,
)
from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import (
    WHERE,
    DeviceError,
    Program,
)

ARGUMENTS = {
    "device": {"type": "str"},
    "service_dir": {"type": "path"},
    "secret_state": {"type": "path", "no_log": False},
    "force": {"type": "bool", "default": False},
    "compromised": {"type": "bool", "default": False},
    "reinstate": {"type": "bool", "default": False},
    "step": {"type": "str", "choices": ["assess", "install"], "default": "assess"},
    "request": {"type": "bool", "default": False},
    "url": {"type": "str", "default": ""},
    "others": {"type": "list", "elements": "dict", "default": []},
    "wait_s": {"type": "int", "default": 240},
    "handed": {"type": "bool", "default": False},
    "renew_share": {"type": "float", "default": 0.66},
    "names": {"type": "dict", "default": {}},
    "issuer_sha256": {"type": "str", "default": ""},
    "anchors": {"type": "list", "elements": "str", "default": []},
    "server_anchors": {"type": "list", "elements": "str", "default": []},
    "order": {"type": "dict", "default": {}},
    "token": {"type": "str", "default": "", "no_log": True},
    **WHERE,
}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wanted = module.params
    program = Program(wanted["program"], wanted["config"])
    try:
        if wanted["step"] == "install":
            answer = install(program, wanted)
        else:
            answer = assess(program, wanted, check=module.check_mode)
    except (DeviceError, OSError, ValueError) as error:
        module.fail_json(msg=f"{wanted['device']}: {error}")
    else:
        for text in answer.pop("warnings", ()):
            module.warn(text)
        module.exit_json(**answer)


if __name__ == "__main__":
    main()
