"""Bounds of BGP sessions: how much a peer may bring."""

import re
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import compile_device
from heiiki.render.templates import most_prefixes

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def frr(plan: Plan, device: str) -> str:
    return compile_device(plan, plan.device(device)).contents["/etc/frr/frr.conf"]


def test_every_session_of_ipv4_is_bounded_and_told_of(plan: Plan) -> None:
    for device in plan.managed():
        if device.router:
            text = frr(plan, device.name)
            assert text.count("\nrouter bgp ") == text.count(" bgp log-neighbor-changes\n")
            bounded = re.findall(r"neighbor (\S+) maximum-prefix \d+ restart 1", text)
            assert bounded == re.findall(r"neighbor (\S+) route-map \S+ in", text)


def test_a_bound_holds_what_the_plan_has_and_little_more(plan: Plan) -> None:
    router = plan.device("hub-ce-a").router
    assert router
    edge = next(one for one in router.bgp[0].neighbors if one.accept == "SITE-LOOPBACKS")
    assert len(plan.sites) <= most_prefixes(edge, plan, router) == 8
