#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: device_config
short_description: Bring routers of vendors' platforms to what the intent says
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - With O(devices) reads those routers, compares each with what is compiled from the intent, and changes what
    differs, all of them in one task. Each device is changed with its own timed rollback, looked at over a
    second session, tested by the devices at the other ends of its sessions, confirmed and saved.
  - It goes in waves, one site first, and stops behind a wave that went wrong. Both ends of a line are changed
    or none; a Linux end (PE, hub) that is not as the intent says either is changed in the same step.
  - What a device had before a change is kept; C(heiiki revert) brings it back.
  - A device that fails or is not reached does not fail this task. With O(result_of) a second task says so
    at each host, as changed, failed or unreachable, so that limits, recap and AWX work as ever.
  - Log-ins are secrets C(login/DEVICE), with V(password) and V(admin_password), where the other secrets of
    the service are; or the environment's E(HEIIKI_DEVICE_PASSWORD), E(HEIIKI_DEVICE_ADMIN_PASSWORD),
    E(HEIIKI_DEVICE_KEY_FILE) and E(HEIIKI_DEVICE_USER).
  - Runs wholly on the controller.
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.secrets
  - heiiki.network.service.controller
options:
  devices:
    description: Names of the devices, or of sites; use C(run_once). None of them is none to push.
    type: list
    elements: str
  result_of:
    description: What a task with O(devices) has returned; what became of this host is told.
    type: dict
  shown:
    description: Digest that a run in check mode has returned; where anything differs, no device is touched.
    type: str
    default: ""
  confirm_timeout:
    description: Seconds after which a device takes back what is not confirmed.
    type: int
    default: 300
  without_rollback:
    description: You accept that a device without a timed rollback is changed.
    type: bool
    default: false
  max_unreachable:
    description: Percent of the devices, and of those of a wave, that may be unreachable.
    type: int
    default: 25
  alone:
    description: You accept a line with one end. Linux ends are neither looked at nor changed.
    type: bool
    default: false
  napalm:
    description: Platforms whose routers are reached by NAPALM, of which there is C(juniper_junos); the others
      are by their command line. It needs C(heiiki[devices]) beside Ansible.
    type: list
    elements: str
    default: []
  access:
    description: File that says how devices are reached, as C(heiiki lab devices) writes one.
    type: path
attributes:
  check_mode:
    description: Reads and compares, and changes nothing.
    support: full
  diff_mode:
    description: The second task shows what changes, secrets masked.
    support: full
"""

EXAMPLES = r"""
- name: Push every router, once
  heiiki.network.device_config:
    devices: "{{ ansible_play_hosts }}"
    service_dir: "{{ heiiki_service_dir }}"
  run_once: true
  register: push_done

- name: Ensure that this router is what the intent says
  heiiki.network.device_config:
    result_of: "{{ push_done }}"
    service_dir: "{{ heiiki_service_dir }}"
"""

RETURN = r"""
devices:
  description: For each device whether it was changed, failed or was unreachable, why, what was found out, and
    the difference, secrets masked. The Linux ends of their lines are among them.
  returned: with O(devices)
  type: dict
summary:
  description: Counts, failures and the dead, a line each.
  returned: with O(devices), unless it is empty
  type: list
  elements: str
shown:
  description: Digest of what was shown.
  returned: in check mode
  type: str
stopped:
  description: Why not every device was begun; empty where all were.
  returned: with O(devices), unless it is empty
  type: str
unsettled:
  description: Devices that a push has begun, and whose end is not known; the next push settles them.
  returned: with O(devices), unless it is empty
  type: list
  elements: str
msg:
  description: Why this host failed.
  returned: with O(result_of)
  type: str
notices:
  description: What the push found out about this host.
  returned: with O(result_of)
  type: list
  elements: str
difference:
  description: What changed, or would change, secrets masked.
  returned: with O(result_of)
  type: str
"""
