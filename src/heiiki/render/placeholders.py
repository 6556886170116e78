"""Secrets stand as names in what is rendered; on the way to a device their values take that place."""

import re
from collections.abc import Callable

ReadSecret = Callable[[str, str], str]
"""Returns the value of a secret's path and field."""

PLACEHOLDER = re.compile(r"\{\{secret:(?P<path>[^{}]+):(?P<field>[^{}:]+)\}\}")


def values(text: str, read_secret: ReadSecret) -> dict[str, str]:
    """Return the value of every placeholder in `text`, by the placeholder.

    Raises:
        SecretError, VaultError: a secret cannot be read.
    """
    return {found.group(): read_secret(found["path"], found["field"]) for found in PLACEHOLDER.finditer(text)}


def filled(text: str, known: dict[str, str]) -> str:
    """Return `text` with the values that `values` has read."""
    return PLACEHOLDER.sub(lambda found: known[found.group()], text)
