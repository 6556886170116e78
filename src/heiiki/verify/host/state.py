"""Each host as it is, beyond its files (R-MINIMAL): one look at a host, one verdict for what it endangers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Network
from typing import Any

from heiiki.plan.model import Device, Function, Plan
from heiiki.plan.neighbours import claims
from heiiki.render.compile import UNWANTED
from heiiki.render.model import DeviceBuild
from heiiki.requirements import Result, Stage, Verdict, requirement
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet, Looks, UnreadableError, reading
from heiiki.verify.host.explained import FILES, Adds, nothing
from heiiki.verify.host.findings import (
    ACCESS,
    CARRIER,
    CLOSED,
    ESP,
    GROUP,
    MALICE,
    MINIMAL,
    PARTS,
    SITE,
    Host,
    findings,
    known_prefixes,
)
from heiiki.verify.network import host as only
from heiiki.verify.network import lan_address
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

HUB_LAN = "hosts on the hub's LAN"
"""Subject of the verdict on who answers there."""

ALWAYS = (MINIMAL, CLOSED, GROUP)
_ENDANGERED = (SITE, CARRIER, MALICE, ACCESS, ESP)
LOOKS = Looks(most=5, every_s=3.0)
"""What is so for a moment alone is no finding: a socket that is opened while the processes are listed, or
states of an IKE SA that another one replaces, which charon lists no more and deletes within ten seconds."""
_MOST_ASKED = 1024
_SCAN_S = 1.0


def subject(device: str) -> str:
    """Subject of the verdicts on a host."""
    return f"host {device}"


def judged_for(build: DeviceBuild) -> tuple[str, ...]:
    """Return the requirements that get a verdict on a host: those of every host, and those it serves."""
    served = {one for file in build.files for one in file.requirements}
    return (*ALWAYS, *(one for one in _ENDANGERED if one in served and Stage.LIVE in requirement(one).stages))


def verdicts(
    plan: Plan, builds: Sequence[DeviceBuild], fleet: Fleet, keep: Keep, adds: Adds = nothing
) -> Iterator[Verdict]:
    """Yield live verdicts on every managed host, and on who answers on the hub's LAN."""
    scanner = only(plan, Function.DRAS).name
    asked: dict[str, dict[str, Any]] = {
        build.device: {"settings": [*UNWANTED, "forwarding"]} for build in builds
    }
    if scanner in asked:
        asked[scanner] |= _scan(plan)
    known = known_prefixes(plan)
    hosts = {build.device: _planned(plan, build, known, adds) for build in builds}
    found = fleet.ask_until("host", asked, partial(_unexplained, hosts), LOOKS, timeout=60)
    answers = _with_files(found, fleet)
    for build in builds:
        answer = answers[build.device]
        evidence = (keep(f"host/{build.device}.json", answer.raw),)
        for identifier in judged_for(build):
            yield judged(
                build.device,
                partial(of_host, identifier, hosts[build.device], answer, evidence),
                partial(_unknown, identifier, subject(build.device), evidence),
            )
        if build.device == scanner:
            yield judged(
                HUB_LAN,
                partial(of_lan, plan, answer, evidence),
                partial(_unknown, GROUP, HUB_LAN, evidence),
            )


def _planned(plan: Plan, build: DeviceBuild, known: tuple[IPv4Network, ...], adds: Adds) -> Host:
    device = plan.device(build.device)
    units = (name.removesuffix(".service") for name in build.units)
    services = frozenset((*(service.name for service in build.services), *units))
    return Host(plan, device, services, adds(device), known, frozenset(build.contents))


def _with_files(answers: Mapping[str, Answer], fleet: Fleet) -> dict[str, Answer]:
    """Add what programs of every host read: files that change less often than what is looked at twice."""
    also = fleet.ask("reads", {name: {"files": FILES} for name in answers}, timeout=60)
    return {name: _joined(answer, also[name]) for name, answer in answers.items()}


