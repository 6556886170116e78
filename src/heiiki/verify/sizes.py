"""R-FIT/size, live: what a message of 2,000 octets is sent as, not to be fragmented, over each path.

That is an echo request as large as the site's tunnel takes, and the rest of the message (TR-1072, table 5.5).

They go as those of `heiiki.verify.paths` do: from the gateway to DRAS and from the hub's CE router to the
controller, each forced out of its tunnel. What arrives was whole; the answer returns by the preferred path.
"""

from collections.abc import Iterator
from dataclasses import replace

from heiiki.design.sizes import REQUIREMENT, subject
from heiiki.design.volume import MESSAGES
from heiiki.plan.model import ETHERNET_MTU, Network, Plan
from heiiki.requirements import Verdict
from heiiki.verify.isolation.packets import ProbePacket, ProbeRun
from heiiki.verify.isolation.sites import listing
from heiiki.verify.paths import Leg, crossings, legs
from heiiki.verify.verdicts import Keep

_LARGEST = max(MESSAGES["battery", "indirect"], key=lambda one: one.octets)
_TRIES = 4
"""One that arrives shows the size; the others are for packets that are lost by chance."""


def packets(plan: Plan) -> Iterator[ProbePacket]:
    """Yield the packets of every path, some of each."""
    for leg in _legs(plan):
        yield from (replace(leg.packet, repeat=index) for index in range(_TRIES))


def _legs(plan: Plan) -> Iterator[Leg]:
    for leg in legs(plan):
        out = leg.packet.out
        mtu = plan.device(out.device).interface(out.interface).mtu or ETHERNET_MTU
        for size in _LARGEST.packets(mtu):
            yield replace(leg, packet=replace(leg.packet, topic=_topic(leg.site, leg.network), size=size))


def _topic(site: str, network: str) -> str:
    return f"size:{site}:{network}"


def verdicts(plan: Plan, probe_run: ProbeRun, keep: Keep) -> Iterator[Verdict]:
    """Yield one verdict for each path."""
    every = tuple(_legs(plan))
    for site in plan.sites:
        for network in Network:
            mine = [leg for leg in every if (leg.site, leg.network) == (site.name, network)]
            outcomes = probe_run.of(_topic(site.name, network))
            evidence = keep(f"paths/{site.name}-{network}-size.txt", listing(outcomes))
            found = crossings(mine, probe_run, 1 / _TRIES)
            yield found.verdict(REQUIREMENT, subject(site, network), "arrived whole", (evidence,))
