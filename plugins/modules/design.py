#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: design
short_description: Examine a service on paper
version_added: 0.1.0
author: Heiiki contributors (@heiiki)
description:
  - Gives a verdict on every requirement that can be examined before anything is built.
  - Fails when a verdict is V(fail) or V(unknown), and when there is no verdict at all.
  - Runs wholly on the controller; use C(run_once).
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.controller
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Examine the design
  heiiki.network.design:
    service_dir: "{{ heiiki_service_dir }}"
  run_once: true
"""

RETURN = r"""
table:
  description: The verdicts, one a line.
  returned: always
  type: list
  elements: str
totals:
  description: How many verdicts had each result.
  returned: always
  type: dict
  sample: {pass: 41, not_applicable: 1}
"""
