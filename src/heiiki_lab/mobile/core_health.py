"""What is not up in the mobile network."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from heiiki_lab.mobile.core import MobileCore

# Status files are written each second; an older one is of a process that stalls.
_STALE_SECONDS = 2.5
_READ_STATUS = """kill -0 $(sed 's/^{"pid": \\([0-9]*\\).*/\\1/' "$1") && cat "$1" /proc/uptime"""

Execute = Callable[[str, Sequence[str]], tuple[int, bytes]]


def health(core: MobileCore, execute: Execute) -> list[str]:
    """Return what is not up, empty when every gateway is attached over a core whose parts agree.

    Args:
        core: the network.
        execute: runs an argv on a node and returns its exit status and output.
    """
    nodes = (core.hss, core.mme, core.sgw, core.enb)
    status = {node: _status(execute, node, "respawn") for node in nodes}
    enb = _status(execute, core.enb, "enb")
    problems = [problem for node in nodes for problem in _respawn_problems(node, status[node])]
    for leader, follower in ((core.sgw, core.mme), (core.mme, core.hss)):
        lead, follow = status[leader], status[follower]
        if lead and follow and lead["epoch"] != follow["twin_epoch"]:
            problems.append(f"{follower}: has not yet followed the last start of {leader}")
    if not _status(execute, core.pgw, "pgw"):
        problems.append(f"{core.pgw}: the packet gateway does not run")
    problems += _enb_problems(core, enb)
    for radio in core.radios:
        if radio.modem:
            problems += _modem_problems(radio.ue.node, _status(execute, radio.ue.node, "ue"))
    return problems


def _status(execute: Execute, node: str, name: str) -> dict[str, Any]:
    """Return a status file's content; empty when there is none, or one that a dead process left behind."""
    code, output = execute(node, ["sh", "-c", _READ_STATUS, "sh", f"/run/heiiki/{name}.json"])
    if code != 0:
        return {}
    text, _, uptime = output.decode("ascii").rpartition("}")
    status: dict[str, Any] = json.loads(text + "}")
    return status if float(uptime.split()[0]) - float(status["at"]) < _STALE_SECONDS else {}


def _respawn_problems(node: str, status: dict[str, Any]) -> Iterable[str]:
    if not status:
        return [f"{node}: the respawner does not run"]
    return [f"{node}: {name} is not ready" for name, each in status["daemons"].items() if not each["ready"]]


def _enb_problems(core: MobileCore, status: dict[str, Any]) -> list[str]:
    if not status:
        return [f"{core.enb}: the eNB does not run"]
    found = {
        "S1 is not set up": not status["s1"],
        "the SGW does not answer GTP-U Echo": not status["s1_u_echo"],
    }
    for radio in core.radios:
        if radio.modem:
            attached = status["radios"][radio.enb.interface]["attached"]
            found[f"no bearer for {radio.ue.node}"] = not attached
    return [f"{core.enb}: {text}" for text, wrong in found.items() if wrong]


def _modem_problems(node: str, status: dict[str, Any]) -> list[str]:
    if not status:
        return [f"{node}: the modem does not run"]
    return [] if status["state"] == "attached" else [f"{node}: the modem is {status['state']}"]
