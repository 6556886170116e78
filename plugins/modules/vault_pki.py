#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: vault_pki
short_description: Bring a Vault API server to what a service's plan asks for
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Compares engines, CAs, roles, policies and log-ins of the server with the plan, and changes what differs.
  - Works on OpenBao and on HashiCorp Vault. The lab's server is reached through its node; another by its
    address, or by C(VAULT_ADDR), C(VAULT_CACERT), and C(VAULT_TOKEN) or C(HEIIKI_VAULT_ROLE_ID) with
    C(HEIIKI_VAULT_SECRET_ID), of the environment.
  - Runs wholly on the controller; use C(run_once).
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.secrets
  - heiiki.network.service.controller
options:
  initialise:
    description:
      - A server that is new is initialised, and its unseal keys are kept on the controller, readable for its
        user alone. Elsewhere than in a lab they belong into the hands of several people.
      - In check mode, one that does not answer and whose keys are not kept yet counts as new, with a warning.
    type: bool
    default: false
  unseal:
    description:
      - The unseal keys kept on the controller are used to unseal the server, and for a root token where
        a change needs one; that is revoked at the end of the step.
      - Without it only what AppRole configurator may change is changed, which is all that follows from the
        names of devices.
    type: bool
    default: false
  key_shares:
    description: Unseal keys of a new server.
    type: int
    default: 5
  key_threshold:
    description: How many of them unseal it.
    type: int
    default: 3
  seed:
    description:
      - Secrets that the plan names and the server lacks are written from the controller's own store. For a
        lab, which makes its SIM cards itself.
    type: bool
    default: false
  rotate:
    description:
      - One step of the replacement of a CA, which is done whenever it is asked for; needs the unseal keys, or
        a root token in C(VAULT_TOKEN).
      - V(root) makes a new root CA beside the old one. Bring the anchors to every device before what follows.
      - V(issuing) makes a new issuing CA under the newest root; the old one signs revocation lists only.
        Renew every certificate before what follows.
      - V(retire) removes what was replaced.
    type: str
    choices: [root, issuing, retire]
attributes:
  check_mode:
    description:
      - Compares, and changes nothing. What comes after initialising or unsealing cannot be foreseen.
    support: full
  diff_mode:
    description: Shows every setting that differs; there are no secrets among them.
    support: full
seealso:
  - module: heiiki.network.vault_ca
"""

EXAMPLES = r"""
- name: Ensure that the server knows the service
  heiiki.network.vault_pki:
    service_dir: "{{ heiiki_service_dir }}"
  run_once: true
"""

RETURN = r"""
changes:
  description: Paths of the server's API at which something was, or would be, changed.
  returned: success
  type: list
  elements: str
  sample: [pki-issuing/roles/umeda-gw-b]
"""