def _joined(answer: Answer, also: Answer) -> Answer:
    if answer.error:
        return answer
    if also.error:
        return replace(answer, data={**answer.data, "errors": {**answer.data["errors"], "files": also.error}})
    return replace(answer, data={**answer.data, "files": also.data["files"]}, raw=answer.raw + also.raw)


def _unexplained(hosts: Mapping[str, Host], answers: Mapping[str, Answer]) -> list[str]:
    return [name for name, answer in answers.items() if not _is_explained(hosts[name], answer)]


def _is_explained(host: Host, answer: Answer) -> bool:
    try:
        with reading(host.device.name):
            return not findings(host, answer.data)
    except UnreadableError:
        return False


def _scan(plan: Plan) -> dict[str, Any]:
    if plan.hub_lan.num_addresses > _MOST_ASKED:
        return {}
    interface, source = lan_address(only(plan, Function.DRAS), plan.hub_lan)
    targets = [str(address) for address in plan.hub_lan.hosts() if address != source]
    return {
        "scan": {"interface": interface.name, "source": str(source), "targets": targets, "seconds": _SCAN_S}
    }


def _unknown(identifier: str, about: str, evidence: tuple[Evidence, ...], why: str) -> Verdict:
    return unknown(identifier, about, why, evidence)


def of_host(identifier: str, host: Host, answer: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict of one requirement on one host."""
    about = subject(host.device.name)
    if answer.error:
        return unknown(identifier, about, answer.error, evidence)
    wrong = [
        one.text
        for one in findings(host, answer.data)
        if identifier == MINIMAL or identifier in one.endangers
    ]
    if wrong:
        return live(identifier, about, Result.FAIL, f"nothing explains {summarise(wrong)}", evidence)
    errors: Mapping[str, str] = answer.data["errors"]
    silent = [
        errors.get(part, f"the host does not tell its {part}") for part in PARTS if part not in answer.data
    ]
    if silent or errors:
        return unknown(identifier, about, summarise(silent or list(errors.values())), evidence)
    return live(identifier, about, Result.PASS, _scope(host.device, answer.data), evidence)


def _scope(device: Device, said: Mapping[str, Any]) -> str:
    counts = {
        "interfaces": len(said["addresses"]),
        "routes": len(said["routes"]),
        "sockets": len(said["sockets"]),
        "units": len(said["units"]),
        "accounts": len(said["accounts"]),
        "packages": len(said["packages"]),
    }
    counted = ", ".join(f"{count} {what}" for what, count in counts.items())
    return f"the plan, Debian or the management of {device.name} explains all of {counted}, and the rest"


def of_lan(plan: Plan, answer: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return R-ISO-GROUP of the hub's LAN: only the plan's hosts answer ARP there."""
    if answer.error:
        return unknown(GROUP, HUB_LAN, answer.error, evidence)
    if "neighbours" not in answer.data:
        return unknown(GROUP, HUB_LAN, f"{plan.hub_lan} is too large to ask every address", evidence)
    found: Mapping[str, Sequence[str]] = answer.data["neighbours"]
    planned = {str(one.address): one.link_address for one in claims(only(plan, Function.DRAS))}
    references = {str(one) for device in plan.devices if device.clock for one in device.clock.references}
    strange = [
        f"{address} ({station})"
        for address, stations in found.items()
        for station in stations
        if planned.get(address) != station and address not in references
    ]
    if strange:
        reason = f"a host that is not in the plan answers as {summarise(strange)}"
        return live(GROUP, HUB_LAN, Result.FAIL, reason, evidence)
    if not found:
        return unknown(
            GROUP, HUB_LAN, "no host of the plan answered either, so silence proves nothing", evidence
        )
    reason = f"{len(found)} addresses of {plan.hub_lan} answer ARP, each by the plan's station and no other"
    return live(GROUP, HUB_LAN, Result.PASS, reason, evidence)
