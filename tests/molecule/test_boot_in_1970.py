"""A gateway whose clock says 1970 after its boot comes back by itself once the clock is set.

All nodes share the guest's clock, and chronyd sets none of it (as in any container): so every clock goes back
while the one gateway boots, and the test sets it, as the gateway's chronyd would.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from waiting import awaited

from .service import Service

GATEWAY, PATIENCE_S = "sakai-gw-b", 240
SITE, HUB, CONTROLLER = "s0042", "hub-ce-b", "sakai-bems"
"""Its connection at the hub; network B is this site's primary one."""
NOON = 12 * 3600
LOG = "/var/log/heiiki/strongswan.log"
DOUBTED = "the clock says 1970-01-0"


@contextmanager
def in_1970(service: Service) -> Iterator[None]:
    """Set every clock to the first day that a clock of UNIX knows; afterwards to what it is."""
    vault = service.plan.pki.vault
    now, began = int(service.run(vault, "date", "+%s")), time.monotonic()
    service.run(vault, "date", "--set", f"@{NOON}")
    try:
        yield
    finally:
        service.run(vault, "date", "--set", f"@{now + int(time.monotonic() - began)}")


def is_up(service: Service) -> bool:
    """Whether the tunnel of now is one that was begun after the boot, and the hub learns the LAN by it."""
    return bool(service.associations(HUB, SITE) and service.associations(GATEWAY, "hub-b"))


@pytest.mark.long
def test_a_gateway_that_boots_in_1970_comes_back_by_itself(service: Service) -> None:
    assert is_up(service)
    dras = str(service.plan.device("dras").addresses[0])
    service.lab("fail", GATEWAY, "--how", "poweroff")
    awaited("the hub has given it up", lambda: not service.associations(HUB, SITE), PATIENCE_S)
    with in_1970(service):
        service.lab("heal", GATEWAY)
        awaited(
            "the gateway doubts its clock",
            lambda: DOUBTED in service.run(GATEWAY, "cat", LOG),
            PATIENCE_S,
        )
        # It must not have come to it by certificates that are not valid yet.
        assert not service.associations(HUB, SITE)
    awaited("the tunnel is there again, and nobody did anything", lambda: is_up(service), PATIENCE_S)
    awaited(
        "the hub has the site's LAN by it again",
        lambda: "gre-b0042" in service.run(HUB, "ip", "route", "show", str(service.plan.site("sakai").lan)),
        PATIENCE_S,
    )
    assert "5 received" in service.run(CONTROLLER, "ping", "-q", "-c", "5", dras)
    for one in service.plan.device(HUB).ipsec:
        awaited(
            f"{one.name} of {HUB} stands", lambda one=one: service.associations(HUB, one.name), PATIENCE_S
        )
