"""Revoked devices are refused still: what the server has of them, and what verifiers have loaded."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from vault_server import SetUpVault

from heiiki.errors import VaultError, VaultFault
from heiiki.pki import marks
from heiiki.pki.revoke import revoke_device
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Plan
from heiiki.report.completion import completeness
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.revocation.standing import AtServer, at_server, expected, not_asked, verdicts
from heiiki.verify.fleet import Answer, Fleet

DEVICE = "namba-gw"
GONE = AtServer(marked=True, revoked=("01:02", "03"), good=())


class Verifiers:
    """A fleet of verifiers that refuse what they are told to, and else both certificates."""

    def __init__(self, told: dict[str, list[str] | None]) -> None:
        self.told = told

    def ask(self, _probe: str, parameters: Mapping[str, Any]) -> dict[str, Answer]:
        return {name: self._answer(name) for name in parameters}

    def _answer(self, name: str) -> Answer:
        status = {"refused_serials": self.told.get(name, ["01:02", "03", "99"])}
        return Answer(
            name, {"commands": {"status": {"rc": 0, "out": json.dumps(status), "err": ""}}}, "", b""
        )


def judged(plan: Plan, server: AtServer, told: dict[str, list[str] | None]) -> Verdict:
    proof = Evidence("2026-11-29T00:00:00Z", excerpt="x")
    fleet = cast("Fleet", Verifiers(told))
    (verdict,) = verdicts(plan, {DEVICE: server}, fleet, lambda *_: proof)
    assert (verdict.requirement, verdict.subject) == ("R-THEFT", f"{DEVICE} stays revoked")
    return verdict


def test_lists_that_all_verifiers_have_loaded_refuse_it(lab_plan: Plan) -> None:
    verdict = judged(lab_plan, GONE, {})
    assert (verdict.result, verdict.reason) == (
        Result.PASS,
        "2 certificates are on the lists that 14 verifiers have loaded",
    )


@pytest.mark.parametrize(
    ("server", "told", "reason"),
    [
        (GONE, {"hub-ce-a": ["03"]}, "hub-ce-a has loaded no list with 01:02"),
        (replace(GONE, good=("07",)), {}, "not revoked: 07: run revoke.yml again"),
        (replace(GONE, marked=False), {}, "the Vault server has no mark of it: run revoke.yml again"),
    ],
)
def test_else_it_is_a_fail(lab_plan: Plan, server: AtServer, told: dict[str, Any], reason: str) -> None:
    verdict = judged(lab_plan, server, told)
    assert (verdict.result, verdict.reason) == (Result.FAIL, reason)


def test_a_verifier_that_does_not_tell_leaves_it_unknown(lab_plan: Plan) -> None:
    verdict = judged(lab_plan, GONE, {"hub-ce-a": None})
    assert (verdict.result, verdict.reason) == (
        Result.UNKNOWN,
        "hub-ce-a does not tell which lists are loaded",
    )


def test_without_the_server_it_is_unknown(lab_plan: Plan) -> None:
    devices = [
        replace(device, revoked="stolen") if device.name == DEVICE else device for device in lab_plan.devices
    ]
    away = VaultError("the server is away", VaultFault.UNREACHABLE)
    (verdict,) = not_asked(replace(lab_plan, devices=tuple(devices)), away)
    assert (verdict.result, verdict.reason) == (Result.UNKNOWN, "the server is away")
    assert list(not_asked(lab_plan, away)) == []


def test_what_the_server_has_of_it(lab_vault: SetUpVault) -> None:
    plan, trust, identity = lab_vault.plan, lab_vault.trust, lab_vault.identity(DEVICE)
    lab_vault.certificate(DEVICE)
    devices = [replace(one, revoked="stolen") if one.name == DEVICE else one for one in plan.devices]
    without = replace(plan, devices=tuple(devices))
    with (
        logged_in(lab_vault.access, AppRole.AUDITOR) as auditor,
        logged_in(lab_vault.access, AppRole.REVOKER) as revoker,
        logged_in(lab_vault.access, AppRole.CONFIGURATOR) as configurator,
    ):
        assert DEVICE not in at_server(auditor, plan)
        before = at_server(auditor, without)[DEVICE]
        assert (before.marked, len(before.good) > 0) == (False, True)
        done = revoke_device(revoker, trust, identity)
        # By the server alone: another checkout, or an officer, who makes no mark.
        assert at_server(auditor, plan)[DEVICE] == AtServer(marked=True, revoked=done.serials, good=())
        marks.mark(revoker, trust, DEVICE)
        assert at_server(auditor, without)[DEVICE] == AtServer(marked=True, revoked=done.serials, good=())
        marks.lift(configurator, trust, identity)
    lab_vault.certificate(DEVICE)


def test_what_nobody_proved_again_is_unknown(lab_plan: Plan) -> None:
    devices = tuple(
        replace(one, revoked="stolen, since 2026-11-24") if one.name == DEVICE else one
        for one in lab_plan.devices
    )
    named = expected(replace(lab_plan, devices=devices))
    assert named == {("R-THEFT", Stage.LIVE): (f"{DEVICE} stays revoked",)}
    other = Verdict("R-THEFT", "revocation at hub-ce-a", Stage.LIVE, Result.PASS)
    found = [one for one in completeness((other,), named) if one.requirement == "R-THEFT"]
    assert [one.result for one in found if one.subject == f"{DEVICE} stays revoked"] == [Result.UNKNOWN]
