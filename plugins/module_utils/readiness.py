# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a Linux node does its work: the services that were applied run, its BGP sessions are established.

Standard library only.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.heiiki.network.plugins.module_utils.service_manager import (
    OWNED,
    ServiceError,
    ServiceManager,
    find,
    run,
)

SUMMARY = ("vtysh", "-c", "show bgp vrf all summary json")


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
"""Of the time between two looks: each is a process that speaks to every daemon, while those are busy."""


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
        left = list(pending(sessions, states(json.loads(run(SUMMARY)))))
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
