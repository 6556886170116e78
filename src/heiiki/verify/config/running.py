"""What runs on each device against what was compiled for it (stage ``config``, D15)."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from heiiki.plan.model import Device, Plan
from heiiki.render.model import DeviceBuild, RenderedFile
from heiiki.requirements import Result, Stage, Verdict, requirement
from heiiki.requirements.verdict import Evidence
from heiiki.verify.config import reads
from heiiki.verify.config.attribution import Difference, of_filter, of_frr, of_health, of_key, of_links
from heiiki.verify.config.programs import runs_otherwise
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.host.explained import Added, Adds, nothing
from heiiki.verify.routing import units
from heiiki.verify.routing.frr import differences
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown
from heiiki_agent import frr

_SECRET = re.compile(r"\{\{secret:[^}]*\}\}")
_FRR, _NFTABLES, _LINKS = "/etc/frr/frr.conf", "/etc/nftables.conf", "/etc/heiiki/links.json"
_SHOWN = 300
_NOTHING = Added()
_SIGNED_PORTS = (179, 646)
_SESSIONS = (
    *("ss", "-Htni", "state", "established"),
    f"( {' or '.join(f'{side} = :{port}' for port in _SIGNED_PORTS for side in ('sport', 'dport'))} )",
)
"""The TCP sessions of BGP and LDP, with the keys by which the kernel signs them: read on the device alone."""


@dataclass(frozen=True, slots=True)
class _Target:
    """A device, what it is sent, and what its management adds to it."""

    device: Device
    build: DeviceBuild
    added: Added


def verdicts(
    plan: Plan, builds: Sequence[DeviceBuild], fleet: Fleet, keep: Keep, adds: Adds = nothing
) -> Iterator[Verdict]:
    """Yield one verdict for each device and requirement that its files hold."""
    answers = fleet.ask("running", {build.device: question(build) for build in builds}, timeout=90)
    also = fleet.ask("reads", {build.device: reads.question(_units(build)) for build in builds}, timeout=90)
    for build in builds:
        device, answer = plan.device(build.device), answers[build.device]
        yield from of_device(device, build, _with_reads(answer, also[build.device]), keep, adds(device))
        yield from in_force(device, build, answer, keep)


def _with_reads(answer: Answer, read: Answer) -> Answer:
    """Return both answers as one: what is there and runs, and what programs read besides."""
    found = {"error": read.error} if read.error else read.data["programs"]
    return replace(answer, data={**answer.data, "reads": found}, raw=answer.raw + read.raw)


def question(build: DeviceBuild) -> dict[str, Any]:
    """Return the parameters of probe ``running`` for one device."""
    paths = [file.path for file in build.files]
    answering = _units(build)
    return {
        "files": [_file(file) for file in build.files],
        "shown": [[path, list(frr.SHOW), list(_SESSIONS)] for path in paths if path == _FRR],
        "nftables": [[file.path, file.content] for file in build.files if file.path == _NFTABLES],
        "health": [
            [answering[service.name], list(service.health)]
            for service in build.services
            if service.health and service.name in answering
        ],
        "units": units.command(answering) if answering else [],
    }


def _units(build: DeviceBuild) -> dict[str, str]:
    """Return the services that hold a requirement, each with the file for which it answers."""
    paths = {file.service: file.path for file in build.files if file.requirements}
    return {service.name: paths[service.name] for service in build.services if service.name in paths}


def _file(file: RenderedFile) -> dict[str, str]:
    """A secret's value is not known here: what stands around it must be exact, in its place any word."""
    wanted = {"path": file.path, "mode": file.mode, "owner": file.owner}
    if not _SECRET.search(file.content):
        return wanted | {"sha256": hashlib.sha256(file.data).hexdigest()}
    return wanted | {"pattern": '[^"\\s]+'.join(re.escape(part) for part in _SECRET.split(file.content))}


