"""Who may not attach is refused for the right reason; what a UE without a bearer sends, the eNB counts."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from probe_times import TIMES

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.transport import Completed
from heiiki.verify import access
from heiiki.verify.routing.expected import ENB_STATE
from heiiki_lab import mobile

Keep = Callable[[str, bytes], Evidence]
CAUSES = {
    "wrong-key.json": ("authentication", "EMM", 20),
    "unknown-imsi.json": ("attach", "EMM", 8),
    "usim.json": ("PDN connectivity", "ESM", 27),
}


class Radio:
    """A UE whose attaches end as the network of the lab ends them."""

    def __init__(self, apn: str, *, subscribed: bool = True) -> None:
        self._apn, self._subscribed = apn, subscribed

    def run(
        self,
        device: str,  # noqa: ARG002 - there is but one
        argv: Sequence[str],
        *,
        stdin: bytes = b"",  # noqa: ARG002 - not read
        timeout: float = 30.0,  # noqa: ARG002 - answers come at once
    ) -> Completed:
        sim = next((name for name in CAUSES if any(word.endswith(name) for word in argv)), "")
        if sim == "usim.json" and self._apn in argv and self._subscribed:
            return Completed(0, json.dumps({"outcome": "attached", "address": "10.45.0.9"}).encode(), b"")
        procedure, protocol, cause = CAUSES.get(sim, ("", "", 0))
        refused = {"outcome": "refused", "procedure": procedure, "protocol": protocol, "cause": cause}
        return Completed(0, json.dumps(refused).encode(), b"")

    def spawn(self, device: str, argv: Sequence[str]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Hold nothing open."""


def counting(plan: Plan, counts: Sequence[int]) -> Callable[[str, str, dict[str, Any]], dict[str, Any]]:
    """The hub's router hears nothing; the eNB's counter shows `counts`, one a reading, then the last."""
    radios = [item.name for item in plan.device(plan.mobile.enb).interfaces if item.kind == "radio"]
    left = list(counts)

    def reply(_device: str, probe: str, _parameters: dict[str, Any]) -> dict[str, Any]:
        if probe == "read":
            count = left.pop(0) if len(left) > 1 else left[0]
            state = {"radios": {radio: {"dropped_unattached": count} for radio in radios}}
            return {"files": {ENB_STATE: json.dumps(state)}}
        return {"sent": [], "unsent": {}, "heard": {}, "answers": {}, "watched": {}, **TIMES}

    return reply


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "START_S", 0.0)
    monkeypatch.setattr(access, "COUNTED_S", 0.7)


def by_subject(found: Iterator[Verdict]) -> dict[str, Verdict]:
    return {verdict.subject: verdict for verdict in found}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("counts", "result"),
    [((5, 25), Result.PASS), ((5, 5, 25), Result.PASS), ((5, 5), Result.UNKNOWN)],
    ids=["counted at once", "counted a moment later", "never counted"],
)
def test_the_counter_of_the_enb_is_awaited(
    plan: Plan, kept: Keep, fleet_of: Any, counts: Sequence[int], result: Result
) -> None:
    fleet = fleet_of(counting(plan, counts))
    found = by_subject(access.verdicts(plan, Radio(plan.mobile.apn), fleet, kept, mobile))
    assert found["UE that is not attached"].result is result


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("subscribed", "result"), [(True, Result.PASS), (False, Result.UNKNOWN)])
def test_a_refusal_counts_only_if_the_subscribed_sim_attaches(
    plan: Plan, kept: Keep, fleet_of: Any, subscribed: bool, result: Result
) -> None:
    fleet = fleet_of(counting(plan, (0, 20)))
    found = by_subject(
        access.verdicts(plan, Radio(plan.mobile.apn, subscribed=subscribed), fleet, kept, mobile)
    )
    refusals = {one.name: found[one.name].result for one in access.attempts(plan)}
    assert set(refusals.values()) == {result}


def test_without_a_test_ue_nothing_is_a_pass(plan: Plan, kept: Keep, fleet_of: Any) -> None:
    (found,) = access.verdicts(plan, Radio(plan.mobile.apn), fleet_of(counting(plan, (0,))), kept, None)
    assert found.result is Result.UNKNOWN
    assert found.reason == "there is no test UE here to try it with"
