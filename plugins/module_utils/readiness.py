# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a Linux node does its work: the services that were applied run, its BGP sessions are established.

Standard library only.
"""

import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.heiiki.network.plugins.module_utils.service_manager import (
    OWNED,
    ServiceError,
    ServiceManager,
    find,
)

BGPD = Path("/run/frr/bgpd.vty")
SUMMARY = b"show bgp vrf all summary json"
ANSWER_S = 30.0
_END = b"\0\0\0"


def bgp_summary(daemon: Path = BGPD) -> dict[str, Any]:
    """Return what bgpd says of its sessions, asked as vtysh does: its start costs a hundredfold.

    A command ends with a null byte; its answer with three, and a byte: 0 for success (FRR's lib/vty.c).

    Raises:
        ServiceError: bgpd does not answer, or refuses.
        ValueError: its answer is not JSON.
    """
    asked, answer = SUMMARY.decode(), b""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(daemon))
            connection.sendall(SUMMARY + b"\0")
            while not answer[:-1].endswith(_END):
                if not (received := connection.recv(65536)):
                    raise ServiceError(
                        f"bgpd ended before it had answered `{asked}`; see /var/log/frr/frr.log"
                    )
                answer += received
    except OSError as error:
        raise ServiceError(f"bgpd does not answer at {daemon}: {error}; see /var/log/frr/frr.log") from error
    text = answer[:-4].decode()
    if answer[-1]:
        raise ServiceError(f"bgpd refuses `{asked}`: {text.strip()}")
    found: dict[str, Any] = json.loads(text)
    return found


def states(summary: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the state of every BGP session by VRF and neighbour, whatever its address family."""
    return {
        (vrf, address): peer["state"]
        for vrf, families in summary.items()
        for family in families.values()
        if isinstance(family, dict)
        for address, peer in family.get("peers", {}).items()
    }


def pending(sessions: Sequence[Mapping[str, str]], found: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Yield a sentence for every session that is not established."""
    for session in sessions:
        state = found.get((session["vrf"], session["address"]), "not configured")
        if state != "Established":
            yield f"{session['peer']} ({session['address']}, VRF {session['vrf']}): {state}"


POLL_S = 1.0
SLOWEST_S = 4.0
"""Of the time between two looks, at a daemon that may be busy."""


def applied_services(root: Path = Path("/")) -> list[str]:
    """Return the services of the last successful run."""
    owned = root / OWNED
    if not owned.is_file():
        return []
    return [service["name"] for service in json.loads(owned.read_text(encoding="utf-8"))["services"]]


def inactive(manager: ServiceManager, names: Sequence[str]) -> list[str]:
    """Return the services among `names` that do not run."""
    return [name for name in names if not manager.is_active(name)]


def wait(sessions: Sequence[Mapping[str, str]], wait_s: float) -> list[str]:
    """Return the sessions that are not established after at most `wait_s` seconds."""
    deadline, pause = time.monotonic() + wait_s, POLL_S
    while sessions:
        left = list(pending(sessions, states(bgp_summary())))
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(pause)
        pause = min(1.5 * pause, SLOWEST_S)
    return []


def examine(sessions: Sequence[Mapping[str, str]], wait_s: float) -> dict[str, Any]:
    """Return what was found in order.

    Raises:
        ServiceError: a service does not run, or a session is not established in time.
        ValueError: the routing daemon's answer is not JSON.
    """
    services, began = applied_services(), time.monotonic()
    stopped = inactive(find(), services)
    if stopped:
        raise ServiceError(
            f"does not run: {', '.join(stopped)}; see /var/log/heiiki or the journal of systemd"
        )
    left = wait(sessions, wait_s)
    if left:
        raise ServiceError(f"not established after {wait_s:g} s: {'; '.join(left)}")
    return {"services": services, "waited_s": round(time.monotonic() - began, 1)}
