"""R-DUAL/outage, live: a whole closed network is away, and the service lives on over the other one.

Every link of the network loses every packet, from the sites' uplinks to the hub's line, for longer than its
timers: BFD has moved the traffic, IKE has given its peers up, and every verifier that is not cut off with the
network has asked for CRLs in its own time. Meanwhile each site's gateway on the other network, and its
controller behind it, get a new certificate.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from heiiki.errors import HeiikiError
from heiiki.pki.device_program import command
from heiiki.plan.model import CrlSource, Device, Fault, Network, Plan
from heiiki.verify.faults.lived import Lived
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.network import gateway, hub_ce

Renew = Callable[[Collection[str]], Mapping[str, str]]
"""Has devices renew their certificates now; returns why one could not, by device, empty where it did."""

PULL_S = 20.0
"""Longest time of a pull itself, seconds."""
JITTER = 1.1
_POLL_S = 2.0
_WATCH = {"commands": {"check": command("check")}}


def links(plan: Plan, network: Network) -> tuple[str, ...]:
    """Return every link of a network."""
    return tuple(link.name for link in plan.links if link.network == network)


def line(plan: Plan, network: Network) -> tuple[str, list[str]]:
    """Return the device and interface whose counters show traffic on a network: at the hub's line."""
    router = hub_ce(plan, network)
    ends = [end for link in plan.links if link.network == network for end in link.ends]
    return router.name, [end.interface for end in ends if end.device == router.name]


def reachable(plan: Plan, away: Network) -> Iterator[tuple[Device, CrlSource]]:
    """Yield the verifiers that `away` does not cut off from the server: on its LAN, or on another network."""
    on_lan = {hub_ce(plan, network).name for network in Network}
    for device in plan.managed():
        left = device.name in on_lan or not device.networks or set(device.networks) - {away}
        if device.crl_source is not None and not device.revoked and left:
            yield device, device.crl_source


def renewed(plan: Plan, away: Network) -> tuple[str, ...]:
    """Return the devices that renew meanwhile: of every site the gateway that is left, and the controller."""
    (left,) = set(Network) - {away}
    names = (name for site in plan.sites for name in (gateway(plan, site, left).name, site.controller))
    return tuple(name for name in names if not plan.device(name).revoked)


def lived(plan: Plan, fleet: Fleet, fault: Fault, renew: Renew | None) -> Lived:
    """Return how trust does while the network of `fault` is away; takes as long as a poll for CRLs does."""
    away = fault.network
    if away is None:
        return Lived(doubts=(f"{fault.target} is no network",))
    time.sleep(plan.timers.ike.give_up_s)
    verifiers = dict(_by_name(plan, away))
    before = _pulls(fleet, verifiers)
    problems = _tried(renew, renewed(plan, away))
    after = _awaited(fleet, verifiers, before)
    wrong = [f"{name} got no certificate: {why}" for name, why in problems.items() if why and renew]
    doubts = [] if renew else ["no renewal could be tried: no Vault server was set up from here"]
    for name, answer in after.items():
        missed, doubt = _missed(name, before[name], answer)
        wrong += missed
        doubts += doubt
    notes = {"renewed": dict(problems), "pulls": {name: _raw(answer) for name, answer in after.items()}}
    return Lived(tuple(wrong), tuple(doubts), notes)


def _by_name(plan: Plan, away: Network) -> Iterator[tuple[str, CrlSource]]:
    return ((device.name, source) for device, source in reachable(plan, away))


def _tried(renew: Renew | None, names: Collection[str]) -> Mapping[str, str]:
    if renew is None:
        return {}
    try:
        return renew(names)
    except HeiikiError as error:
        return dict.fromkeys(names, str(error))


def _pulls(fleet: Fleet, names: Collection[str]) -> dict[str, Answer]:
    return fleet.ask("read", dict.fromkeys(names, _WATCH))


def _awaited(
    fleet: Fleet, verifiers: Mapping[str, CrlSource], before: Mapping[str, Answer]
) -> dict[str, Answer]:
    """Ask until every watch has pulled again by itself, or had the time to."""
    slowest = max((source.every_s for source in verifiers.values()), default=0)
    until = time.monotonic() + slowest * JITTER + 2 * PULL_S
    found, left = dict(before), list(verifiers)
    while left and time.monotonic() < until:
        time.sleep(_POLL_S)
        found |= _pulls(fleet, left)
        left = [name for name in left if _missed(name, before[name], found[name]) != ([], [])]
    return found


def _missed(name: str, before: Answer, after: Answer) -> tuple[list[str], list[str]]:
    """Return what is wrong with a verifier's pulls, and what cannot be said of them."""
    then, now = _report(before), _report(after)
    if now is None or then is None:
        answer = after if now is None else before
        return [], [f"{name}: its watch does not say how its pulls went: {answer.error or _said(answer)}"]
    if now.get("failures"):
        return [f"{name} fetches no CRL: {now.get('problem', '')}"], []
    if (now.get("pulled") or 0) <= (then.get("pulled") or 0):
        return [f"{name} has asked for no CRL since"], []
    return [], []


def _report(answer: Answer) -> Mapping[str, Any] | None:
    """Return what a watch says of itself; None where it says nothing."""
    try:
        found = json.loads(answer.data["commands"]["check"]["out"])
    except (KeyError, TypeError, ValueError):
        return None
    return found if isinstance(found, dict) and "failures" in found else None


def _said(answer: Answer) -> str:
    said = answer.data.get("commands", {}).get("check", {})
    return f"{said.get('out', '')}{said.get('err', '')}".strip() or "it printed nothing"


def _raw(answer: Answer) -> Any:
    return answer.data or answer.error
