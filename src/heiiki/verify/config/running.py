"""What runs on each device against what was compiled for it (stage ``config``, D15)."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heiiki.render.model import DeviceBuild, RenderedFile
from heiiki.requirements import Result, Stage, Verdict, requirement
from heiiki.requirements.verdict import Evidence
from heiiki.verify.config.attribution import concerns
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.routing.frr import differences
from heiiki.verify.verdicts import Keep, summarise

_SECRET = re.compile(r"\{\{secret:[^}]*\}\}")
_FRR, _NFTABLES = "/etc/frr/frr.conf", "/etc/nftables.conf"
_SHOW = ("vtysh", "-c", "show running-config no-header")


def verdicts(builds: Sequence[DeviceBuild], fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield one verdict for each device and requirement that its files hold."""
    answers = fleet.ask("running", {build.device: question(build) for build in builds}, timeout=90)
    for build in builds:
        yield from of_device(build, answers[build.device], keep)


def question(build: DeviceBuild) -> dict[str, Any]:
    """Return the parameters of probe ``running`` for one device."""
    paths = [file.path for file in build.files]
    by_service = {file.service: file.path for file in build.files if file.requirements}
    health = [
        [by_service.get(service.name, ""), list(service.health)]
        for service in build.services
        if service.health and service.name in by_service
    ]
    return {
        "files": [_file(file) for file in build.files],
        "shown": [[path, list(_SHOW)] for path in paths if path == _FRR],
        "nftables": [path for path in paths if path == _NFTABLES],
        "health": health,
    }


def _file(file: RenderedFile) -> dict[str, str]:
    """A secret's value is not known here: what stands around it must be exact, in its place any word."""
    wanted = {"path": file.path, "mode": file.mode, "owner": file.owner}
    if not _SECRET.search(file.content):
        return wanted | {"sha256": hashlib.sha256(file.data).hexdigest()}
    return wanted | {"pattern": '[^"\\s]+'.join(re.escape(part) for part in _SECRET.split(file.content))}


def of_device(build: DeviceBuild, answer: Answer, keep: Keep) -> Iterator[Verdict]:
    """Yield the verdicts of one device from what it answered."""
    evidence = (keep(f"config/{build.device}.json", answer.raw),)
    held: dict[str, list[RenderedFile]] = {}
    for file in build.files:
        for identifier in file.requirements:
            if Stage.CONFIG in requirement(identifier).stages:
                held.setdefault(identifier, []).append(file)
    for identifier, files in held.items():
        yield _verdict(identifier, build, files, answer, evidence, frozenset(held))


def _verdict(
    identifier: str,
    build: DeviceBuild,
    files: list[RenderedFile],
    answer: Answer,
    evidence: tuple[Evidence, ...],
    held: frozenset[str],
) -> Verdict:
    programs = {file.service for file in files}
    paths = [
        file.path for file in build.files if file in files or (file.service in programs and file.service)
    ]
    shown_different, shown_unreadable = _shown(build, paths, answer)
    said = (*_said(answer.data.get("different", {}), paths), *shown_different)
    different = [text for text in said if concerns(identifier, text, held)]
    unreadable = (
        [answer.error] if answer.error else [*_said(answer.data["unreadable"], paths), *shown_unreadable]
    )
    if different:
        result, reason = Result.FAIL, summarise(different)
    elif unreadable:
        result, reason = Result.UNKNOWN, summarise(unreadable)
    else:
        result, reason = Result.PASS, f"as compiled: {', '.join(dict.fromkeys(file.path for file in files))}"
    return Verdict(identifier, build.device, Stage.CONFIG, result, reason, evidence=evidence)


def _shown(build: DeviceBuild, paths: Sequence[str], answer: Answer) -> tuple[list[str], list[str]]:
    """Return how what FRR shows differs from what was compiled, and why that is not known."""
    for file in build.files:
        if file.path == _FRR and _FRR in paths and not answer.error:
            said = answer.data["shown"].get(_FRR, {"rc": None, "err": "nothing was shown"})
            if said["rc"] != 0 or not said["out"].strip():
                return [], [f"{_FRR}: FRR does not show what it runs: {said['err'].strip()}"]
            return [f"{_FRR}, running: {line}" for line in differences(file.content, said["out"])], []
    return [], []


def _said(found: Mapping[str, Sequence[str]], paths: Sequence[str]) -> list[str]:
    return [f"{path} {text}" for path in dict.fromkeys(paths) for text in found.get(path, ())]
