"""R-FIT/size, live: echo requests as large as a site's tunnel takes, not to be fragmented, over each path.

They go as those of `heiiki.verify.paths` do: from the gateway to DRAS and from the hub's CE router to the
controller, each forced out of its tunnel. What arrives was whole; the answer returns by the preferred path.
"""

from collections.abc import Iterator
from dataclasses import replace

from heiiki.design.sizes import REQUIREMENT, subject
from heiiki.plan.model import Network, Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.isolation.packets import Outcome, ProbePacket, ProbeRun
from heiiki.verify.isolation.sites import listing
from heiiki.verify.paths import Leg, legs
from heiiki.verify.verdicts import Keep, live, not_listening, summarise, unknown

_TRIES = 4
"""One that arrives shows the size; the others are for packets that are lost by chance."""


def packets(plan: Plan) -> Iterator[ProbePacket]:
    """Yield the packets of every path, some of each."""
    for leg in _legs(plan):
        yield from (replace(leg.packet, repeat=index) for index in range(_TRIES))


def _legs(plan: Plan) -> Iterator[Leg]:
    for leg in legs(plan):
        out = leg.packet.out
        mtu = plan.device(out.device).interface(out.interface).mtu
        yield replace(leg, packet=replace(leg.packet, topic=_topic(leg.site, leg.network), size=mtu or 0))


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
            yield replace(_verdict(subject(site, network), mine, probe_run), evidence=(evidence,))


def _verdict(name: str, mine: list[Leg], probe_run: ProbeRun) -> Verdict:
    doubts = not_listening(
        probe_run, (device for leg in mine for device in (leg.packet.out.device, leg.entry[0]))
    )
    wrong, good = [], []
    for leg in mine:
        sent = [one for one in probe_run.of(leg.packet.topic) if replace(one.packet, repeat=0) == leg.packet]
        text = f"{leg.packet.size} octets from {leg.packet.out.device} to {leg.packet.target}"
        if any(_whole(one, leg) for one in sent):
            good.append(text)
        elif not sent or all(one.unsent for one in sent):
            doubts.append(f"{text}: {sent[0].unsent if sent else 'nothing sent'}")
        else:
            wrong.append(f"none of {len(sent)} packets of {text} arrived and was answered")
    if wrong and not doubts:
        return live(REQUIREMENT, name, Result.FAIL, summarise(wrong))
    if doubts or not good:
        return unknown(
            REQUIREMENT, name, summarise([*doubts, *wrong]) or "no leg of this path is in the plan"
        )
    return live(REQUIREMENT, name, Result.PASS, f"arrived whole: {', '.join(good)}")


def _whole(outcome: Outcome, leg: Leg) -> bool:
    return outcome.answered and leg.entry[1] in outcome.heard.get(leg.entry[0], ())
