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
    description: State folder of the secret source on the controller; its own default when left out.
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
