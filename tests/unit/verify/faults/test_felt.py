"""The shortest interruption that a failure can cause, from the timers in the rendered texts."""

from dataclasses import replace

import pytest

from heiiki.design.sent import Sent
from heiiki.design.texts import read
from heiiki.plan.model import Plan
from heiiki.render import compile_plan
from heiiki.verify.faults.felt import TWO_LOST_S, least

BFD = (3 - 1) * 0.3
"""Two intervals of three: the last packet came just before the failure."""

LAN_WATCH = (6 - 1) * 0.1


@pytest.fixture(scope="module")
def sent(plan: Plan) -> dict[str, Sent]:
    return read(plan, compile_plan(plan))


def bounds(plan: Plan, sent: dict[str, Sent], name: str) -> dict[str, float | None]:
    found = directed(plan, sent, name)
    assert {direction for _, direction in found} in ({"down", "up"}, set())
    return {site: seconds for (site, _), seconds in found.items()}


def directed(plan: Plan, sent: dict[str, Sent], name: str) -> dict[tuple[str, str], float | None]:
    fault = next(one for one in plan.faults if one.name == name)
    return dict(least(plan, sent, fault))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("umeda-ce-a/poweroff", {"umeda": BFD}),
        ("a-pe2/poweroff", {"umeda": BFD, "namba": BFD}),
        ("a-p1--a-pe2/silent", {"umeda": BFD, "namba": BFD}),
        ("umeda-lan--umeda-ce-a/silent", {"umeda": LAN_WATCH}),
        ("S1-U:b-enb--b-sgw/silent", {"sakai": BFD}),
        ("b-sgw/kill", {"sakai": TWO_LOST_S}),
        ("a-pe2/kill", {}),
        ("b-pgw/kill", {}),
        ("a-pe2--umeda-ce-a/down", {}),
        ("network-a/away", {"umeda": BFD, "namba": BFD}),
        ("umeda-gw-b/poweroff", {}),
        ("b-mme/poweroff", {}),
        ("a-p1--a-pe2/lossy", {"umeda": TWO_LOST_S, "namba": TWO_LOST_S}),
        ("hub-ce-a/bgpd-hung", {}),
        ("hub-ce-a/keepalived-dead", {}),
        ("b-hss/kill", {}),
        ("vault/poweroff", {}),
    ],
    ids=[
        "a node of a LAN",
        "a router of the core",
        "a link of the core",
        "a leg of a LAN",
        "a link of the mobile core",
        "a node that forwards in a process",
        "a killed router forwards on",
        "and so does a killed PGW",
        "a lost carrier is told at once",
        "a whole network",
        "the path that waits",
        "no user packet",
        "some packets are lost whoever notices",
        "the kernel forwards without the program that hangs",
        "or that died",
        "the HSS carries no packet",
        "nor does the Vault server",
    ],
)
def test_what_a_failure_must_cost_the_sites_whose_traffic_it_loses(
    plan: Plan, sent: dict[str, Sent], name: str, expected: dict[str, float]
) -> None:
    assert bounds(plan, sent, name) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a-p1--a-pe2/silent-a", {("umeda", "down"): BFD, ("namba", "down"): BFD}),
        ("a-p1--a-pe2/silent-b", {("umeda", "up"): BFD, ("namba", "up"): BFD}),
        ("umeda-lan--umeda-ce-a/silent-a", {("umeda", "up"): LAN_WATCH}),
        ("umeda-lan--umeda-ce-a/silent-b", {("umeda", "down"): LAN_WATCH}),
        ("b-enb--sakai-gw-b/silent-a", {("sakai", "down"): BFD}),
    ],
)
def test_a_failure_of_one_direction_is_felt_in_that_one(
    plan: Plan, sent: dict[str, Sent], name: str, expected: dict[tuple[str, str], float]
) -> None:
    """End a is the first of the link's name but for those of the mobile core, as in `Link`."""
    assert directed(plan, sent, name) == pytest.approx(expected)


def test_the_timers_are_those_of_the_rendered_texts_not_of_the_plan(
    plan: Plan, sent: dict[str, Sent]
) -> None:
    faster = {
        name: replace(
            one,
            files={
                path: text.replace("detect-multiplier 4", "detect-multiplier 3")
                for path, text in one.files.items()
            },
        )
        for name, one in sent.items()
    }
    assert bounds(plan, faster, "a-pe2/poweroff") == pytest.approx({"umeda": 0.6, "namba": 0.6})


def test_a_text_without_timers_leaves_it_unknown(plan: Plan, sent: dict[str, Sent]) -> None:
    silent = {name: replace(one, files={}) for name, one in sent.items()}
    assert bounds(plan, silent, "a-pe2/poweroff") == {"umeda": None, "namba": None}
