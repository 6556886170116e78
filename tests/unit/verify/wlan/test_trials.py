"""Whom both ends let in, from what came of each attempt."""

from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.plan.model import Identity
from heiiki.requirements import Result, Verdict
from heiiki.verify.ipsec.test_certificates import foreign
from heiiki.verify.wlan import trials
from heiiki.verify.wlan.trials import Trial

LOGGED = {
    trials.FOREIGN: "authsrv: certificate chain failure: reason=1 depth=0",
    trials.ANOTHER: "authsrv: certificate chain failure: reason=12 depth=0",
    trials.EXPIRED: "authsrv: certificate chain failure: reason=4 depth=0",
    trials.REVOKED: "authsrv: certificate chain failure: reason=2 depth=0",
}
SAID = {
    trials.PASSWORD: "trial0: CTRL-EVENT-EAP-PROPOSED-METHOD vendor=0 method=13 -> NAK",
    trials.POSED_FOREIGN: "trial0: CTRL-EVENT-EAP-TLS-CERT-ERROR reason=1 depth=0",
    trials.POSED_ANOTHER: "trial0: CTRL-EVENT-EAP-TLS-CERT-ERROR reason=10 depth=0 err='Domain mismatch'",
}
REFUSED: dict[str, Any] = {"in": False, "refused": "", "said": ["EAP-FAILURE"]}
IN: dict[str, Any] = {"in": True, "refused": "", "said": []}


class Authority:
    """Makes certificates that look like the service's own."""

    def sign(self, identity: Identity, _csr: str, _life: str) -> str:
        return foreign(identity).certificate

    def revoke(self, certificate: str) -> None:
        pass


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heiiki.verify.ipsec.test_certificates.time.sleep", lambda _: None)


def came(name: str) -> dict[str, Any]:
    for trial, line in SAID.items():
        if name == trial.name:
            return {**REFUSED, "said": [line]}
    if name == trials.POSED_REVOKED.name:
        return {**REFUSED, "refused": "it is revoked"}
    return IN if "own certificate" in name else REFUSED


def judged(
    plan: Plan,
    fleet_of: Any,
    kept: Any,
    changes: dict[str, Any] | None = None,
    *,
    logged: tuple[str, ...] = tuple(LOGGED.values()),
    authority: Any = Authority,
    pull: int = 0,
    dead: tuple[str, ...] = (),
) -> tuple[dict[str, Verdict], dict[str, Any]]:
    asked: dict[str, Any] = {}

    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if parameters.get("do") == "end":
            asked["ended"] = parameters["name"]
            return {}
        asked[f"{probe} {device}"] = parameters
        if probe == "read":
            return {"commands": {"pull": {"rc": pull, "out": "", "err": "Vault is away"}}}
        if parameters["do"] == "pose":
            return {"poses": {one["name"]: list(logged) for one in parameters["poses"]}}
        return {
            "attempts": {one["name"]: came(one["name"]) for one in parameters["attempts"]} | (changes or {})
        }

    made = authority() if authority else None
    verdicts = list(trials.verdicts(plan, fleet_of(reply, dead), kept, made))
    assert [one.subject for one in verdicts] == list(trials.subjects(plan))
    return {one.subject.partition(":")[0]: one for one in verdicts}, asked


def test_what_was_refused_for_its_reason_passes(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, asked = judged(plan, fleet_of, kept)
    assert {name: (one.result, one.reason) for name, one in found.items() if one.result != "pass"} == {}
    assert found["revoked certificate"].subject == "revoked certificate: namba-gw on the air"
    assert found["access point, revoked certificate"].subject.endswith("namba-erc on the air")
    own, *others = asked["wlan namba-gw"]["poses"]
    assert "key" not in own
    assert asked["ended"] == asked["wlan namba-gw"]["name"], "no access point stays on the air"
    assert all("PRIVATE KEY" in one["key"] for one in others)
    bssids = [one["bssid"] for one in (own, *others)]
    assert len(set(bssids)) == 4
    assert "02:00:0a:10:01:71" not in bssids
    assert all(int(bssid[:2], 16) & 3 == 2 for bssid in bssids), "unicast, and administered locally"


@pytest.mark.parametrize("trial", trials.TRIALS, ids=lambda one: one.name)
def test_who_was_let_in_fails_and_no_other(plan: Plan, fleet_of: Any, kept: Any, trial: Trial) -> None:
    found, _ = judged(plan, fleet_of, kept, {trial.name: IN})
    assert found[trial.name].result is Result.FAIL
    assert sum(one.result is not Result.PASS for one in found.values()) == 1


def test_who_was_let_in_beside_the_serving_one_fails_too(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, {"beside: foreign CA": IN})
    assert found["foreign CA"].result is Result.FAIL


def test_a_revoked_one_that_was_let_in_tells_of_a_device_without_the_list(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    both = {"revoked certificate": IN, "access point, revoked certificate": IN}
    found, _ = judged(plan, fleet_of, kept, both, pull=1)
    told = {name: found[name].reason for name in both}
    assert told == {
        "revoked certificate": "let in; namba-gw could not fetch the CRL: Vault is away",
        "access point, revoked certificate": "let in; namba-erc could not fetch the CRL: Vault is away",
    }


@pytest.mark.parametrize("trial", LOGGED, ids=lambda one: one.name)
def test_what_was_refused_for_another_reason_is_unknown(
    plan: Plan, fleet_of: Any, kept: Any, trial: Trial
) -> None:
    logged = tuple(line for one, line in LOGGED.items() if one is not trial)
    found, _ = judged(plan, fleet_of, kept, logged=logged)
    assert found[trial.name].result is Result.UNKNOWN
    assert "refused for another reason" in found[trial.name].reason
    assert sum(one.result is not Result.PASS for one in found.values()) == 1


def test_an_access_point_that_lets_nobody_in_has_refused_nothing(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    found, _ = judged(plan, fleet_of, kept, {"own certificate": REFUSED})
    unknown = {name for name, one in found.items() if one.result is Result.UNKNOWN}
    assert unknown == {trial.name for trial in trials.TRIALS if not trial.posed}
    assert "its own certificate was not let in either" in found["foreign CA"].reason


def test_without_an_authority_only_what_needs_none_is_tried(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, authority=None)
    passed = {name for name, one in found.items() if one.result is Result.PASS}
    assert passed == {trials.PASSWORD.name, trials.FOREIGN.name, trials.POSED_FOREIGN.name}
    assert {one.reason for name, one in found.items() if name not in passed} == {trials.NO_AUTHORITY}


@pytest.mark.parametrize("device", ["namba-gw", "namba-erc"])
def test_a_device_that_was_not_reached_is_named(plan: Plan, fleet_of: Any, kept: Any, device: str) -> None:
    found, _ = judged(plan, fleet_of, kept, dead=(device,))
    assert {(one.result, one.reason) for one in found.values()} == {
        (Result.UNKNOWN, f"{device}: not reachable")
    }


def test_outside_of_a_lab_nothing_is_tried(plan: Plan) -> None:
    found = list(trials.not_tried(plan, "in a lab only"))
    assert [one.subject for one in found] == list(trials.subjects(plan))
    assert {(one.result, one.reason) for one in found} == {(Result.UNKNOWN, "in a lab only")}
