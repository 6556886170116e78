"""Makes the device what a build says, by the code of `heiiki.network.linux_node`."""

from typing import Any

from heiiki_on_device.installed_secrets import installed
from heiiki_on_device.node_files import NodeError
from heiiki_on_device.node_apply import ManagedFile, ManagedService, apply
from heiiki_on_device.service_manager import ServiceError, find


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Apply files and services; see `heiiki.deploy.apply_program`."""
    try:
        done = apply(
            [ManagedFile(**_fields(entry)) for entry in parameters["files"]],
            [ManagedService(**_fields(entry)) for entry in parameters["services"]],
            secrets=parameters["secrets"] | installed(parameters.get("former", {})),
            manager=find(),
        )
    except (NodeError, ServiceError, OSError) as error:
        return {"changed": [], "error": str(error)}
    return {
        "changed": [*done.files, *(f"{name} {verb}" for name, verb in done.services.items())],
        "error": "",
    }


def _fields(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
