"""One end of a line: the device is looked at, changed until that is confirmed, confirmed, or taken back."""

from pathlib import Path
from typing import Any

from heiiki_on_device.journal import NodeBusyError
from heiiki_on_device.node_files import NodeError
from heiiki_on_device.node_hold import Build, Holder, SystemdWatchdog
from heiiki_on_device.node_manifest import ManagedFile, ManagedService, parse
from heiiki_on_device.node_diff import without
from heiiki_on_device.service_manager import ServiceError, find


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Take one step; see `heiiki.fleet.linux`."""
    root = Path("/")
    secrets = parameters.get("build", {}).get("secrets", {})
    try:
        return {"error": "", "busy": False, **_step(parameters, Holder(find(), SystemdWatchdog(root), root))}
    except (NodeError, ServiceError, OSError) as error:
        busy = isinstance(error, NodeBusyError)
        return {"error": without(secrets.values(), str(error)), "busy": busy}


def _step(parameters: dict[str, Any], holder: Holder) -> dict[str, Any]:
    step = parameters["step"]
    if step == "look":
        return dict(holder.look(_build(parameters["build"])))
    if step == "hold":
        holder.hold(_build(parameters["build"]), parameters["seconds"], parameters["program"])
        return {}
    if step == "held":
        return {"held": holder.held()}
    if step == "confirm":
        return {"held": holder.confirm()}
    if step == "undo":
        holder.undo(parameters["before"])
        return {}
    return {"held": holder.take_back(patient=step == "expired")}


def _build(sent: dict[str, Any]) -> Build:
    return Build(parse(ManagedFile, sent["files"]), parse(ManagedService, sent["services"]), sent["secrets"])
