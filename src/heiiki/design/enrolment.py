"""R-SEC-ACCESS/enrolment on paper: who may enrol by a protocol, under which names, and what it can speak.

Judged are the text that the registration authority is sent, and the filter before it. Where a platform has
nothing better than SCEP, the verdict says so: it is not offered.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from heiiki.design import vendors
from heiiki.design.absence import Absence
from heiiki.design.sent import Sent
from heiiki.plan.model import Device, EstClient, Plan
from heiiki.plan.vendors import Need
from heiiki.render import est
from heiiki.requirements import Result, Stage, Verdict
from heiiki_agent.est import places

REQUIREMENT = est.REQUIREMENT
MOST = 150
"""Devices whose names fit into the policy of its log-in: a request to the Vault server has 64 KiB at most."""


def host(plan: Plan) -> Device | None:
    """Return the registration authority's host; None where there is none."""
    return next(_hosts(plan), None)


def _hosts(plan: Plan) -> Iterator[Device]:
    return (device for device in plan.managed() if device.est is not None)


_NOT_OFFERED = "no protocol of enrolment is offered (`enrolment:`): roles enrol, or a person signs"
ABSENT = Absence(REQUIREMENT, "enrolment", _NOT_OFFERED, _hosts)


def subject(device: str) -> str:
    """Subject of the verdict on one device."""
    return f"enrolment of {device}"


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of a service."""
    clients = _clients(plan)
    yield from (subject(one.identity.device) for one in clients)
    if plan.sites and not clients:
        yield ABSENT.subject


def _clients(plan: Plan) -> tuple[EstClient, ...]:
    found = host(plan)
    return found.est.clients if found is not None and found.est is not None else ()


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield a verdict for each device that may enrol; one that says so where none may."""
    clients, found = _clients(plan), host(plan)
    if found is None or not clients:
        if plan.sites:
            yield ABSENT.verdict(Stage.DESIGN)
        return
    told = _told(sent[found.name].files.get(str(places.CONFIG), ""))
    for one in clients:
        device = plan.device(one.identity.device)
        about = subject(device.name)
        wrong = list(_problems(found, told, one))
        if len(clients) > MOST:
            wrong.append(f"{len(clients)} devices enrol, and the policy of the log-in has room for {MOST}")
        if not wrong and device.by_hand:
            yield vendors.answer(Need.ENROLMENT, REQUIREMENT, about, device, sent[device.name])
        else:
            result = Result.FAIL if wrong else Result.PASS
            yield Verdict(REQUIREMENT, about, Stage.DESIGN, result, "; ".join(wrong) or _passed(one))


def _passed(one: EstClient) -> str:
    return (
        f"EST at {one.server}, for its own names alone: a secret that is good once, then its present "
        "certificate; its key stays there"
    )


def _told(text: str) -> Mapping[str, Any]:
    """Return the configuration that the program is sent; empty where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _problems(found: Device, told: Mapping[str, Any], one: EstClient) -> Iterator[str]:
    """Yield what keeps a device from enrolling, or lets it enrol under other names."""
    entries = [item for item in told.get("devices", ()) if item["device"] == one.identity.device]
    if entries != [est.names(one.identity)]:
        yield "the registration authority is not sent its names, or others"
    if str(one.server) not in told.get("addresses", ()):
        yield f"the registration authority does not listen at {one.server}"
    opened = found.firewall.services if found.firewall else ()
    if not any(one.source in source for it in opened if it.name == "est" for source in it.sources):
        yield f"the filter of {found.name} does not let {one.source} in"
