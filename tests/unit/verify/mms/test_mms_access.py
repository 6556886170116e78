"""Whom controllers let in by MMS, from what came of each attempt."""

from random import SystemRandom
from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.plan.model import Identity
from heiiki.requirements import Result, Verdict
from heiiki.verify.ipsec.test_certificates import foreign
from heiiki.verify.mms import access

CAUSES = {
    "no certificate": "tlsv13 alert certificate required",
    "TLS 1.1": "tlsv1 alert protocol version",
    "another's name": "disconnect request, reason 136",
    "foreign CA": "tlsv1 alert unknown ca",
    "expired certificate": "sslv3 alert certificate expired",
    "revoked certificate": "sslv3 alert certificate revoked",
}
SERVERS = ("umeda-bems", "sakai-bems")
IN = {f"{server} by TLS 1.3": {"taken": "client"} for server in SERVERS}


class Authority:
    """Makes certificates that look like the service's own."""

    def __init__(self) -> None:
        self.signed: list[str] = []

    def sign(self, identity: Identity, _csr: str, _life: str) -> str:
        self.signed.append(identity.device)
        return foreign(identity).certificate

    def revoke(self, certificate: str) -> None:
        assert certificate


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heiiki.verify.ipsec.test_certificates.time.sleep", lambda _: None)


def came(name: str) -> dict[str, Any]:
    stage = "association" if name == "another's name" else "tls"
    return {f"{server} by TLS 1.3": {"stage": stage, "cause": CAUSES[name]} for server in SERVERS}


def judged(
    plan: Plan,
    fleet_of: Any,
    kept: Any,
    changes: dict[str, Any] | None = None,
    *,
    barred: str = "",
    pull: int = 0,
    dead: tuple[str, ...] = (),
) -> tuple[dict[str, Verdict], dict[str, Any], Authority]:
    asked: dict[str, Any] = {}

    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        asked[f"{probe} {device}"] = parameters
        if probe == "read":
            return {"commands": {"pull": {"rc": pull, "out": "", "err": "Vault is away"}}}
        found = {one["name"]: came(one["name"]) for one in parameters["attempts"]} | {"again": IN}
        return {"attempts": found | (changes or {})}

    authority = Authority()
    verdicts = access.verdicts(plan, fleet_of(reply, dead), kept, authority, SystemRandom(), barred)
    found = {one.subject.partition(":")[0]: one for one in verdicts}
    assert {one.requirement for one in found.values()} == {"R-SEC-ACCESS/mms"}
    assert [one.subject for one in found.values()] == list(access.subjects(plan))
    return found, asked, authority


def test_what_every_controller_refused_for_its_reason_passes(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, asked, authority = judged(plan, fleet_of, kept)
    assert {name: one.result for name, one in found.items()} == dict.fromkeys(CAUSES, Result.PASS)
    assert [one["device"] for one in asked["mms dras"]["places"]] == list(SERVERS)
    assert {"read umeda-bems", "read sakai-bems"} < set(asked), "each has the list of the revoked one"
    assert any(name.endswith(("-bems", "-erc")) for name in authority.signed), "another site's device"


@pytest.mark.parametrize("name", CAUSES)
def test_who_was_let_in_by_one_controller_fails(plan: Plan, fleet_of: Any, kept: Any, name: str) -> None:
    changed = {name: came(name) | {"sakai-bems by TLS 1.3": {"taken": "client"}}}
    found, _, _ = judged(plan, fleet_of, kept, changed)
    assert [one for one, verdict in found.items() if verdict.result is Result.FAIL] == [name]
    assert found[name].reason == "sakai-bems by TLS 1.3: let in as client"


@pytest.mark.parametrize("name", CAUSES)
def test_what_was_refused_for_another_reason_is_unknown(
    plan: Plan, fleet_of: Any, kept: Any, name: str
) -> None:
    other = {"sakai-bems by TLS 1.3": {"stage": "connect", "cause": "timed out"}}
    found, _, _ = judged(plan, fleet_of, kept, {name: came(name) | other})
    assert found[name].result is Result.UNKNOWN
    assert "refused for another reason: sakai-bems by TLS 1.3: connect: timed out" in found[name].reason


def test_a_controller_that_lets_nobody_in_has_refused_nothing(plan: Plan, fleet_of: Any, kept: Any) -> None:
    shut = IN | {"sakai-bems by TLS 1.3": {"stage": "connect", "cause": "connection refused"}}
    found, _, _ = judged(plan, fleet_of, kept, {"again": shut})
    assert {one.result for one in found.values()} == {Result.UNKNOWN}


def test_a_revoked_one_that_was_let_in_tells_of_a_server_without_the_list(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    found, _, _ = judged(plan, fleet_of, kept, {"revoked certificate": IN}, pull=1)
    assert found["revoked certificate"].result is Result.FAIL
    assert "umeda-bems could not fetch the CRL: Vault is away" in found["revoked certificate"].reason


def test_outside_of_a_lab_no_certificates_are_made_and_the_rest_is_tried(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    found, asked, authority = judged(plan, fleet_of, kept, barred="in a lab only")
    passed = [name for name, one in found.items() if one.result is Result.PASS]
    assert passed == ["no certificate", "TLS 1.1"]
    assert {one.reason for one in found.values() if one.result is not Result.PASS} == {"in a lab only"}
    assert list(asked) == ["mms dras"]
    assert authority.signed == []


def test_a_dras_that_was_not_reached_is_named(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _, _ = judged(plan, fleet_of, kept, dead=("dras",))
    assert {(one.result, one.reason) for one in found.values()} == {(Result.UNKNOWN, "dras: not reachable")}
