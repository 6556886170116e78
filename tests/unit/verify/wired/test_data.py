"""What is made of what was seen on a wired LAN."""

from dataclasses import replace
from typing import Any

import pytest

from heiiki.plan.model import LinkKind, Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.wired import data
from heiiki.verify.wired.planned import lans

BOTH = {"in": 4, "out": 3}
RECORDS = {"openadr": BOTH, "vault": {"in": 1, "out": 0}, "mms": {"in": 0, "out": 0}}
CLASSES = {"openadr": BOTH, "vault": BOTH, "mms": BOTH, "arp": BOTH, "bfd": BOTH}
LOOKED_AT = ("umeda-ce-a", "umeda-gw-b", "umeda-bems")


def view(**changes: Any) -> dict[str, Any]:
    seen = {"classes": CLASSES, "records": RECORDS, "undecided": [], "else": 0, "samples": [], "dropped": 0}
    return {**seen, **changes}


def judged(plan: Plan, fleet_of: Any, kept: Any, dead: tuple[str, ...] = (), **views: Any) -> Verdict:
    """The verdict on the LAN of umeda, whose devices see `views`, or what is as planned."""

    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        assert probe == "capture"
        assert parameters["seconds"] == 8.0
        return {"interfaces": {"lan0": views.get(device.replace("-", "_"), view())}}

    found = {one.subject: one for one in data.verdicts(plan, fleet_of(reply, dead), kept)}
    assert list(found) == list(data.subjects(plan)) == ["LAN of umeda", "LAN of sakai"]
    assert found["LAN of sakai"].result is Result.PASS
    assert found["LAN of umeda"].requirement == data.REQUIREMENT
    return found["LAN of umeda"]


def test_tls_of_the_application_is_a_pass_that_says_what_it_rests_on(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    verdict = judged(plan, fleet_of, kept)
    assert verdict.result is Result.PASS
    assert verdict.reason == (
        "in 8 s 7 of openadr, 1 of vault in records of TLS, from end to end; arp, bfd beside them carry no "
        "data of the service; frames are not encrypted: who is on the wire sees who speaks, when and how much"
    )


def test_one_end_that_sees_something_in_clear_is_a_fail(plan: Plan, fleet_of: Any, kept: Any) -> None:
    said = "in tcp 10.16.1.20:40000 to 10.15.0.4:8443: no records of TLS"
    verdict = judged(plan, fleet_of, kept, umeda_gw_b=view(**{"else": 2}, samples=[[said, 2]]))
    assert verdict.result is Result.FAIL
    assert "umeda-gw-b:lan0: 2 packets" in verdict.reason
    assert f"2 {said}" in verdict.reason


def test_it_is_a_fail_whatever_else_is_not_known(plan: Plan, fleet_of: Any, kept: Any) -> None:
    wrong = view(**{"else": 1}, samples=[["in udp a to b", 1]], dropped=3, records={})
    assert judged(plan, fleet_of, kept, ("umeda-bems",), umeda_ce_a=wrong).result is Result.FAIL


NOTHING = {name.replace("-", "_"): view(records={}) for name in LOOKED_AT}
ONE_WAY = {name: view(records={"openadr": {"in": 0, "out": 4}}) for name in NOTHING}
NO_APPLICATION = {name: view(records={"vault": BOTH}) for name in NOTHING}


@pytest.mark.parametrize(
    ("views", "dead", "said"),
    [
        (NOTHING, (), "no data of the service"),
        (ONE_WAY, (), "no data of the service"),
        (NO_APPLICATION, (), "no data of the service"),
        ({"umeda_bems": view(dropped=3)}, (), "umeda-bems:lan0: 3 packets went by unseen"),
        (
            {"umeda_bems": view(undecided=["tcp a to b: a segment was not seen"])},
            (),
            "a segment was not seen",
        ),
        ({}, ("umeda-gw-b",), "umeda-gw-b: not reachable"),
        ({"umeda_bems": {}}, (), "cannot be read"),
    ],
)
def test_nothing_wrong_proves_nothing_without_its_positive(
    plan: Plan, fleet_of: Any, kept: Any, views: Any, dead: Any, said: str
) -> None:
    verdict = judged(plan, fleet_of, kept, dead, **views)
    assert verdict.result is Result.UNKNOWN
    assert said in verdict.reason


def test_it_is_enough_that_the_application_crosses_at_one_end(plan: Plan, fleet_of: Any, kept: Any) -> None:
    standby = view(records={}, classes={"vrrp": BOTH})
    assert judged(plan, fleet_of, kept, umeda_gw_b=standby).result is Result.PASS


def test_every_ven_polls_while_it_is_looked(plan: Plan) -> None:
    slow = replace(plan, timers=replace(plan.timers, openadr_poll_s=10))
    assert (data.seconds(plan), data.seconds(slow)) == (8.0, 22.0)


def test_a_lan_whose_controller_is_out_of_service_is_not_looked_at(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    gone = tuple(
        replace(one, managed=False, revoked="stolen") if one.name == "umeda-bems" else one
        for one in plan.devices
    )
    asked = []

    def reply(device: str, _probe: str, _parameters: dict[str, Any]) -> dict[str, Any]:
        asked.append(device)
        return {"interfaces": {"lan0": view()}}

    found = list(data.verdicts(replace(plan, devices=gone), fleet_of(reply), kept))
    assert [one.result for one in found] == [Result.NOT_APPLICABLE, Result.PASS]
    assert not {*asked} & {*LOOKED_AT}


def test_a_service_without_a_wired_lan_says_so(plan: Plan, fleet_of: Any, kept: Any) -> None:
    links = (replace(one, kind=LinkKind.WLAN) if one.kind is LinkKind.LAN else one for one in plan.links)
    on_air = replace(plan, links=tuple(links))
    (found,) = data.verdicts(on_air, fleet_of(lambda *_: {}), kept)
    assert (found.subject, found.result) == ("wired site LANs", Result.NOT_APPLICABLE)
    assert list(data.subjects(on_air)) == [found.subject]
    assert list(data.verdicts(replace(on_air, sites=()), fleet_of(lambda *_: {}), kept)) == []


def test_no_lan_is_looked_at_by_rules_that_look_at_nothing(plan: Plan) -> None:
    assert all(any(rule[5:] == ["tls"] for rule in one.rules) for one in lans(plan))
