# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""BGP sessions, as FRR tells them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
