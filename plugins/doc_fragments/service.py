# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documentation of several modules has in common."""


class ModuleDocFragment:
    """Fragments; a module names those that it wants in `extends_documentation_fragment`."""

    DOCUMENTATION = r"""
options:
  service_dir:
    description: Folder of the service, with its C(service.yml).
    type: path
    required: true
"""

    SECRETS = r"""
options:
  secret_state:
    description:
      - Folder on the controller for the CA, log-ins and keys of this service. Left out, it is
        C(services/NAME) in the state folder, which C(HEIIKI_STATE) or C(XDG_STATE_HOME) moves.
    type: path
"""

    CONTROLLER = r"""
attributes:
  action:
    description: Runs on the controller.
    support: full
  platform:
    description: Works on.
    support: full
    platforms: posix
"""

    PROGRAMS = r"""
options:
  program:
    description: The programs of the device, a zip application.
    type: path
    default: /usr/local/lib/heiiki/heiiki-agent.pyz
  config:
    description: Its configuration.
    type: path
    default: /etc/heiiki/credentials.json
"""
