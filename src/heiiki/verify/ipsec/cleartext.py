"""Nothing leaves in clear when the tunnel is gone (R-SEC-ACCESS), by capture on the wire.

One gateway whose path only stands by is made to forget its connection, so that neither end has an ESP SA.
Packets are then sent into the tunnel from both ends. They must be seen nowhere: not on the gateway's uplink,
not where they leave the hub, not at the other end. They count only if both tunnels tried to send them.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from heiiki.design.associations import ACCESS, Association
from heiiki.errors import HeiikiError
from heiiki.plan.model import Endpoint, Plan, SitePlan
from heiiki.requirements import Result, Verdict
from heiiki.transport.base import Transport
from heiiki.verify import paths
from heiiki.verify.fleet import Answer, Fleet, UnreadableError, printed, reading
from heiiki.verify.ipsec.refusals import trial_associations
from heiiki.verify.ipsec.wire import Line, core_of_tunnel, questions
from heiiki.verify.isolation.packets import ProbeRun
from heiiki.verify.routing.health import Health, UnhealthyError
from heiiki.verify.verdicts import Keep, live, summarise, unknown

SECONDS = 8.0
BACK_LIMIT_S = 60.0
NOT_ASKED = "a tunnel is taken away with the faults only: run verify.yml with -e heiiki_verify_faults=true"

_RELOAD = ("swanctl", "--load-conns")


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen while the tunnel was gone."""

    gone: Answer
    wire: Mapping[str, Answer]
    probe_run: ProbeRun
    before: Mapping[str, Answer]
    after: Mapping[str, Answer]


def trial_association(plan: Plan) -> Association | None:
    """Return the tunnel that is taken away, or None."""
    return next((one for one in trial_associations(plan) if one.protects == ACCESS), None)


def subject(one: Association) -> str:
    """Subject of the verdict."""
    return f"tunnel down: {one.subject}"


def not_tried(plan: Plan, why: str) -> Iterator[Verdict]:
    """Yield that it was not tried."""
    one = trial_association(plan)
    if one is not None:
        yield unknown(ACCESS, subject(one), why)


