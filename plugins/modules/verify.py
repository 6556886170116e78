#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: verify
short_description: Measure a service that runs
version_added: 0.1.0
author: Heiiki contributors (@heiiki)
description:
  - Examines the service on paper, compares what runs on every device with what was compiled, and measures
    from the devices themselves; writes C(verdicts.json), C(faults.json), C(junit.xml), C(report.html) and the
    evidence.
  - Fails when a verdict is V(fail) or V(unknown). Where faults are named, those that were not are shown as
    not run and do not make the run fail.
  - Runs wholly on the controller; use C(run_once).
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.controller
options:
  artifacts:
    description: Folder for report and evidence.
    type: path
    required: true
  faults:
    description:
      - V(false) injects nothing, and leaves open whether the service survives a failure.
      - V(true) injects every single failure of the plan, one after the other; only the lab can.
      - V(sample) injects a handful that the plan chooses, with every network, failure mode and kind of it.
      - Names, as a list or with commas between, inject some; a name is C(target) or C(target/mode).
      - V(load), alone or among names, fills each site's line for seconds; so do V(true) and V(sample).
      - V(scan), alone or among names, has sites try every TCP port that they can address, for minutes.
    type: raw
    default: false
attributes:
  check_mode:
    description: Measures nothing in check mode, and says so.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Measure the service without harming it
  heiiki.network.verify:
    service_dir: "{{ heiiki_service_dir }}"
    artifacts: "{{ heiiki_artifacts }}"
  run_once: true
"""

RETURN = r"""
report:
  description: The page to look at.
  returned: always
  type: str
verdicts:
  description: The verdicts as JSON.
  returned: always
  type: str
"""
