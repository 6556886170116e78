#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: device_revocation
short_description: Revoke a device that was lost or stolen
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Marks the device in C(revoked.yml), so that no later run gives it access again. Then, side by side, has
    every device that it has an IPsec connection with withdraw and end that connection; marks it at the Vault
    server, ends its tokens, revokes every certificate of it and publishes the revocation lists; and applies
    to the HSS and the PGW what is compiled from the intent, in which the subscription of its SIM is no more.
  - A connection comes back when the lists that its device has loaded refuse every certificate of the revoked
    one, and is watched for as long as that may take to ask again. Every other device that lets the revoked
    one in (access point, wired authenticator, XMPP server, VTN and so on) must have loaded those lists too.
    Last, all other verifiers fetch the lists.
  - A step that fails stops none of the others; the task then fails and names it, and a further run tries it
    again. Where every step is complete, nothing changes.
  - Each step is timed; what was done is written as evidence.
  - Runs wholly on the controller; use C(run_once).
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.secrets
  - heiiki.network.service.controller
options:
  device:
    description: Name of the device.
    type: str
    required: true
  artifacts:
    description: Folder below which the evidence is written, as C(revocation/DEVICE-TIME.json).
    type: path
    required: true
  state:
    description:
      - V(revoked) revokes the device.
      - V(active) takes its marks in C(revoked.yml) and at the Vault server away, so that another device may
        enrol in its place; what was revoked stays revoked.
      - V(shut_out) and V(replaced) are what V(revoked) and V(active) were called; they go in 0.3.0.
    type: str
    choices: [revoked, active, shut_out, replaced]
    default: revoked
  same_sim:
    description: The replacement uses the SIM that was in the device; without this, that is refused.
    type: bool
    default: false
  reason:
    description: Why, for people; it stands in C(revoked.yml).
    type: str
    default: stolen
attributes:
  check_mode:
    description: Revokes nothing, and says which devices let it in.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Ensure that a stolen gateway has no access
  heiiki.network.device_revocation:
    device: umeda-gw-b
    reason: stolen from the roof
    service_dir: "{{ heiiki_service_dir }}"
    artifacts: "{{ heiiki_artifacts }}"
  run_once: true
"""

RETURN = r"""
cut:
  description: What becomes of the device's site.
  returned: unless O(state=active)
  type: str
seconds:
  description: From the start to the end of the last step that was needed.
  returned: when revoked, except in check mode
  type: float
steps:
  description: Name, start, end, changes and problem of each step.
  returned: when revoked, except in check mode
  type: list
  elements: dict
accesses:
  description:
    - What became of each access by which the device could have come in, those that are shut first, the
      slowest of them last. What neither the service nor the device has is left out.
  returned: when revoked, except in check mode
  type: list
  elements: dict
  contains:
    access:
      description: What it is, such as C(IPsec), C(OpenADR) or C(IEEE 802.1X).
      type: str
    place:
      description: Who lets in there.
      type: str
    outcome:
      description: C(shut), C(open) or C(untried); of the last it is not known.
      type: str
    seconds:
      description: From the start of the revocation until that was known.
      type: float
    reason:
      description: Why it is not known to be shut; empty where it is.
      type: str
table:
  description: The same, a line for each access, and the last of them with the bound of its seconds.
  returned: when revoked, except in check mode
  type: list
  elements: str
doors:
  description: What RV(steps) was called; goes in 0.3.0.
  returned: when revoked, except in check mode
  type: list
  elements: dict
evidence:
  description: Path of the evidence.
  returned: when something was done
  type: str
would_take:
  description: Steps at devices that let it in.
  returned: in check mode
  type: list
  elements: str
"""
