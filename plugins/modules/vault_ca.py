#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: vault_ca
short_description: Keep on the controller whom the Vault server's clients are to trust
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Reads, over the way by which the node is managed, the certificates that vouch for the server's own, and
    keeps them as the secret C(vault/ca) of the controller. Every session is then pinned to them.
  - Nothing is learned from the server's port, so an attacker on the path cannot substitute a certificate.
extends_documentation_fragment:
  - heiiki.network.service
  - heiiki.network.service.secrets
options:
  path:
    description: File on the node that holds the certificates, PEM.
    type: path
    default: /run/heiiki/vault-anchors.pem
attributes:
  check_mode:
    description: Reads, compares, and keeps nothing.
    support: full
  diff_mode:
    description: Shows the certificates, which are public.
    support: full
  action:
    description: The node is read; all else happens on the controller.
    support: full
  platform:
    description: Works on.
    support: full
    platforms: linux
"""

EXAMPLES = r"""
- name: Ensure that the server's certificate is known
  heiiki.network.vault_ca:
    service_dir: "{{ heiiki_service_dir }}"
"""

RETURN = r"""
certificates:
  description: How many certificates are trusted.
  returned: success
  type: int
"""
