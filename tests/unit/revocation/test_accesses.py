"""Whether a stolen certificate is refused at every access, and what is judged of that."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from revocation_fakes import AT_ACCESSES, DEVICE, Devices, ledger, steps

from heiiki import revocation
from heiiki.plan.model import Plan
from heiiki.report import EvidenceStore
from heiiki.requirements import Result
from heiiki.revocation import AccessBy, Outcome, RevocationStep, RevokedAtServer, accesses, at_accesses
from heiiki.revocation.evidence import evidence
from heiiki.verify.fleet import Answer
from heiiki.verify.ipsec.test_certificates import Credential

SHOWN = Credential("certificate", "key")
REFUSED = {"stage": "tls", "cause": "tlsv1 alert certificate revoked"}
TAKEN = {"taken": "client"}
BY_AIR = "CTRL-EVENT-EAP-FAILURE2 failure: reason=2 depth=0"
TLS = {"xmpp", "tls_access"}


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited for, seconds; it passes on the clock."""
    found: list[float] = []
    ticks = count()
    monkeypatch.setattr(accesses.time, "sleep", found.append)
    monkeypatch.setattr(accesses.time, "monotonic", lambda: sum(found) + next(ticks) / 1000)
    return found


class Network(Devices):
    """A fleet whose servers know of the revocation from their `knows`-th trial on."""

    def __init__(self, knows: int = 2, own: Mapping[str, str] = TAKEN, error: str = "") -> None:
        super().__init__()
        self.knows, self.own, self.error = knows, own, error
        self.asked: list[tuple[str, str]] = []
        self.shown: list[Any] = []

    def ask(self, probe: str, parameters: Mapping[str, Any], timeout: float = 30.0) -> dict[str, Answer]:
        assert timeout
        return {name: self.answer(probe, name, own) for name, own in parameters.items()}

    def answer(self, probe: str, name: str, question: Mapping[str, Any]) -> Answer:
        if probe == "read":
            return Answer(name, {"commands": {"pull": {"rc": 0, "out": "", "err": ""}}}, "", b"")
        self.asked.append((probe, name))
        if self.error:
            return Answer(name, {}, self.error, b"")
        known = sum(one == (probe, name) for one in self.asked) >= self.knows
        if probe in TLS:
            self.shown.append(question["attempts"])
            came = {"revoked certificate": REFUSED if known else TAKEN, "again": self.own}
            return Answer(name, {"attempts": {one: {"it": said} for one, said in came.items()}}, "", b"")
        return Answer(name, self.by_air(known, question), "", b"")

    def by_air(self, known: bool, question: Mapping[str, Any]) -> dict[str, Any]:
        if question["do"] != "join":
            return {"poses": {"own certificate": [BY_AIR]}}
        names = [one["name"] for one in question["attempts"]]
        return {
            "attempts": {one: {"in": "own" in one or not known, "said": [], "refused": ""} for one in names}
        }


def revoked(plan: Plan, network: Network, done: RevokedAtServer, device: str = DEVICE) -> dict[str, Any]:
    """Return the accesses' steps by access."""
    taken = steps(plan, network, device, revoke=lambda: done)
    assert not [step for step in taken if step.needed and step.access], "they hold nothing up"
    assert [step.access for step in taken if step.access and not step.finished >= step.started] == []
    return {step.access: step for step in taken if step.access}


def test_every_door_is_tried_until_it_is_shut(lab_plan: Plan) -> None:
    network = Network()
    found = revoked(lab_plan, network, RevokedAtServer(("x",), ("01",), SHOWN))
    assert {access: (step.outcome, step.problem) for access, step in found.items()} == {
        access: (Outcome.SHUT, "") for access in AccessBy if access is not AccessBy.IPSEC
    }
    places = {"xmpp": 2, "tls_access": 2}
    for probe, times in places.items():
        assert sum(one == probe for one, _ in network.asked) >= times
    assert ("tls_access", "dras") in network.asked, "the address from which alone MMS is open"
    assert all(name != DEVICE for _, name in network.asked), "not by the device that was stolen"
    assert {one["certificate"] for tries in network.shown for one in tries} == {"certificate"}


def test_a_door_that_stays_open_and_one_that_is_refused_to_all(lab_plan: Plan) -> None:
    done = RevokedAtServer(("x",), ("01",), SHOWN)
    opened = revoked(lab_plan, Network(knows=10_000), done)
    assert {step.outcome for step in opened.values()} == {Outcome.OPEN}
    assert "let in" in opened[AccessBy.XMPP].problem
    down = revoked(lab_plan, Network(knows=1, own={"stage": "connect", "cause": "refused"}), done)
    for access in (AccessBy.XMPP, AccessBy.OPENADR, AccessBy.MMS):
        assert down[access].outcome == Outcome.UNTRIED
        assert "its own certificate was not taken either" in down[access].problem
    silent = revoked(lab_plan, Network(error="no answer"), done)
    assert {(step.outcome, step.problem) for step in silent.values()} == {(Outcome.UNTRIED, "no answer")}


