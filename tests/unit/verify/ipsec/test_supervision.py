"""A gateway that is silent at the hub: whom the verdict names, and what it tells to do."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.ipsec import supervision
from heiiki_agent.pki.supervision import SILENT_S

Keep = Callable[[str, bytes], Evidence]


def found(plan: Plan, fleet_of: Any, kept: Keep, said: Mapping[str, Any]) -> dict[str, Verdict]:
    def answer(device: str, _probe: str, _parameters: Mapping[str, Any]) -> dict[str, Any]:
        told = said.get(device, {})
        out = told if isinstance(told, str) else json.dumps({"failures": 0, "silent": told})
        return {"commands": {"check": {"rc": 0, "out": out, "err": ""}}}

    return {one.subject: one for one in supervision.verdicts(plan, fleet_of(answer), kept)}


def test_every_gateway_has_a_verdict(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    gateways = {name for site in plan.sites for name in site.gateways}
    verdicts = found(plan, fleet_of, kept, {})
    assert set(verdicts) == {f"{name} is heard" for name in gateways}
    assert {one.result for one in verdicts.values()} == {Result.PASS}
    assert verdicts["namba-gw is heard"].reason == "heard at hub-ce-a, hub-ce-b"
    assert supervision.SILENT_S == SILENT_S


def test_one_that_is_silent_for_long_fails_with_the_step_that_bars_it(
    plan: Plan, fleet_of: Any, kept: Keep
) -> None:
    said = {"hub-ce-a": {"sakai-ce-a": 301.0, "umeda-ce-a": 12.0}}
    verdicts = found(plan, fleet_of, kept, said)
    assert {name: one.result for name, one in verdicts.items() if one.result is not Result.PASS} == {
        "sakai-ce-a is heard": Result.FAIL
    }
    reason = verdicts["sakai-ce-a is heard"].reason
    assert "not heard at hub-ce-a for 5 minutes" in reason
    assert reason.endswith("ansible-playbook playbooks/revoke.yml -e heiiki_device=sakai-ce-a")


def test_one_on_both_networks_is_silent_when_it_is_so_on_both(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    one = {"namba-gw": 4000.0}
    assert found(plan, fleet_of, kept, {"hub-ce-a": one})["namba-gw is heard"].result is Result.PASS
    both = found(plan, fleet_of, kept, {"hub-ce-a": one, "hub-ce-b": {"namba-gw": 400.0}})
    assert both["namba-gw is heard"].result is Result.FAIL
    assert both["namba-gw is heard"].measured == 400.0


def test_a_watch_that_says_nothing_leaves_it_unknown(plan: Plan, fleet_of: Any, kept: Keep) -> None:
    for told in ("it is dead", None):
        verdicts = found(plan, fleet_of, kept, {"hub-ce-a": told, "hub-ce-b": {"namba-gw": 10.0}})
        assert verdicts["sakai-ce-a is heard"].result is Result.UNKNOWN
        assert "hub-ce-a: its watch does not say" in verdicts["namba-gw is heard"].reason


def test_a_revoked_gateway_is_not_asked_after(plan: Plan) -> None:
    devices = tuple(
        replace(one, revoked="stolen") if one.name == "sakai-ce-a" else one for one in plan.devices
    )
    assert "sakai-ce-a" not in supervision.watchers(replace(plan, devices=devices))
