#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: theft
short_description: Shut a stolen device out
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Revokes every certificate of the device and publishes the revocation lists; has every device that it
    has an IPsec connection with fetch them and end that connection; takes its SIM out of the HSS and ends
    its session at the PGW; marks it in C(revoked.yml), so that no later run lets it in again; then has all
    other verifiers fetch the lists.
  - A door that cannot be shut stops none of the others; the task then fails and names it, and a further run
    tries again. Where every door is shut already, nothing changes.
  - Each door is timed; what was done is written as evidence.
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
    description: Folder below which the evidence is written, as C(theft/DEVICE-TIME.json).
    type: path
    required: true
  state:
    description:
      - V(shut_out) shuts the device out.
      - V(replaced) takes its mark in C(revoked.yml) away, so that another device may enrol in its place; what
        was revoked stays revoked.
    type: str
    choices: [shut_out, replaced]
    default: shut_out
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
    description: Shuts nothing, and says whom the device has connections with.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Ensure that a stolen gateway is out
  heiiki.network.theft:
    device: umeda-gw-b
    service_dir: "{{ heiiki_service_dir }}"
    artifacts: "{{ heiiki_artifacts }}"
  run_once: true
"""

RETURN = r"""
cut:
  description: What becomes of the device's site.
  returned: unless replaced
  type: str
seconds:
  description: From the start to the last door.
  returned: when shut out, except in check mode
  type: float
doors:
  description: Name, start, end, changes and problem of each door.
  returned: when shut out, except in check mode
  type: list
  elements: dict
evidence:
  description: Path of the evidence.
  returned: when something was done
  type: str
would_shut:
  description: Doors on the way of IPsec.
  returned: in check mode
  type: list
  elements: str
"""