def of_device(
    device: Device, build: DeviceBuild, answer: Answer, keep: Keep, added: Added = _NOTHING
) -> Iterator[Verdict]:
    """Yield the verdicts of one device from what it answered; `added`: what its management adds to it."""
    evidence = (keep(f"config/{build.device}.json", answer.raw),)
    for identifier in requirements_of(build):
        yield judged(
            build.device,
            partial(_verdict, identifier, _Target(device, build, added), answer, evidence),
            partial(_stage, identifier, build.device, Result.UNKNOWN, evidence=evidence),
        )


def in_force(device: Device, build: DeviceBuild, answer: Answer, keep: Keep) -> Iterator[Verdict]:
    """Yield the live verdicts of one device: what its kernel's packet filter lets pass is what was planned.

    Probe packets are a sample of protocols and ports; the rules that decide on all are looked at here.
    """
    evidence = (keep(f"config/{build.device}.json", answer.raw),)
    for identifier in filtered(build):
        yield judged(
            build.device,
            partial(_of_filter, identifier, device, build, answer, evidence),
            partial(unknown, identifier, filter_subject(build.device), evidence=evidence),
        )


def filter_subject(device: str) -> str:
    """Subject of the live verdicts on the rules that a device's kernel has."""
    return f"packet filter of {device}"


def filtered(build: DeviceBuild) -> tuple[str, ...]:
    """Return the requirements that a device's packet filter holds at the live stage."""
    found = (one for file in build.files if file.path == _NFTABLES for one in file.requirements)
    return tuple(one for one in found if Stage.LIVE in requirement(one).stages)


def _of_filter(
    identifier: str, device: Device, build: DeviceBuild, answer: Answer, evidence: tuple[Evidence, ...]
) -> Verdict:
    subject = filter_subject(build.device)
    if answer.error:
        return unknown(identifier, subject, answer.error, evidence)
    found = answer.data["filter"][_NFTABLES]
    if "error" in found:
        return unknown(identifier, subject, found["error"], evidence)
    wrong = [
        one.text.strip()
        for one in of_filter(_NFTABLES, device, found.get("wanted", ()), found.get("there", ()))
        if one.speaks_against(identifier, _requirements_of_file(build, _NFTABLES))
    ]
    if wrong:
        return live(identifier, subject, Result.FAIL, summarise(wrong), evidence)
    reason = "every rule of the kernel's is one that was compiled, in the same order"
    return live(identifier, subject, Result.PASS, reason, evidence)


def requirements_of(build: DeviceBuild) -> tuple[str, ...]:
    """Return the requirements that the files of a device hold at this stage."""
    found = (one for file in build.files for one in file.requirements)
    return tuple(one for one in dict.fromkeys(found) if Stage.CONFIG in requirement(one).stages)


def _stage(
    identifier: str, device: str, result: Result, reason: str, *, evidence: tuple[Evidence, ...]
) -> Verdict:
    return Verdict(identifier, device, Stage.CONFIG, result, reason, evidence=evidence)


