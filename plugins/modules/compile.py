#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: compile
short_description: Compile a service into what every device is sent
version_added: 0.1.0
author: Heiiki contributors (@heiiki)
description:
  - Reads the intent, resolves the plan, renders every device that a role or a person configures, and writes
    one folder a device with a manifest.
  - Runs wholly on the controller, in one process; use C(run_once).
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.controller
options:
  build:
    description: Folder to write into; what else stands there is removed.
    type: path
    required: true
attributes:
  check_mode:
    description:
      - Compiles into a folder of its own, O(build) with C(.check) at the end, which
        M(heiiki.network.linux_node) reads in check mode; O(build) stays as it is.
    support: full
  diff_mode:
    description: Shows which files of which devices are compiled to something else than before.
    support: full
seealso:
  - module: heiiki.network.linux_node
"""

EXAMPLES = r"""
- name: Compile the service
  heiiki.network.compile:
    service_dir: "{{ heiiki_service_dir }}"
    build: "{{ heiiki_build }}"
  run_once: true
"""

RETURN = r"""
devices:
  description: How many devices were compiled.
  returned: success
  type: int
  sample: 18
"""
