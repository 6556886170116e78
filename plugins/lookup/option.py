# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
name: option
short_description: What was given to a playbook with -e
version_added: 0.2.0
author: Heiiki contributors (@heiiki)
description:
  - Returns the variable C(heiiki_NAME), or that of the name without prefix, which it had before release
    0.2.0. For the latter there is a deprecation warning; it goes in 0.3.0.
options:
  _terms:
    description: Names without prefix.
    type: list
    elements: str
    required: true
  default:
    description: Returned for what was not given.
    type: raw
    default: ""
"""

EXAMPLES = r"""
- name: Ensure that a device was named
  ansible.builtin.assert:
    that: lookup('heiiki.network.option', 'device') | length > 0
    fail_msg: "Name the device: -e heiiki_device=NAME"
"""

RETURN = r"""
_raw:
  description: Their values.
  type: list
  elements: raw
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

display = Display()
PREFIX = "heiiki_"
REST = "_raw_params"
"""Where Ansible puts what is left of ``-e`` behind the first blank."""


class LookupModule(LookupBase):  # type: ignore[misc]  # the base is not typed
    """Variables of playbooks, with the names that they had before."""

    def run(
        self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[Any]:
        """Return the value of each option."""
        self.set_options(var_options=variables, direct=kwargs)
        _refuse_rest(variables or {})
        default = self.get_option("default")
        values = [_value(name, variables or {}, default) for name in terms]
        templated: list[Any] = self._templar.template(values)
        return templated


def _refuse_rest(variables: Mapping[str, Any]) -> None:
    """Refuse words of the command line that belong to no variable.

    Of ``-e name='two words'`` Ansible takes the first word and puts the rest where no playbook looks.
    """
    if rest := variables.get(REST):
        raise AnsibleError(
            f"-e: `{rest}` belongs to no variable, for Ansible ends a value at a blank: write values with "
            """blanks as JSON, such as -e '{"heiiki_reason": "stolen from the roof"}'"""
        )


def _value(name: str, variables: Mapping[str, Any], default: Any) -> Any:
    if PREFIX + name in variables:
        return variables[PREFIX + name]
    if name not in variables:
        return default
    display.deprecated(
        f"-e {name} is called {PREFIX}{name}", version="0.3.0", collection_name="heiiki.network"
    )
    return variables[name]