def verdicts(plan: Plan, transport: Transport, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Take the tunnel away, look, put it back whatever happens, and yield what was seen."""
    one = trial_association(plan)
    if one is None:
        return
    try:
        seen = _observed(plan, transport, fleet, one)
        back = Health(plan, fleet).wait(BACK_LIMIT_S)
    except UnhealthyError as error:
        yield live(ACCESS, subject(one), Result.FAIL, f"the tunnel did not come back: {error}")
        return
    except HeiikiError as error:
        yield unknown(ACCESS, subject(one), str(error))
        return
    yield judged(plan, one, seen, back, keep)


def _observed(plan: Plan, transport: Transport, fleet: Fleet, one: Association) -> Observed:
    here = one.initiator
    watched = _line(plan, one)
    try:
        gone = fleet.ask("vici", {here.device: {"do": "without", "connection": here.connection.name}})
        before = fleet.ask("read", _counters(plan, one))
        with ThreadPoolExecutor(1) as side:
            looking = side.submit(fleet.ask, "capture", questions([watched], SECONDS), SECONDS + 60)
            probe_run = _traffic(plan, fleet, one)
            wire = looking.result()
        after = fleet.ask("read", _counters(plan, one))
    finally:
        transport.run(here.device, _RELOAD, timeout=30)
    return Observed(gone[here.device], wire, probe_run, before, after)


def _site(plan: Plan, one: Association) -> SitePlan:
    return next(site for site in plan.sites if one.initiator.device in site.gateways)


def _line(plan: Plan, one: Association) -> Line:
    """Where GRE would leave in clear at either end: below the site's tunnel, and on the hub's line."""
    ends = tuple(
        Endpoint(side.device, name)
        for side in one.sides
        for name in _encrypted(plan, side.device)
        if _crosses(plan, side.device, name, one.network)
    )
    link = next(link for link in plan.links if link.network == one.network and link.site is not None)
    return Line(link, ACCESS, ends, tuple(core_of_tunnel(plan, ends, one.network)))


def _encrypted(plan: Plan, device: str) -> tuple[str, ...]:
    firewall = plan.device(device).firewall
    return firewall.encrypted if firewall else ()


def _crosses(plan: Plan, device: str, interface: str, network: str) -> bool:
    """Tell whether an uplink leads to `network`: a gateway on both has one to each."""
    wwan = plan.device(device).interface(interface).kind == "wwan"
    return len(plan.device(device).networks) == 1 or wwan == (network == "b")


def _tunnels(plan: Plan, one: Association) -> Iterator[tuple[str, str]]:
    for side in one.sides:
        for interface in plan.device(side.device).interfaces:
            gre = interface.gre
            if gre and (gre.local, gre.remote) == (side.connection.local, side.connection.remote):
                yield side.device, interface.name


def _counters(plan: Plan, one: Association) -> dict[str, dict[str, Any]]:
    return {
        device: {"commands": {"tunnel": ["ip", "-j", "-s", "link", "show", "dev", name]}}
        for device, name in _tunnels(plan, one)
    }


def _traffic(plan: Plan, fleet: Fleet, one: Association) -> ProbeRun:
    site = _site(plan, one).name
    legs = [leg for leg in paths.legs(plan) if (leg.site, leg.network) == (site, one.network)]
    return paths.measure(fleet, legs)


def judged(plan: Plan, one: Association, seen: Observed, back: float, keep: Keep) -> Verdict:
    """Return the verdict; `back` is how long both paths of every site took to be up again, seconds."""
    tried = {device: _tried(seen.before[device], seen.after[device]) for device, _ in _tunnels(plan, one)}
    wire = {name: answer.data or answer.error for name, answer in seen.wire.items()}
    raw = {"gone": seen.gone.data or seen.gone.error, "wire": wire, "tried": tried, "back_s": back}
    evidence = (keep("trust/tunnel-down.json", json.dumps(raw, indent=1, default=dict).encode()),)
    clear = [*_in_clear(seen), *_arrived(seen.probe_run)]
    if clear:
        return live(ACCESS, subject(one), Result.FAIL, summarise(clear), evidence)
    doubts = [
        *_doubts(seen),
        *(one for one in tried.values() if isinstance(one, str)),
        *(f"{name}: nothing went into the tunnel" for name, count in tried.items() if count == 0),
    ]
    if doubts:
        return unknown(ACCESS, subject(one), summarise(doubts), evidence)
    went = ", ".join(f"{count} at {name}" for name, count in tried.items())
    reason = (
        f"without an ESP SA, packets sent into the tunnel ({went}) were seen nowhere; back in {back:.1f} s"
    )
    return live(
        ACCESS, subject(one), Result.PASS, reason, evidence, figure=(round(back, 3), BACK_LIMIT_S, "s")
    )


def _views(seen: Observed) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for device, answer in seen.wire.items():
        for interface, view in answer.data.get("interfaces", {}).items():
            yield f"{device}:{interface}", view


def _in_clear(seen: Observed) -> Iterator[str]:
    for end, view in _views(seen):
        if view["else"]:
            said = "; ".join(f"{count} {text}" for text, count in view["samples"][:2])
            yield f"{end}: {view['else']} packets in clear: {said}"


def _arrived(probe_run: ProbeRun) -> list[str]:
    heard = [outcome for outcome in probe_run.outcomes if outcome.heard]
    return [f"{len(heard)} packets arrived without an ESP SA: {heard[0].packet}"] if heard else []


def _doubts(seen: Observed) -> Iterator[str]:
    if seen.gone.error or seen.gone.data.get("left"):
        yield seen.gone.error or "the SAs did not go away"
    for answer in seen.wire.values():
        if answer.error:
            yield answer.error
    for end, view in _views(seen):
        if view["dropped"]:
            yield f"{end}: {view['dropped']} packets went by unseen"
    yield from seen.probe_run.failures.values()


def _tried(before: Answer, after: Answer) -> int | str:
    """Return how many packets a tunnel was given to send, sent or not; or why that is not known."""
    try:
        with reading(after.device):
            return _given(after) - _given(before)
    except UnreadableError as error:
        return str(error)


def _given(answer: Answer) -> int:
    sent: Mapping[str, int] = json.loads(printed(answer, "tunnel"))[0]["stats64"]["tx"]
    return sum(sent.get(key, 0) for key in ("packets", "errors", "dropped", "carrier_errors"))
