"""Both networks are up as planned (R-DUAL), and no gateway has a route to another site (R-ISO-SITE)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from heiiki.plan.model import Device, Plan
from heiiki.render.model import DeviceBuild
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet, UnreadableError, printed, reading
from heiiki.verify.network import gateways
from heiiki.verify.routing.expected import (
    Expected,
    expectations,
    foreign_routes,
    question,
    readable_problems,
    unreadable,
)
from heiiki.verify.verdicts import Keep, live, summarise, unknown

# IPv4 alone: with all tables, iproute2 lists those of IPv6 too, and the plan has no address of that family.
_TABLES = {"commands": {"tables": ["ip", "-4", "-j", "route", "show", "table", "all"]}}


_PROGRAMS = frozenset({"R-GAP", "R-DUAL"})
"""Services that hold one of these are part of a path, or of the switch to the other one."""


def verdicts(plan: Plan, builds: Sequence[DeviceBuild], fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield R-DUAL for every router and R-ISO-SITE for every gateway's tables."""
    needed = {build.device: programs(build) for build in builds}
    expected = {name: replace(one, units=needed.get(name, ())) for name, one in expectations(plan).items()}
    answers = fleet.ask("read", {name: question(one) for name, one in expected.items()})
    for name, one in expected.items():
        yield of_device(one, answers[name], keep)
    yield from _tables(
        plan, fleet.ask("read", dict.fromkeys((device.name for device in gateways(plan)), _TABLES)), keep
    )


def programs(build: DeviceBuild) -> tuple[str, ...]:
    """Return the services of a device without which a path does not stand, or is not switched to."""
    names = {file.service for file in build.files if _PROGRAMS & set(file.requirements)}
    return tuple(service.name for service in build.services if service.name in names)


def of_device(expected: Expected, answer: Answer, keep: Keep) -> Verdict:
    """Return R-DUAL of one router: sessions, BFD, VRRP, core, bearer, and the way that packets leave."""
    evidence = (keep(f"sessions/{expected.device}.json", answer.raw),)
    silent = unreadable(answer)
    try:
        wrong = readable_problems(expected, answer)
    except UnreadableError as error:
        return unknown("R-DUAL", expected.device, str(error), evidence)
    if wrong:
        return live("R-DUAL", expected.device, Result.FAIL, summarise(wrong), evidence)
    if silent:
        return unknown("R-DUAL", expected.device, summarise(silent), evidence)
    return live("R-DUAL", expected.device, Result.PASS, _scope(expected), evidence)


def _scope(expected: Expected) -> str:
    parts = [f"{len(expected.sessions)} BGP sessions with BFD up"] if expected.sessions else []
    if expected.core:
        parts.append(f"{expected.core} OSPF and LDP neighbours")
    if expected.virtual is not None:
        parts.append("VRRP master" if expected.virtual[1] else "VRRP backup")
    if expected.sim is not None:
        parts.append(f"attached as {expected.sim}")
    if expected.units:
        parts.append(f"{', '.join(expected.units)} run")
    if expected.exits:
        parts.append(f"{len(expected.exits)} routes leave where planned")
    return ", ".join(parts)


def _tables(plan: Plan, answers: Mapping[str, Answer], keep: Keep) -> Iterator[Verdict]:
    for name, answer in answers.items():
        evidence = (keep(f"tables/{name}.json", answer.raw),)
        yield _of_table(plan, plan.device(name), answer, evidence)


def _of_table(plan: Plan, device: Device, answer: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    subject = f"routes of {device.name}"
    try:
        with reading(device.name):
            routes = json.loads(printed(answer, "tables"))
            leaked = foreign_routes(plan, device, routes)
    except UnreadableError as error:
        return unknown("R-ISO-SITE", subject, str(error), evidence)
    if leaked:
        return live("R-ISO-SITE", subject, Result.FAIL, summarise(leaked), evidence)
    if not routes:
        return unknown("R-ISO-SITE", subject, "the device has no route at all", evidence)
    scope = f"{len(routes)} routes in all tables, none to another site"
    return live("R-ISO-SITE", subject, Result.PASS, scope, evidence)
