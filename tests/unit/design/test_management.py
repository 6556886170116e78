"""The management network is no back door: it shares no address with the closed networks, and is small."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from heiiki.design.management import verdicts
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import ManagementAccess
from heiiki.requirements import Result, Verdict

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
POOL = IPv4Network("10.16.0.0/18")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def judged(plan: Plan, sources: Sequence[str], interface: str = "mgmt0") -> Verdict:
    access = ManagementAccess(interface, tuple(map(IPv4Network, sources)), (POOL,))
    devices = tuple(
        replace(one, firewall=replace(one.firewall, management=access)) if one.firewall else one
        for one in plan.devices
    )
    (verdict,) = verdicts(replace(plan, devices=devices))
    return verdict


def test_a_lab_has_no_management_network(plan: Plan) -> None:
    assert list(verdicts(plan)) == []


def test_a_network_apart_passes_and_says_where_it_is_open(plan: Plan) -> None:
    seen = judged(plan, ["192.168.200.0/24"])
    assert (seen.result, seen.reason) == (Result.PASS, "SSH is open to 192.168.200.0/24, by mgmt0 alone")
    unnamed = judged(plan, ["192.168.200.0/24"], "")
    assert unnamed.reason.endswith("by any interface that the plan does not know")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("10.16.1.16/28", "is of the closed networks: 10.16.0.0/18"),
        ("172.16.0.0/13", "is wider than a /16"),
        ("0.0.0.0/0", "is wider than a /16"),
    ],
)
def test_a_back_door_fails(plan: Plan, source: str, why: str) -> None:
    seen = judged(plan, ["192.168.200.0/24", source])
    assert seen.result is Result.FAIL
    assert why in seen.reason
