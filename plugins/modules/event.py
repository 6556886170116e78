#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: event
short_description: Send a demand-response event to sites, or cancel it
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Has the OpenADR 2.0b VTN of the service send an event to the VENs of sites, or cancel it, and says what
    each site answers.
  - The same event again changes nothing. What the VTN refuses fails the task with its own words.
  - Runs on the controller, which reaches the VTN on its host; use C(run_once).
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.secrets
  - heiiki.network.service.controller
options:
  event:
    description: Permanent name of the event.
    type: str
    required: true
  state:
    description: Whether it is sent or cancelled.
    type: str
    choices: [sent, cancelled]
    default: sent
  sites:
    description: Sites that get it; left out, every site.
    type: list
    elements: str
  start:
    description: Date and time with a zone (ISO 8601); needed with O(state=sent).
    type: str
  duration:
    description: Such as V(PT1H) (ISO 8601); V(PT0S) until it is cancelled; needed with O(state=sent).
    type: str
  value:
    description: Of the signal, such as a power in kW; needed with O(state=sent).
    type: float
  signal:
    description: Its signalName.
    type: str
    default: LOAD_DISPATCH
  kind:
    description: Its signalType.
    type: str
    default: setpoint
  test:
    description: Nothing is to be done; it is tried whether the event arrives.
    type: bool
    default: false
  wait_s:
    description: Seconds to wait for the answers of all sites; the task fails when one is missing then.
    type: float
    default: 0.0
attributes:
  check_mode:
    description: Sends and cancels nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Ask every site for 5 kW less from five to six
  heiiki.network.event:
    event: evening-1
    start: "2026-12-01T17:00:00+09:00"
    duration: PT1H
    value: -5
    wait_s: 30
    service_dir: "{{ heiiki_service_dir }}"
  run_once: true

- name: Cancel it
  heiiki.network.event:
    event: evening-1
    state: cancelled
    service_dir: "{{ heiiki_service_dir }}"
  run_once: true
"""

RETURN = r"""
status:
  description: The event's eventStatus, such as V(far) or V(active).
  returned: except in check mode
  type: str
modification:
  description: Its modificationNumber.
  returned: except in check mode
  type: int
answers:
  description: Of each site its opt, and whether it has answered this version.
  returned: except in check mode
  type: list
  elements: dict
"""
