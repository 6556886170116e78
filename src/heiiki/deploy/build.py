"""One device's build on its way, applied there as `heiiki.network.linux_node` does it; secrets filled in."""

from dataclasses import asdict
from typing import Any

from heiiki.deploy.program import program
from heiiki.render.model import DeviceBuild
from heiiki.render.placeholders import PLACEHOLDER, ReadSecret, values

_NOT_SENT = frozenset({"requirements"})


def apply_program(build: DeviceBuild, read_secret: ReadSecret) -> bytes:
    """Return the program that makes a device what `build` says, all of it or nothing.

    Its answer has ``changed``, the paths and services that were changed, and ``error``, the empty string when
    the device is as it should be.

    Raises:
        SecretError, VaultError: a secret cannot be read.
    """
    return program("apply", whole(build, read_secret))


def whole(build: DeviceBuild, read_secret: ReadSecret) -> dict[str, Any]:
    """Return files, services and secrets of a build, as programs on a device take them.

    Raises:
        SecretError, VaultError: a secret cannot be read.
    """
    secrets = {
        name: value for file in build.files for name, value in values(file.content, read_secret).items()
    }
    return {**_manifest(build), "secrets": secrets}


def held_program(build: DeviceBuild, *former: DeviceBuild) -> bytes:
    """Return the same program for a device that holds the secrets already: no server is asked for them.

    Its answer has an ``error`` where the device's files were made from none of the builds `former`.
    """
    paths = [file.path for file in build.files if PLACEHOLDER.search(file.content)]
    texts = {
        path: [file.content for one in (*former, build) for file in one.files if file.path == path]
        for path in paths
    }
    return program("apply", {**_manifest(build), "secrets": {}, "former": texts})


def _manifest(build: DeviceBuild) -> dict[str, Any]:
    files = [
        {key: value for key, value in asdict(file).items() if key not in _NOT_SENT} for file in build.files
    ]
    return {"files": files, "services": [asdict(service) for service in build.services]}
