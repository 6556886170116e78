"""Whether sessions of PPPoE are up as planned, from what both ends say."""

import json
from typing import Any

import pytest
from optical_service import by_ethernet, optical

from heiiki.requirements import Result, Verdict
from heiiki.verify.pppoe import session

SITE = {"address": "10.80.0.70", "peer": "10.80.0.69", "mtu": 1454, "vrf": "", "kind": "ppp"}
PE = {"address": "10.80.0.69", "peer": "10.80.0.70", "mtu": 1454, "vrf": "s0017", "kind": "ppp"}
OTHERS = {
    "namba-gw": {"access-a": {**SITE, "address": "10.80.0.94", "peer": "10.80.0.93"}},
    "a-pe1": {"ac0023": {**PE, "address": "10.80.0.93", "peer": "10.80.0.94", "vrf": "s0023"}},
}


def judged(
    fleet_of: Any, kept: Any, *, site: Any = SITE, pe: Any = PE, dead: tuple[str, ...] = ()
) -> Verdict:
    said = {"umeda-ce-a": {"access-a": site}, "a-pe2": {"ac0017": pe}, **OTHERS}

    def reply(device: str, _probe: str, _parameters: dict[str, Any]) -> dict[str, Any]:
        out = json.dumps({"sessions": said[device]})
        return {"commands": {"sessions": {"rc": 0, "out": out, "err": ""}}}

    first, second = session.verdicts(optical()[0], fleet_of(reply, dead), kept)
    assert (first.requirement, first.subject) == ("R-SEC-ACCESS/line", "line of umeda")
    assert (second.subject, second.result) == ("line of namba", Result.PASS)
    return first


def test_what_is_as_planned_passes(fleet_of: Any, kept: Any) -> None:
    found = judged(fleet_of, kept)
    assert found.result is Result.PASS, found.reason
    assert "10.80.0.70" in found.reason
    assert "1454 octets" in found.reason


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ({"site": None}, "umeda-ce-a: no session is up on access-a"),
        ({"pe": None}, "a-pe2: no session is up on ac0017"),
        ({"site": {**SITE, "address": "10.80.0.71"}}, "address of access-a is 10.80.0.71, not 10.80.0.70"),
        ({"pe": {**PE, "mtu": 1492}}, "a-pe2: mtu of ac0017 is 1492, not 1454"),
        ({"pe": {**PE, "vrf": ""}}, "a-pe2: vrf of ac0017 is none, not s0017"),
        ({"site": {**SITE, "kind": "ether"}}, "umeda-ce-a: kind of access-a is ether, not ppp"),
    ],
)
def test_what_is_otherwise_fails(fleet_of: Any, kept: Any, ends: dict[str, Any], told: str) -> None:
    found = judged(fleet_of, kept, **ends)
    assert found.result is Result.FAIL
    assert told in found.reason


def test_an_end_that_does_not_answer_leaves_it_unknown(fleet_of: Any, kept: Any) -> None:
    found = judged(fleet_of, kept, dead=("a-pe2",))
    assert (found.result, found.reason) == (Result.UNKNOWN, "a-pe2: not reachable")


def test_a_service_without_optical_access_says_so(fleet_of: Any, kept: Any) -> None:
    (found,) = session.verdicts(by_ethernet(), fleet_of(lambda *_: {}), kept)
    assert (found.subject, found.result) == ("access lines", Result.NOT_APPLICABLE)
