"""Whom the XMPP server lets in, from what came of each attempt."""

from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.plan.model import Identity
from heiiki.requirements import Result, Verdict
from heiiki.verify.ipsec.test_certificates import foreign
from heiiki.verify.xmpp import access

ALERTS = {
    "no certificate": ("sslv3 alert handshake failure", "tlsv13 alert certificate required"),
    "TLS 1.1": ("tlsv1 alert protocol version", ""),
    "another's JID": ("not-authorized", "not-authorized"),
    "foreign CA": ("tlsv1 alert unknown ca", "tlsv1 alert unknown ca"),
    "expired certificate": ("sslv3 alert certificate expired", "sslv3 alert certificate expired"),
    "revoked certificate": ("sslv3 alert certificate revoked", "sslv3 alert certificate revoked"),
}
IN = {"TLS 1.2": {"taken": "umeda-bems@lab.internal/x"}, "TLS 1.3": {"taken": "umeda-bems@lab.internal/x"}}


class Authority:
    """Makes certificates that look like the service's own."""

    def __init__(self) -> None:
        self.revoked: list[str] = []

    def sign(self, identity: Identity, _csr: str, _life: str) -> str:
        return foreign(identity).certificate

    def revoke(self, certificate: str) -> None:
        self.revoked.append(certificate)


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heiiki.verify.ipsec.test_certificates.time.sleep", lambda _: None)


def came(name: str) -> dict[str, Any]:
    stage = "login" if name == "another's JID" else "tls"
    older, newer = ALERTS[name]
    if not newer:
        return {"TLS 1.1": {"stage": stage, "cause": older}}
    return {"TLS 1.2": {"stage": stage, "cause": older}, "TLS 1.3": {"stage": stage, "cause": newer}}


def judged(
    plan: Plan,
    fleet_of: Any,
    kept: Any,
    changes: dict[str, Any] | None = None,
    *,
    barred: str = "",
    pull: int = 0,
    dead: tuple[str, ...] = (),
) -> tuple[dict[str, Verdict], dict[str, Any]]:
    asked: dict[str, Any] = {}

    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        asked[f"{probe} {device}"] = parameters
        if probe == "read":
            return {"commands": {"pull": {"rc": pull, "out": "", "err": "Vault is away"}}}
        found = {one["name"]: came(one["name"]) for one in parameters["attempts"]} | {"again": IN}
        return {"attempts": found | (changes or {})}

    verdicts = access.verdicts(plan, fleet_of(reply, dead), kept, Authority(), barred)
    found = {one.subject.partition(":")[0]: one for one in verdicts}
    assert {one.requirement for one in found.values()} == {"R-SEC-ACCESS/xmpp"}
    assert [one.subject for one in found.values()] == list(access.subjects(plan))
    return found, asked


def test_what_was_refused_for_its_reason_passes(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, asked = judged(plan, fleet_of, kept)
    assert {name: one.result for name, one in found.items()} == dict.fromkeys(ALERTS, Result.PASS)
    assert found["no certificate"].reason == (
        "refused (TLS 1.2: sslv3 alert handshake failure; TLS 1.3: tlsv13 alert certificate required); "
        "the same device's own certificate was taken after it"
    )
    assert "read xmpp" in asked, "the server has the list of the revoked one"
    tries = {one["name"]: one for one in asked["xmpp umeda-bems"]["attempts"]}
    assert tries["no certificate"] == {"name": "no certificate", "anonymous": True}
    assert tries["another's JID"]["authzid"] == "dras@lab.internal"
    assert all(
        "PRIVATE KEY" in tries[name]["key"] for name in ALERTS if name in tries and "key" in tries[name]
    )


@pytest.mark.parametrize("name", ALERTS)
def test_who_was_let_in_by_either_version_fails(plan: Plan, fleet_of: Any, kept: Any, name: str) -> None:
    for version in came(name):
        changed = {name: came(name) | {version: {"taken": "umeda-bems@lab.internal/x"}}}
        found, _ = judged(plan, fleet_of, kept, changed)
        assert found[name].result is Result.FAIL
        assert found[name].reason == f"{version}: let in as umeda-bems@lab.internal/x"
        assert sum(one.result is Result.FAIL for one in found.values()) == 1


def test_a_revoked_one_that_was_let_in_tells_of_a_server_without_the_list(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    found, _ = judged(plan, fleet_of, kept, {"revoked certificate": IN}, pull=1)
    assert found["revoked certificate"].result is Result.FAIL
    assert found["revoked certificate"].reason.endswith("xmpp could not fetch the CRL: Vault is away")


@pytest.mark.parametrize("name", ALERTS)
def test_what_was_refused_for_another_reason_is_unknown(
    plan: Plan, fleet_of: Any, kept: Any, name: str
) -> None:
    other = {version: {"stage": "connect", "cause": "timed out"} for version in came(name)}
    found, _ = judged(plan, fleet_of, kept, {name: other})
    assert found[name].result is Result.UNKNOWN
    assert "refused for another reason" in found[name].reason
    assert "connect: timed out" in found[name].reason


def test_a_server_that_lets_nobody_in_has_refused_nothing(plan: Plan, fleet_of: Any, kept: Any) -> None:
    shut = {version: {"stage": "tls", "cause": "it offers no TLS"} for version in IN}
    found, _ = judged(plan, fleet_of, kept, {"again": shut})
    assert {one.result for one in found.values()} == {Result.UNKNOWN}
    assert "its own certificate was not taken either: TLS 1.2: tls" in found["TLS 1.1"].reason


def test_outside_of_a_lab_no_certificates_are_made_and_the_rest_is_tried(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    found, asked = judged(plan, fleet_of, kept, barred="in a lab only")
    assert [name for name, one in found.items() if one.result is Result.PASS] == [
        "no certificate",
        "TLS 1.1",
        "another's JID",
    ]
    assert {one.reason for one in found.values() if one.result is not Result.PASS} == {"in a lab only"}
    assert "read xmpp" not in asked


def test_a_device_that_was_not_reached_is_named(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, dead=("umeda-bems",))
    assert {(one.result, one.reason) for one in found.values()} == {
        (Result.UNKNOWN, "umeda-bems: not reachable")
    }
