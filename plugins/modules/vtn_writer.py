#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: vtn_writer
short_description: Have one of the two hosts of a VTN write, the first time
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Of two hosts of a VTN (C(dras_hosts)) one writes, and a person says which. Where neither has ever been
    made the writer, nothing that was answered can be lost by either, and this has the first one write.
  - Does nothing where one of them was, whatever has happened to it since, and where the VTN has one host.
    C(heiiki event takeover) has a host take over then.
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.secrets
  - heiiki.network.service.controller
attributes:
  check_mode:
    description: Asks both hosts, and changes nothing. A host that cannot be asked is a warning then.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Ensure that one of the hosts writes
  heiiki.network.vtn_writer:
    service_dir: "{{ heiiki_service_dir }}"
"""

RETURN = r"""
changed:
  description: Whether a host was made the writer.
  returned: always
  type: bool
writer:
  description: The host.
  returned: changed
  type: str
epoch:
  description: Since when it writes, counted.
  returned: changed
  type: int
"""
