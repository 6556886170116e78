"""A demand-response event crosses the lab, and the books of VTN and resources agree."""

import json
import re

import pytest
from waiting import awaited

from heiiki.render.openadr import operate

from .service import Service

BOOK = "/var/lib/heiiki-resource/book.jsonl"
BOTH = ["perform", "withdraw"]
VTN, VEN = "heiiki-openadr-vtn", "heiiki-openadr-ven"


def controllers(service: Service) -> tuple[str, ...]:
    return tuple(site.controller for site in service.plan.sites)


def done(service: Service, device: str, event: str) -> list[str]:
    """Return what a resource did about an event, in order."""
    lines = service.run(device, "sh", "-c", f"cat {BOOK} 2>/dev/null || true").splitlines()
    return [one["kind"] for one in map(json.loads, lines) if one["what"].get("event_id") == event]


def takes_part(said: str) -> set[str]:
    """Return the sites that the table of an event shows as taking part."""
    return set(re.findall(r"^(\S+)  optIn$", said, re.MULTILINE))


@pytest.mark.representative
def test_an_event_is_done_once_at_every_site_whichever_end_is_killed(service: Service) -> None:
    event, less = "evening-1", ("--value=-5", "--duration", "PT1H", "--wait", "60")
    sent = service.heiiki("event", "send", "--event", event, *less)
    assert takes_part(sent) == {site.name for site in service.plan.sites}
    for device in controllers(service):
        awaited(f"{device} does it", lambda device=device: done(service, device, event) == ["perform"])
    service.run("dras", "systemctl", "kill", "--signal=KILL", VTN)
    service.run("umeda-bems", "systemctl", "kill", "--signal=KILL", VEN)
    awaited("the VTN is back", lambda: service.transport.run("dras", operate("GET", "/health")).rc == 0)
    again = service.heiiki("event", "send", "--event", "evening-2", *less)
    assert takes_part(again) == {site.name for site in service.plan.sites}
    for name in (event, "evening-2"):
        service.heiiki("event", "cancel", name, "--wait", "60")
    for device in controllers(service):
        for name in (event, "evening-2"):
            awaited(
                f"{device} ends {name}", lambda device=device, name=name: done(service, device, name) == BOTH
            )