def test_without_a_certificate_for_it_no_door_is_tried(lab_plan: Plan) -> None:
    found = revoked(lab_plan, Network(), RevokedAtServer(("x",), ("01",), None, "the server is sealed"))
    assert {(step.outcome, step.problem) for step in found.values()} == {
        (Outcome.UNTRIED, "the server is sealed")
    }
    assert len(found) == 4
    assert revoked(lab_plan, Network(), RevokedAtServer((), ())) == {}, "nothing was left to do"


def test_what_a_service_does_not_have_is_no_door(lab_plan: Plan) -> None:
    bare = replace(
        lab_plan,
        devices=tuple(
            replace(device, xmpp=None, vtn=None, mms_client=None, mms_server=None)
            for device in lab_plan.devices
        ),
    )
    ways = accesses.ways(bare, Network(), bare.device(DEVICE), SHOWN)  # type: ignore[arg-type]
    for access in (AccessBy.XMPP, AccessBy.OPENADR, AccessBy.MMS):
        way = ways[access]
        assert isinstance(way, accesses.No)
        assert way.outcome is Outcome.NONE


def judged_at_accesses(plan: Plan, artifacts: Path) -> Any:
    """What is judged of the accesses."""
    every = revocation.verdicts(plan, artifacts, EvidenceStore(artifacts).keep, ledger(artifacts))
    (found,) = (one for one in every if one.subject == AT_ACCESSES)
    return found


def kept(plan: Plan, artifacts: Path, **changes: tuple[Outcome, float]) -> None:
    """Keep the evidence of a revocation: every access shut after two seconds, but for `changes`."""
    every = {access.name: (Outcome.SHUT, 2.0) for access in AccessBy} | changes
    taken = [
        _step("IPsec at hub-ce-b", *every.pop("IPSEC"))
        if access is AccessBy.IPSEC
        else _step(f"access {access}", *every[access.name], access=access)
        for access in AccessBy
        if access.name in every
    ]
    path = artifacts / "revocation/24.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(evidence(plan, DEVICE, taken, "2026-11-24T10:00:00.000+00:00")))
    ledger(artifacts).add("revocation 24", hashlib.sha256(path.read_bytes()).hexdigest())


def _step(name: str, outcome: Outcome, seconds: float, access: str = "") -> RevocationStep:
    ends = f"2026-11-24T10:00:{seconds:06.3f}+00:00"
    problem = "" if outcome in (Outcome.SHUT, Outcome.NONE) else "a reason"
    more = {"needed": False, "access": access, "outcome": outcome} if access else {}
    return RevocationStep(name, "2026-11-24T10:00:00.000+00:00", ends, (), problem, **more)  # type: ignore[arg-type]


def test_the_last_door_is_named_and_held_to_the_bound(lab_plan: Plan, tmp_path: Path) -> None:
    kept(lab_plan, tmp_path, XMPP=(Outcome.SHUT, 6.5))
    good = judged_at_accesses(lab_plan, tmp_path)
    assert (good.result, good.measured, good.bound) == (Result.PASS, 6.5, 10.0)
    assert "last shut: XMPP; " in good.reason
    assert good.reason.endswith("XMPP 6.5 s")
    kept(lab_plan, tmp_path, WLAN=(Outcome.SHUT, 10.5))
    late = judged_at_accesses(lab_plan, tmp_path)
    assert (late.result, late.measured) == (Result.FAIL, 10.5)
    assert "last shut: Wi-Fi" in late.reason


def test_an_open_door_fails_and_one_that_was_not_tried_is_unknown(lab_plan: Plan, tmp_path: Path) -> None:
    kept(lab_plan, tmp_path, MMS=(Outcome.UNTRIED, 2.0))
    found = judged_at_accesses(lab_plan, tmp_path)
    assert found.result is Result.UNKNOWN
    assert "not shown to be shut: MMS" in found.reason
    kept(lab_plan, tmp_path, MMS=(Outcome.UNTRIED, 2.0), XMPP=(Outcome.OPEN, 15.0))
    found = judged_at_accesses(lab_plan, tmp_path)
    assert found.result is Result.FAIL
    assert "still open: XMPP" in found.reason
    kept(lab_plan, tmp_path, IPSEC=(Outcome.OPEN, 2.0))
    assert judged_at_accesses(lab_plan, tmp_path).result is Result.FAIL
    kept(lab_plan, tmp_path, WLAN=(Outcome.NONE, 0.0))
    assert judged_at_accesses(lab_plan, tmp_path).result is Result.PASS


def test_a_record_of_before_says_nothing_of_accesses(lab_plan: Plan, tmp_path: Path) -> None:
    kept(lab_plan, tmp_path)
    path = tmp_path / "revocation/24.json"
    document = json.loads(path.read_text())
    document["steps"] = [step for step in document["steps"] if not step["access"]]
    assert at_accesses(document) == {AccessBy.IPSEC: (Outcome.SHUT, 2.0)}
