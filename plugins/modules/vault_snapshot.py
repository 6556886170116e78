#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: vault_snapshot
short_description: Keep all that the Vault server has in a file, and put it back
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Takes a snapshot of the server's raft storage by the log-in of AppRole C(snapshot), which may do this
    alone, checks that it is whole, and keeps it as a file of mode 0600, named by service and time. It is
    ciphertext; the unseal keys are not in it.
  - Puts one back, which needs the unseal keys or an operator's token in C(VAULT_TOKEN). What is revoked is
    gathered before, from C(revoked.yml), the controller's state, the server, and the lists of every verifier.
    Afterwards devices are marked again, certificates are revoked again, and those that were made since the
    snapshot are renewed; last the numbers of the lists are raised above all that were seen, and it is tried
    that what was revoked is refused.
  - A restore with an incomplete step fails, and the same task again goes on.
  - Runs wholly on the controller; use C(run_once).
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.secrets
  - heiiki.network.service.controller
options:
  state:
    description: Whether one is taken, or put back.
    type: str
    choices: [taken, restored]
    default: taken
  folder:
    description:
      - Folder for snapshots that are taken; one inside of a service, of O(artifacts) or of a checkout is
        refused. Left out, it is C(snapshots) in the service's state.
    type: path
  file:
    description: The snapshot that is put back; needed with O(state=restored).
    type: path
  artifacts:
    description: Folder for reports, in which no snapshot is kept.
    type: path
    required: true
attributes:
  check_mode:
    description: Takes none and puts none back; examines the file.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Keep what the Vault server has
  heiiki.network.vault_snapshot:
    service_dir: "{{ heiiki_service_dir }}"
    artifacts: "{{ heiiki_artifacts }}"
  run_once: true

- name: Put it back
  heiiki.network.vault_snapshot:
    state: restored
    file: /backup/osaka-20261129T020000Z.snap
    service_dir: "{{ heiiki_service_dir }}"
    artifacts: "{{ heiiki_artifacts }}"
  run_once: true
"""

RETURN = r"""
file:
  description: Path of the snapshot.
  returned: with O(state=taken), except in check mode
  type: str
steps:
  description: Name, changes and problem of each step.
  returned: with O(state=restored), except in check mode
  type: list
  elements: dict
"""
