# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One look at a whole Linux node: what each step of provisioning would find to do there. Nothing is changed.

Each answer is that of the step's own comparison. What cannot be examined counts as due, so that the step
itself says what is wrong. Standard library only.
"""

import pwd
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.heiiki.network.plugins.module_utils.certificate_assessment import assess
from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import DeviceError, Program
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import first_difference
from ansible_collections.heiiki.network.plugins.module_utils.node_files import NodeError
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import (
    ManagedFile,
    ManagedService,
    parse,
)
from ansible_collections.heiiki.network.plugins.module_utils.preflight import (
    missing_features,
    missing_programs,
)
from ansible_collections.heiiki.network.plugins.module_utils.readiness import bgp_summary, pending, states
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import (
    ServiceError,
    ServiceManager,
)

FAILURES = (NodeError, ServiceError, DeviceError, OSError, ValueError)


def look(
    wanted: Mapping[str, Any], manager: ServiceManager, *, check: bool, root: Path = Path("/")
) -> dict[str, Any]:
    """Return what each step would find to do.

    Args:
        wanted: the parameters of module `device`, with its files, services and secrets.
        manager: knows which services run.
        check: the steps will change nothing, so the certificate is assessed now; else that is left to its
            own step, which may follow an application of files.
        root: where the node's files are.

    Returns:
        `apply`: why files or services are to be applied, empty when they are not; `unprepared`: whether that
        is something which the files rely on; `missing`: programs and kernel features that the node lacks for
        it; `certificate`: what its assessment says, in check mode; `ready`: sessions that are not up.
    """
    steps = wanted["steps"]
    unprepared = _reason(lambda: next(_preparation(wanted, root), "")) if "apply" in steps else ""
    due = unprepared or (_reason(lambda: _difference(wanted, manager, root)) if "apply" in steps else "")
    return {
        "apply": due,
        "unprepared": bool(unprepared),
        "missing": list(_missing(wanted)) if due else [],
        "certificate": _certificate(wanted) if check and wanted["certificate_wanted"] else {},
        "ready": _sessions(wanted["sessions"]) if "ready" in steps and not due else [],
    }


def _reason(examine: Callable[[], str]) -> str:
    try:
        return examine()
    except FAILURES as error:
        return str(error)


def _preparation(wanted: Mapping[str, Any], root: Path) -> Iterator[str]:
    """Yield what the files of the build rely on and the node does not have."""
    for account in wanted["accounts"]:
        try:
            pwd.getpwnam(account)
        except KeyError:
            yield f"there is no account {account}"
    for path, target in wanted["links"].items():
        link = root / path.lstrip("/")
        if not link.is_symlink() or str(link.readlink()) != target:
            yield f"{path} does not lead to {target}"


def _difference(wanted: Mapping[str, Any], manager: ServiceManager, root: Path) -> str:
    files, services = parse(ManagedFile, wanted["files"]), parse(ManagedService, wanted["services"])
    return first_difference(files, services, secrets=wanted["secrets"], manager=manager, root=root)


def _missing(wanted: Mapping[str, Any]) -> Iterator[str]:
    yield from missing_programs(wanted["programs"])
    yield from missing_features(wanted["features"])


def _certificate(wanted: Mapping[str, Any]) -> dict[str, Any]:
    program = Program(wanted["program"], wanted["config"])
    asked = {**wanted["certificate_wanted"], "device": wanted["device"], "request": False, "force": False}
    try:
        return assess(program, asked, check=True)
    except FAILURES as error:
        return {"changed": True, "reasons": [str(error)], "certificate": None, "unexamined": True}


def _sessions(sessions: Sequence[Mapping[str, str]]) -> list[str]:
    if not sessions:
        return []
    try:
        return list(pending(sessions, states(bgp_summary())))
    except FAILURES as error:
        return [str(error)]
