"""What the network is made of now: the tool, the compiled texts, and what runs on each device."""

import hashlib
from collections.abc import Iterator, Sequence

import heiiki
from heiiki.plan.model import Device, Plan
from heiiki.render.model import DeviceBuild
from heiiki.report.fingerprint import Fingerprint
from heiiki.verify.fleet import Answer, Fleet, UnreadableError, reading

_DIGITS = 16
_SERVICES = "services"


def fingerprint(plan: Plan, builds: Sequence[DeviceBuild], fleet: Fleet) -> Fingerprint:
    """Ask every device for its versions and the state of its services; what does not answer is None."""
    asked = [build for build in builds if plan.device(build.device).managed]
    commands = {build.device: _commands(plan.device(build.device), build) for build in asked}
    answers = fleet.ask("read", {name: {"commands": own} for name, own in commands.items()})
    paths = _digest(repr((plan.paths, plan.faults)))
    parts: dict[str, str | None] = {"tool": heiiki.__version__, "paths and faults of the plan": paths}
    for build in builds:
        texts = "\0".join(f"{path}\0{text}" for path, text in sorted(build.contents.items()))
        parts[f"configuration of {build.device}"] = _digest(texts)
        if build.device in answers:
            parts |= _told(answers[build.device], commands[build.device], build)
    return Fingerprint(parts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _commands(device: Device, build: DeviceBuild) -> dict[str, list[str]]:
    """Return what tells the versions of programs that decide an interruption, and the state of services."""
    return {
        "kernel": ["uname", "-sr"],
        **({"FRR": ["/usr/lib/frr/zebra", "--version"]} if device.router else {}),
        **({"keepalived": ["keepalived", "--version"]} if device.vrrp else {}),
        **({"strongSwan": ["swanctl", "--version"]} if device.ipsec else {}),
        _SERVICES: ["systemctl", "is-active", *(f"{one.name}.service" for one in build.services)],
    }


def _told(
    answer: Answer, commands: dict[str, list[str]], build: DeviceBuild
) -> Iterator[tuple[str, str | None]]:
    for name in commands.keys() - {_SERVICES}:
        yield f"{name} of {answer.device}", _line(answer, name)
    states = _states(answer, len(build.services))
    for service, state in zip(build.services, states, strict=True):
        yield f"service {service.name} of {answer.device}", state


def _states(answer: Answer, count: int) -> Sequence[str | None]:
    """Return the state of each service: systemctl says them in the order of the question, a line each."""
    try:
        with reading(answer.device):
            lines: list[str] = answer.data["commands"][_SERVICES]["out"].split()
    except UnreadableError:
        lines = []
    return lines if len(lines) == count else [None] * count


def _line(answer: Answer, name: str) -> str | None:
    """Return the first line that a command said: some tell their version on standard error."""
    try:
        with reading(answer.device):
            said = answer.data["commands"][name]
            lines = f"{said['out']}\n{said['err']}".split("\n")
            return (
                None if said["rc"] is None else next((line.strip() for line in lines if line.strip()), None)
            )
    except UnreadableError:
        return None
