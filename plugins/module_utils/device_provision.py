# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of provisioning on one Linux node, in as few runs of a module as the Vault server allows.

The first run does all that needs nothing from there, and ends with a request for a certificate where one is
needed. The second has that signed, installs it, and awaits readiness. Standard library only.
"""

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.heiiki.network.plugins.module_utils import device_look
from ansible_collections.heiiki.network.plugins.module_utils.certificate_assessment import assess, install
from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import Program
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import apply
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import (
    ManagedFile,
    ManagedService,
    parse,
)
from ansible_collections.heiiki.network.plugins.module_utils.readiness import examine
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import ServiceManager

Answer = dict[str, Any]
OUT_OF_DATE = "its trust anchors, or what uses it, are not up to date"


def unpacked(sent: str) -> Answer:
    """Return files, services and secrets as `plugin_utils.build.DevicePayload.packed` sends them."""
    if not sent:
        return {"files": [], "services": [], "secrets": {}}
    document: Answer = json.loads(zlib.decompress(base64.b64decode(sent)))
    return document


def provision(
    given: Mapping[str, Any], manager: ServiceManager, *, check: bool, root: Path = Path("/")
) -> Answer:
    """Look at the node, and take every step that is due and needs nothing from the Vault server.

    Args:
        given: the parameters of module `device`.
        manager: runs the services.
        check: say what would be done, and do nothing.
        root: where the node's files are.

    Returns:
        The answer of all steps, with `failed` and `msg` where one failed. `due`: why each step was due;
        `assessed`: what the assessment of the certificate says, with a request where one is needed;
        `unprepared`: the build relies on something that the action has to make first, nothing was done;
        `awaited`: readiness was examined.
    """
    wanted = {**given, **unpacked(given["sent"])}
    seen = device_look.look(wanted, manager, check=check, root=root)
    due = {"apply": [seen["apply"]] if seen["apply"] else [], "ready": seen["ready"]}
    answer: Answer = {"changed": False, "due": {step: why for step, why in due.items() if why}}
    if seen["missing"]:
        lacks = f"nothing was changed; this node lacks: {'; '.join(seen['missing'])}"
        return {**answer, **_failed(given, lacks), "missing": seen["missing"]}
    if seen["unprepared"]:
        return {**answer, "unprepared": True}
    if seen["apply"]:
        answer |= _step(given, lambda: _applied(wanted, manager, check=check, root=root))
    if given["certificate_wanted"] and "failed" not in answer:
        answer |= _certified(answer, seen["certificate"] if check else _step(given, lambda: _assessed(given)))
    waits = bool(answer.get("assessed", {}).get("reasons"))
    if answer["due"] and not (check or waits or "failed" in answer):
        answer |= _ready(given)
    return answer


def enrol(given: Mapping[str, Any]) -> Answer:
    """Have the request signed, install the certificate, and await readiness.

    Args:
        given: the parameters of module `device`, `order` and `token` among them.
    """
    program = Program(given["program"], given["config"])
    answer = _step(given, lambda: install(program, given))
    return answer if answer.get("failed") else {**answer, **_ready(given)}


def _applied(wanted: Mapping[str, Any], manager: ServiceManager, *, check: bool, root: Path) -> Answer:
    outcome = apply(
        parse(ManagedFile, wanted["files"]),
        parse(ManagedService, wanted["services"]),
        secrets=wanted["secrets"],
        manager=manager,
        root=root,
        check=check,
    )
    return outcome.answer()


def _certified(answer: Answer, assessed: Answer) -> Answer:
    """Return what an assessment of the certificate adds to the answer."""
    if assessed.get("failed"):
        return assessed
    why = assessed["reasons"] or ([OUT_OF_DATE] if assessed["changed"] else [])
    return {"assessed": assessed, "due": {**answer["due"], **({"certificate": why} if why else {})}}


def _assessed(given: Mapping[str, Any]) -> Answer:
    wanted = {**given["certificate_wanted"], "device": given["device"], "force": False}
    return assess(Program(given["program"], given["config"]), wanted, check=False)


def _ready(given: Mapping[str, Any]) -> Answer:
    if "ready" not in given["steps"]:
        return {}
    examined = _step({}, lambda: examine(given["sessions"], given["wait_s"]))
    return {**{key: value for key, value in examined.items() if key != "services"}, "awaited": True}


def _step(given: Mapping[str, Any], take: Callable[[], Answer]) -> Answer:
    try:
        return take()
    except device_look.FAILURES as error:
        return _failed(given, str(error))


def _failed(given: Mapping[str, Any], why: str) -> Answer:
    return {"failed": True, "msg": f"{given['device']}: {why}" if given else why}
