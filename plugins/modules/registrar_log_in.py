#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: registrar_log_in
short_description: Renew what the registration authority logs in by at the Vault server
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - The registration authority for EST makes by itself, with 60 of 90 days left, a new key and certificate by
    which it logs in at the Vault server. This has the server take the newest one.
  - Does nothing for a device that is not its host, and where the service has none.
  - What goes wrong is a warning, since the log-in before is good for weeks yet.
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.secrets
  - heiiki.network.service.controller
options:
  device:
    description: Name of the device. Left out, it is the host of the task.
    type: str
attributes:
  check_mode:
    description:
      - Asks nothing and reports no change, since the program would make the next one when it is asked.
    support: partial
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Ensure that the registration authority can log in for weeks
  heiiki.network.registrar_log_in:
    service_dir: "{{ heiiki_service_dir }}"
"""

RETURN = r"""
changed:
  description: Whether the server takes another certificate now.
  returned: always
  type: bool
"""
