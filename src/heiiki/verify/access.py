"""Only subscribed SIMs with the right key get in (R-SEC-ACCESS); a UE without a bearer sends into the void.

The refusals come from the protocol, with its cause codes (TS 24.301 annex A and B). They count only because
the good SIM of the same UE attaches right after them: a core that is down refuses everybody.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Protocol

from heiiki.errors import TransportError
from heiiki.plan.model import Device, Function, Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.transport.base import Transport
from heiiki.verify.fleet import Fleet
from heiiki.verify.isolation.packets import START_S, ProbeRun, send_probes
from heiiki.verify.network import hub_ce
from heiiki.verify.routing.expected import ENB_STATE
from heiiki.verify.verdicts import Keep, live, unknown

SIMS = "/etc/heiiki-sim"
FORGED = 20
COUNTED_S = 5.0
_NO_SUCH_APN = "unknown-apn"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attach that must be refused, and the cause that must be given."""

    name: str
    sim: str
    apn: str
    protocol: str
    causes: frozenset[int]


def attempts(plan: Plan) -> tuple[Attempt, ...]:
    """Return the attaches that must be refused."""
    apn = plan.mobile.apn
    return (
        Attempt("SIM with a wrong key", "wrong-key.json", apn, "EMM", frozenset({20})),
        Attempt("SIM with an unknown IMSI", "unknown-imsi.json", apn, "EMM", frozenset({2, 8})),
        Attempt("APN not subscribed", "usim.json", _NO_SUCH_APN, "ESM", frozenset({27, 33})),
    )


class SimTrials(Protocol):
    """Commands that a test UE runs; only a lab has one."""

    def attempt(self, usim_path: str, apn: str) -> list[str]:
        """Return the command that tries to attach once and prints the outcome as JSON."""

    def forge(self, source: IPv4Address, destination: IPv4Address, count: int) -> list[str]:
        """Return the command that sends `count` user packets without a bearer."""


def test_ue(plan: Plan) -> Device | None:
    """Return the UE that belongs to no site, or None."""
    return next((device for device in plan.devices if device.function is Function.TEST_UE), None)


def verdicts(
    plan: Plan, transport: Transport, fleet: Fleet, keep: Keep, trials: SimTrials | None
) -> Iterator[Verdict]:
    """Yield one verdict for each refusal, one for the good SIM, and one for the UE that did not attach."""
    device = test_ue(plan)
    if device is None or trials is None:
        missing = "the service names no test equipment" if device is None else "there is no test UE here"
        yield unknown("R-SEC-ACCESS", "SIM on mobile", f"{missing} to try it with")
        return
    refused = [
        (one, _attach(transport, device.name, trials.attempt(f"{SIMS}/{one.sim}", one.apn)))
        for one in attempts(plan)
    ]
    good = _attach(transport, device.name, trials.attempt(f"{SIMS}/usim.json", plan.mobile.apn))
    said = {one.name: answer for one, answer in refused} | {"subscribed SIM": good}
    evidence = (keep("access/attempts.json", json.dumps(said, indent=1).encode()),)
    for one, answer in refused:
        yield judged(one, answer, good, evidence)
    yield _positive(good, evidence)
    yield from _forged(plan, transport, fleet, keep, device, trials)


def _attach(transport: Transport, device: str, command: Sequence[str]) -> dict[str, Any]:
    try:
        done = transport.run(device, command, timeout=40)
    except TransportError as error:
        return {"error": str(error)}
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return {"error": f"no answer from the UE: {lines[-1] if lines else done.rc}"}
    return answer


def judged(
    one: Attempt, answer: Mapping[str, Any], good: Mapping[str, Any], evidence: tuple[Evidence, ...]
) -> Verdict:
    """Return R-SEC-ACCESS of an attach that must be refused; `good` is the subscribed SIM's after it."""
    if "error" in answer:
        return unknown("R-SEC-ACCESS", one.name, answer["error"], evidence)
    if answer["outcome"] == "attached":
        reason = f"it attached and was given {answer.get('address')}"
        return live("R-SEC-ACCESS", one.name, Result.FAIL, reason, evidence)
    if answer["outcome"] != "refused":
        return unknown(
            "R-SEC-ACCESS", one.name, f"the network did not answer ({answer['procedure']})", evidence
        )
    cause = f"{answer['procedure']}, {answer['protocol']} cause {answer['cause']}"
    if answer["protocol"] != one.protocol or answer["cause"] not in one.causes:
        wanted = f"{one.protocol} cause {' or '.join(str(number) for number in sorted(one.causes))}"
        return unknown(
            "R-SEC-ACCESS", one.name, f"refused for another reason: {cause}, not {wanted}", evidence
        )
    if good.get("outcome") != "attached":
        return unknown(
            "R-SEC-ACCESS", one.name, f"refused ({cause}), but the subscribed SIM was refused too", evidence
        )
    return live(
        "R-SEC-ACCESS",
        one.name,
        Result.PASS,
        f"refused: {cause}; the subscribed SIM attached after",
        evidence,
    )


