"""What a vendor's platform holds of what the plan asks of a CE router, on paper, requirement by requirement.

A fact of its table passes only where the file that the device is sent has it (D21). What it lacks fails, what
no public reference says is unknown.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from heiiki.design.sent import Sent
from heiiki.design.vendor_sent import VendorSent
from heiiki.plan.model import Device, Plan
from heiiki.plan.vendors import ENDANGERED, PLATFORMS, Fact, Need
from heiiki.requirements import Result, Stage, Verdict

ON_LINUX = "site routers"
"""Subject of the verdicts on a service without any router of a vendor."""
_EXAMINED_LATER = "every site's router is Linux, and is examined in configuration and live"
_STANDS = (Need.ONE_HOP, Need.CERTIFICATE, Need.SUITES, Need.TUNNEL)
"""Needs without any of which a router has no session with the hub, and its network carries nothing."""
_ELSEWHERE = frozenset({Need.TIME, Need.ENROLMENT})
"""Needs whose verdict is that of another check, for the same subject as a Linux router's."""
_ON_PAPER_FOR_VENDORS = (
    "R-DELAY/load",
    "R-ISO-MALICE",
    "R-ISO-MALICE/flood",
    "R-ISO-MALICE/control",
    "R-ISO-MALICE/layer-2",
)
"""Requirements of which nothing but a platform is judged on paper."""

REQUIREMENTS = tuple(
    dict.fromkeys(one for need, those in ENDANGERED.items() if need not in _ELSEWHERE for one in those)
)
"""Requirements of which each router of a vendor has a verdict."""


def subject(device: str) -> str:
    """Subject of the verdicts on a device's platform."""
    return f"platform of {device}"


def subjects(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield requirement and subject of each verdict on the routers of vendors."""
    every = tuple(plan.by_hand())
    for device in every:
        yield from ((one, subject(device.name)) for one in REQUIREMENTS if any(_needs(device, one)))
    if not every and plan.sites:
        yield from ((one, ON_LINUX) for one in _ON_PAPER_FOR_VENDORS)


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield a verdict for each router of a vendor and requirement; one a requirement where there is none."""
    for identifier, about in subjects(plan):
        if about == ON_LINUX:
            yield Verdict(identifier, about, Stage.DESIGN, Result.NOT_APPLICABLE, _EXAMINED_LATER)
    for device in plan.by_hand():
        for identifier in REQUIREMENTS:
            if needs := tuple(_needs(device, identifier)):
                yield _verdict(identifier, subject(device.name), device, sent[device.name], needs)


def answer(need: Need, identifier: str, about: str, device: Device, sent: Sent) -> Verdict:
    """Return the verdict on one need, for another check's subject."""
    return _verdict(identifier, about, device, sent, (need,))


def path(plan: Plan, elements: Iterable[str], sent: Mapping[str, Sent]) -> tuple[Result, str]:
    """Return whether a tunnel can stand over these elements, as the platform of a gateway is, and why not.

    A pass without a reason where no gateway among them is of a vendor.
    """
    device = plan.first_by_hand(elements)
    if device is None:
        return Result.PASS, ""
    found = _verdict("R-DUAL", subject(device.name), device, sent[device.name], _STANDS)
    return found.result, f"{device.name} is of {found.reason}"


def _needs(device: Device, identifier: str) -> Iterator[Need]:
    reached = device.firewall is not None and device.firewall.management is not None
    for need, endangered in ENDANGERED.items():
        if identifier in endangered and need not in _ELSEWHERE and (reached or need is not Need.MANAGEMENT):
            yield need


def _verdict(identifier: str, about: str, device: Device, sent: Sent, needs: tuple[Need, ...]) -> Verdict:
    platform = PLATFORMS[device.platform]
    text = sent.text if isinstance(sent, VendorSent) else ""
    judged = [(need, platform.facts[need], _result(platform.facts[need], text)) for need in needs]
    worst = next(
        one for one in (Result.FAIL, Result.UNKNOWN, Result.PASS) if one in {result for *_, result in judged}
    )
    said = "; ".join(_said(need, fact, text) for need, fact, result in judged if result is worst)
    return Verdict(identifier, about, Stage.DESIGN, worst, f"{platform.title}: {said}")


def _result(fact: Fact, text: str) -> Result:
    if fact.holds is None:
        return Result.UNKNOWN
    return Result.PASS if fact.holds and not _missing(fact, text) else Result.FAIL


def _missing(fact: Fact, text: str) -> tuple[str, ...]:
    return tuple(one for one in fact.shown if not re.search(one, text, re.MULTILINE))


def _said(need: Need, fact: Fact, text: str) -> str:
    lacking = _missing(fact, text) if fact.holds else ()
    missing = f", but the file that is sent has nothing like {', '.join(lacking)}" if lacking else ""
    return f"{need}: {fact.says}{missing} ({fact.source})"