def _verdict(identifier: str, target: _Target, answer: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    build = target.build
    files = [file for file in build.files if identifier in file.requirements]
    programs = {file.service for file in files if file.service}
    paths = [file.path for file in build.files if file in files or file.service in programs]
    if answer.error:
        return _stage(identifier, build.device, Result.UNKNOWN, answer.error, evidence=evidence)
    different = [
        f"{one.path}{one.text}"
        for one in _differences(target, answer.data)
        if (one.everywhere and identifier in one.concerned)
        or (one.path in paths and one.speaks_against(identifier, _requirements_of_file(build, one.path)))
    ]
    unreadable = [said for path in paths for said in _unreadable(path, answer.data)]
    unreadable += _not_read(build, paths, answer.data["reads"])
    if different:
        return _stage(identifier, build.device, Result.FAIL, summarise(different), evidence=evidence)
    if unreadable:
        return _stage(identifier, build.device, Result.UNKNOWN, summarise(unreadable), evidence=evidence)
    reason = f"as compiled: {', '.join(dict.fromkeys(file.path for file in files))}"
    return _stage(identifier, build.device, Result.PASS, reason, evidence=evidence)


def _requirements_of_file(build: DeviceBuild, path: str) -> frozenset[str]:
    """Return what a file holds: its own requirements and those of the other files of its service."""
    service = next(file.service for file in build.files if file.path == path)
    mates = [file for file in build.files if file.path == path or (service and file.service == service)]
    return frozenset(one for file in mates for one in file.requirements)


def _differences(target: _Target, said: Mapping[str, Any]) -> Iterator[Difference]:
    device, build = target.device, target.build
    yield from _of_reads(target, said["reads"])
    for path, texts in said["different"].items():
        yield from (Difference(path, f" {text}") for text in texts)
    yield from _of_programs(device, build, said)
    for path, found in said["filter"].items():
        if "there" in found:
            yield from of_filter(path, device, found["wanted"], found["there"])
    for file in build.files:
        if file.path == _FRR and not _not_shown(said):
            missing, more = differences(file.content, said["shown"][_FRR]["out"])
            yield from (of_frr(_FRR, line, missing=True) for line in missing)
            yield from (of_frr(_FRR, line, missing=False) for line in more)
    for path, found in said["keys"].items():
        other = [f"running: another key than the file's: {line}" for line in found.get("other", ())]
        unsigned = [f"a session with {peer} is not signed" for peer in found.get("unsigned", ())]
        yield from (of_key(path, text) for text in (*other, *unsigned))


def _of_reads(target: _Target, said: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what nothing explains in what the programs read."""
    for name, path in _units(target.build).items():
        concerned = reads.concerned(name)
        yield from (
            Difference(path, f": {text}", concerned, everywhere=bool(concerned))
            for text in reads.wrong(target.build, target.added.files, name, said.get(name, reads.NOT_READ))
        )


def _of_programs(device: Device, build: DeviceBuild, said: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the programs that do not run, and those that run with other values than their files."""
    states = units.states(said["units"])
    for name, path in _units(build).items():
        state = states.get(name, units.ACTIVE)
        if state != units.ACTIVE:
            yield Difference(path, f" {name} does not run: {state}")
            continue
        found = said["health"].get(path)
        if found is None or found["rc"] is None:
            continue
        if found["rc"]:
            yield from _unhealthy(path, name, found)
        else:
            yield from (
                of_health(path, f"runs otherwise: {text}") for text in runs_otherwise(device, path, found)
            )


def _unhealthy(path: str, name: str, found: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield why the check of a program failed; that of the links lists what it would do, a command a line."""
    commands = found["out"].strip().splitlines()
    if path == _LINKS and commands and not found["err"].strip():
        yield from (of_links(path, name, command) for command in commands)
        return
    told = (found["out"] + found["err"]).strip().replace("\n", "; ")[:_SHOWN]
    yield of_health(path, f"{name} does not work: {told or 'it says nothing'}")


def _unreadable(path: str, said: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{path} {text}" for text in said["unreadable"].get(path, ()))
    found = said["health"].get(path)
    if found is not None and found["rc"] is None:
        yield f"{path}: the check of its program cannot be run: {found['err']}"
    if said["units"].get("rc", 0) != 0:
        yield f"{path}: systemd does not say whether its program runs: {said['units']['err'].strip()}"
    if error := said["filter"].get(path, {}).get("error"):
        yield f"{path} {error}"
    if error := said["keys"].get(path, {}).get("error"):
        yield f"{path} {error}"
    if path == _FRR and (why := _not_shown(said)):
        yield f"{_FRR}: FRR does not show what it runs: {why}"


def _not_read(build: DeviceBuild, paths: Sequence[str], said: Mapping[str, Any]) -> Iterator[str]:
    error = said.get("error", "nothing was said of it")
    for name, path in _units(build).items():
        if path in paths and name not in said:
            yield f"{path}: what {name} reads besides is not known: {error}"


def _not_shown(said: Mapping[str, Any]) -> str:
    """Return why FRR's running configuration is not known; empty when it is."""
    found = said["shown"].get(_FRR, {"rc": None, "out": "", "err": "nothing was shown"})
    return "" if found["rc"] == 0 and found["out"].strip() else found["err"].strip() or f"exit {found['rc']}"
