# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user of `heiiki.network.verify` asks for."""

from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import BOOLEANS, boolean

Faults = bool | tuple[str, ...]


def chosen_faults(value: Any) -> Faults:
    """Return which faults a user asks for: all, none, or those named (a list, or names with commas between).

    Raises:
        AnsibleError: neither a truth value nor names.
    """
    if isinstance(value, str) and value.lower() not in BOOLEANS:
        value = [name.strip() for name in value.split(",") if name.strip()]
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    try:
        return bool(boolean(value))
    except TypeError as error:
        raise AnsibleError(f"faults: {value!r} is neither true, false, nor names of faults") from error
