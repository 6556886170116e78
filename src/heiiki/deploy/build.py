"""One device's build on its way: secrets filled in, applied there as `heiiki.network.linux_node` does it."""

import re
from collections.abc import Callable
from dataclasses import asdict

from heiiki.deploy.program import program
from heiiki.render.model import DeviceBuild

_PLACEHOLDER = re.compile(r"\{\{secret:(?P<path>[^{}]+):(?P<field>[^{}:]+)\}\}")
_NOT_SENT = frozenset({"requirements"})

ReadSecret = Callable[[str, str], str]
"""Returns the value of a secret's path and field."""


def apply_program(build: DeviceBuild, read_secret: ReadSecret) -> bytes:
    """Return the program that makes a device what `build` says, all of it or nothing.

    Its answer has ``changed``, the paths and services that were changed, and ``error``, the empty string when
    the device is as it should be.

    Raises:
        SecretError, VaultError: a secret cannot be read.
    """
    secrets = {
        found.group(): read_secret(found["path"], found["field"])
        for file in build.files
        for found in _PLACEHOLDER.finditer(file.content)
    }
    files = [
        {key: value for key, value in asdict(file).items() if key not in _NOT_SENT} for file in build.files
    ]
    services = [asdict(service) for service in build.services]
    return program("apply", {"files": files, "services": services, "secrets": secrets})
