#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: rotation
short_description: Replace the issuing CA or the root CA while the service goes on
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Takes one step of the replacement of a CA, where it is due. Between the steps every device gets its trust
    anchors and its certificate (M(heiiki.network.certificate)); the playbook C(rotate.yml) has them in order.
  - What is due follows from the server and from the devices alone. A run that was cut off is run again, and
    goes on from there; what the server did by halves is made good first.
  - No step is taken before every device was seen to be ready for it. One that does not answer is not ready;
    one that is revoked (C(revoked.yml)) is not asked.
  - Needs the unseal keys, or a root token in C(VAULT_TOKEN), where a CA is made or withdrawn.
  - Runs wholly on the controller; use C(run_once).
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.secrets
  - heiiki.network.service.controller
options:
  authority:
    description: Which CA is replaced. A new root gets a new issuing CA below it.
    type: str
    choices: [issuing, root]
    required: true
  step:
    description:
      - V(begin) makes the new CA. An issuing CA signs from then on, and every verifier fetches its list
        before the first certificate of it is in use. A new root stands beside the old one.
      - V(sign) makes an issuing CA below the new root, when every device trusts that; nothing for V(issuing).
      - V(retire) withdraws what was replaced, when every device uses a certificate of the new CA.
      - V(finish) has the verifiers fetch the lists, and sees that every device has forgotten the old CA.
    type: str
    choices: [begin, sign, retire, finish]
    required: true
  again:
    description: Begin another rotation although one was brought to its end less than a day ago.
    type: bool
    default: false
  artifacts:
    description: Folder below which the evidence is written, as C(rotation/CA.json).
    type: path
    required: true
attributes:
  check_mode:
    description: Says which phase the rotation is in, what would be made, and which devices are not ready.
    support: full
  diff_mode:
    description: Shows the names of CAs.
    support: full
seealso:
  - module: heiiki.network.certificate
  - module: heiiki.network.vault_pki
"""

EXAMPLES = r"""
- name: Ensure that the new issuing CA signs
  heiiki.network.rotation:
    authority: issuing
    step: begin
    service_dir: "{{ heiiki_service_dir }}"
    artifacts: "{{ heiiki_artifacts }}"
  run_once: true
"""

RETURN = r"""
authority:
  description: The CA of that kind that signs now.
  returned: success
  type: str
  sample: issuing-2
phase:
  description: Where the rotation is.
  returned: success
  type: str
next:
  description: What comes next.
  returned: success
  type: str
devices:
  description: What each device that was asked has, as human-readable text.
  returned: success
  type: dict
  sample: {umeda-gw-b: uses it}
evidence:
  description: Path of the evidence.
  returned: when something was done
  type: str
"""