def _positive(good: Mapping[str, Any], evidence: tuple[Evidence, ...]) -> Verdict:
    subject = "subscribed SIM"
    if good.get("outcome") == "attached":
        reason = f"attached as {good.get('address')} in {good.get('seconds')} s (EPS-AKA)"
        return live("R-SEC-ACCESS", subject, Result.PASS, reason, evidence)
    if "error" in good or good.get("outcome") == "no_answer":
        return unknown("R-SEC-ACCESS", subject, good.get("error", "the network did not answer"), evidence)
    return live("R-SEC-ACCESS", subject, Result.FAIL, f"refused: {json.dumps(dict(good))}", evidence)


def _forged(
    plan: Plan, transport: Transport, fleet: Fleet, keep: Keep, device: Device, trials: SimTrials
) -> Iterator[Verdict]:
    """A UE without a bearer sends user packets: the eNB must count and drop them, the hub must hear none."""
    router = hub_ce(plan, "b")
    target = next(item.addresses[0].ip for item in router.interfaces if item.kind == "loopback")
    source = device.sim.address if device.sim is not None else target + 1
    interface = next(
        end.interface
        for link in plan.links
        for end in link.ends
        if end.device == plan.mobile.enb and device.name in (link.a.device, link.b.device)
    )
    before = _dropped(fleet, plan, interface)
    with ThreadPoolExecutor(1) as side:
        listening = side.submit(send_probes, fleet, (), (router.name,), (source,))
        time.sleep(START_S)
        try:
            sent = transport.run(device.name, trials.forge(source, target, FORGED)).rc == 0
        except TransportError:
            sent = False
        probe_run = listening.result()
    after = _counted(lambda: _dropped(fleet, plan, interface), before)
    evidence = (
        keep(
            "access/forged.json",
            json.dumps(
                {"before": before, "after": after, "sent": sent, "heard": dict(probe_run.watched)},
                default=dict,
            ).encode(),
        ),
    )
    yield _void(probe_run, router.name, str(source), (sent, before, after), evidence)


def _counted(read: Callable[[], int | None], before: int | None) -> int | None:
    """Return the counter once it has all that was sent: the eNB writes it down once a second, or later."""
    until = time.monotonic() + COUNTED_S
    while True:
        after = read()
        if before is None or after is None or after - before >= FORGED or time.monotonic() > until:
            return after
        time.sleep(0.5)


def _dropped(fleet: Fleet, plan: Plan, interface: str) -> int | None:
    answer = fleet.ask("read", {plan.mobile.enb: {"files": [ENB_STATE]}})[plan.mobile.enb]
    text = answer.data.get("files", {}).get(ENB_STATE)
    if text is None:
        return None
    radios: dict[str, dict[str, int]] = json.loads(text).get("radios", {})
    return radios.get(interface, {}).get("dropped_unattached")


def _void(
    probe_run: ProbeRun,
    router: str,
    source: str,
    seen: tuple[bool, int | None, int | None],
    evidence: tuple[Evidence, ...],
) -> Verdict:
    sent, before, after = seen
    subject = "UE that is not attached"
    if router in probe_run.failures or not sent:
        reason = probe_run.failures.get(router, "the UE could not send")
        return unknown("R-ISO-CARRIER", subject, reason, evidence)
    heard = probe_run.watched[router].get(source, 0)
    if heard:
        reason = f"{router} heard {heard} packets from {source}"
        return live("R-ISO-CARRIER", subject, Result.FAIL, reason, evidence)
    if before is None or after is None or after - before < FORGED:
        reason = f"the eNB counted {after} dropped packets after {before}; {FORGED} were sent"
        return unknown("R-ISO-CARRIER", subject, reason, evidence)
    reason = f"{FORGED} packets sent, {after - before} counted and dropped by the eNB, none heard at {router}"
    return live("R-ISO-CARRIER", subject, Result.PASS, reason, evidence)
