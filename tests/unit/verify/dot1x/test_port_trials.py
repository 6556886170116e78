"""Whom a wired LAN's gateway lets in, from what came of each attempt."""

from typing import Any

import pytest
from dot1x_service import controlled

from heiiki.plan.model import Identity
from heiiki.requirements import Result, Verdict
from heiiki.verify.dot1x import trials
from heiiki.verify.ipsec.test_certificates import foreign
from heiiki.verify.wlan.trials import PASSWORD, REVOKED, Trial

OWN = "own certificate"
IN: dict[str, Any] = {"in": True, "refused": "", "said": [], "answered": True}
REFUSED: dict[str, Any] = {
    "in": False,
    "refused": "",
    "said": ["trial1: CTRL-EVENT-EAP-PROPOSED-METHOD vendor=0 method=13 -> NAK", "EAP-FAILURE"],
    "answered": False,
}


class Authority:
    """Makes certificates that look like the service's own."""

    def sign(self, identity: Identity, _csr: str, _life: str) -> str:
        return foreign(identity).certificate

    def revoke(self, certificate: str) -> None:
        pass


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heiiki.verify.ipsec.test_certificates.time.sleep", lambda _: None)


def judged(
    fleet_of: Any,
    kept: Any,
    changes: dict[str, dict[str, Any]] | None = None,
    *,
    dropped: int = 20,
    authority: Any = Authority,
) -> dict[str, Verdict]:
    plan = controlled()[0]
    counted = iter((0, dropped))

    def reply(_device: str, _probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if "attempts" in parameters:
            names = [one["name"] for one in parameters["attempts"]]
            assert len({one["address"] for one in parameters["attempts"]}) == len(names)
            came = {name: IN if name == OWN else REFUSED for name in names}
            return {
                "attempts": {name: {**one, **(changes or {}).get(name, {})} for name, one in came.items()}
            }
        if "counters" in parameters["commands"]:
            counter = {"family": "inet", "name": "unauthorized_in", "table": "heiiki"}
            text = (
                '{"nftables": [{"counter": {"family": "inet", "name": "%s", "table": "%s", "packets": %d}}]}'
            )
            out = text % (counter["name"], counter["table"], next(counted))
            return {"commands": {"counters": {"rc": 0, "out": out, "err": ""}}}
        return {"commands": {"pull": {"rc": 0, "out": "", "err": ""}}}

    found = tuple(trials.verdicts(plan, fleet_of(reply), kept, authority() if authority else None))
    assert [one.subject for one in found] == list(trials.subjects(plan))
    return {one.subject.partition(":")[0]: one for one in found}


def test_what_is_refused_beside_the_own_certificate_passes(fleet_of: Any, kept: Any) -> None:
    found = judged(fleet_of, kept)
    assert {one.result for one in found.values()} == {Result.PASS}, found
    assert len(found) == 6


@pytest.mark.parametrize("trial", trials.TRIALS)
def test_what_is_let_in_fails(fleet_of: Any, kept: Any, trial: Trial) -> None:
    found = judged(fleet_of, kept, {trial.name: {"in": True}})
    assert found.pop(trial.name).result is Result.FAIL
    assert {one.result for one in found.values()} == {Result.PASS}


@pytest.mark.parametrize("trial", trials.TRIALS)
def test_who_is_refused_and_answered_all_the_same_fails(fleet_of: Any, kept: Any, trial: Trial) -> None:
    found = judged(fleet_of, kept, {trial.name: {"answered": True}})[trial.name]
    assert found.result is Result.FAIL
    assert "the port is open" in found.reason


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({OWN: {"in": False, "said": ["EAP-FAILURE"]}}, "its own certificate was not let in either"),
        ({OWN: {"answered": False}}, "packets of its own certificate were not answered either"),
        ({REVOKED.name: {"refused": "it is revoked"}}, "the gateway did not refuse it: it is revoked"),
        ({REVOKED.name: {"said": []}}, "the gateway did not refuse it: nothing was said"),
        ({PASSWORD.name: {"said": ["EAP-FAILURE"]}}, "refused for another reason: EAP-FAILURE"),
    ],
)
def test_without_its_positive_or_for_another_reason_it_is_unknown(
    fleet_of: Any, kept: Any, changes: dict[str, Any], told: str
) -> None:
    found = judged(fleet_of, kept, changes)
    (name,) = changes
    one = found[REVOKED.name if name == OWN else name]
    assert one.result is Result.UNKNOWN
    assert told in one.reason


def test_a_gateway_that_dropped_nothing_leaves_it_unknown(fleet_of: Any, kept: Any) -> None:
    found = judged(fleet_of, kept, dropped=0)
    assert {one.result for one in found.values()} == {Result.UNKNOWN}
    assert all("does not say that its port dropped anything" in one.reason for one in found.values())


def test_without_an_authority_what_it_would_make_is_unknown(fleet_of: Any, kept: Any) -> None:
    found = judged(fleet_of, kept, authority=None)
    assert found[trials.SILENT.name].result is Result.PASS
    assert found[REVOKED.name].result is Result.UNKNOWN


def test_outside_of_a_lab_nothing_is_tried() -> None:
    found = tuple(trials.not_tried(controlled()[0], "not here"))
    assert {one.result for one in found} == {Result.UNKNOWN}
    assert [one.subject for one in found] == list(trials.subjects(controlled()[0]))
