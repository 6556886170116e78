"""Certificates and CRLs as devices tell of them, against the plan."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.fleet import Answer
from heiiki.verify.ipsec import certificates

ISSUING, ROOT = "CN=lab issuing CA 1", "CN=lab root CA 1"
STATUS: dict[str, Any] = {
    "device": "umeda-gw-b",
    "generation": 1,
    "loaded": True,
    "anchors": [{"subject": ROOT, "sha256": "00", "not_after": "2036-11-21T13:00:00Z"}],
    "crls": [
        {
            "issuer": name,
            "number": 3,
            "this_update": "2026-01-01T00:00:00Z",
            "next_update": "2026-01-04T00:00:00Z",
            "hours_left": 71.5,
            "revoked": 0,
        }
        for name in (ISSUING, ROOT)
    ],
    "certificate": {
        "issuer": ISSUING,
        "not_after": "2026-12-24T13:00:00Z",
        "days_left": 29.9,
        "share_used": 0.003,
        "names": {
            "dns": ["umeda-gw-b.lab.internal"],
            "addresses": [],
            "uris": ["urn:heiiki:lab:umeda-gw-b"],
            "jids": [],
        },
        "key": {"algorithm": "EC", "curve": "P-256", "bits": 256},
        "chain": [{"subject": ISSUING, "sha256": "01", "not_after": "2028-11-21T13:00:00Z"}],
        "revoked": False,
    },
    "problems": [],
}
WATCH = {"pid": 1, "due": 60.0, "pulled": 1.0, "failures": 0, "problem": ""}


def answer(change: Any = None, watch: Any = None, rc: int = 0) -> Answer:
    status = deepcopy(STATUS)
    if change:
        change(status)
    said = {
        "status": {"rc": 0, "out": json.dumps(status), "err": ""},
        "check": {"rc": rc, "out": "no watch" if rc else json.dumps(WATCH | (watch or {})), "err": ""},
    }
    return Answer("umeda-gw-b", {"commands": said}, "", b"")


def certificate(plan: Plan, change: Any = None) -> Verdict:
    device = plan.device("umeda-gw-b")
    return certificates.of_device("R-SEC-ACCESS", plan.pki.lifetimes, device, answer(change), ())


def test_a_certificate_as_planned_is_a_pass_with_its_days(plan: Plan) -> None:
    verdict = certificate(plan)
    assert (verdict.result, verdict.measured, verdict.bound) == (Result.PASS, 29.9, 5.0)
    assert "umeda-gw-b.lab.internal by CN=lab issuing CA 1, EC P-256" in verdict.reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.update(certificate=None), "has no certificate"),
        (lambda one: one["problems"].append("key.pem has mode 0644, not 0600"), "0644"),
        (lambda one: one["certificate"]["names"].update(dns=["x", "umeda-gw-b.lab.internal"]), "its dns are"),
        (lambda one: one["certificate"]["names"].update(uris=[]), "its uris are none"),
        (lambda one: one["certificate"]["names"].update(addresses=["10.0.0.1"]), "its addresses are"),
        (lambda one: one["certificate"]["key"].update(curve="P-192", bits=192), "P-192 of 192 bits"),
        (lambda one: one["certificate"]["key"].update(algorithm="RSA"), "its key is RSA"),
        (lambda one: one["certificate"].update(chain=[]), "no certificate of its issuer"),
        (lambda one: one["certificate"].update(days_left=-0.1), "it expired on"),
        (lambda one: one["certificate"].update(days_left=4.0), "renewal is overdue"),
        (lambda one: one["certificate"].update(revoked=True), "it is revoked"),
        (lambda one: one.update(loaded=False), "have not loaded it"),
    ],
)
def test_any_other_certificate_is_a_fail(plan: Plan, change: Any, said: str) -> None:
    verdict = certificate(plan, change)
    assert verdict.result is Result.FAIL
    assert said in verdict.reason


def test_a_device_that_tells_nothing_leaves_it_unknown(plan: Plan) -> None:
    device = plan.device("umeda-gw-b")
    for silent in (
        Answer("umeda-gw-b", {}, "not reachable", b""),
        Answer("x", {"commands": {"status": {"rc": 1, "out": "", "err": "no configuration"}}}, "", b""),
        Answer("x", {"commands": {"status": {"rc": 0, "out": "?", "err": ""}}}, "", b""),
    ):
        verdict = certificates.of_device("R-SEC-ACCESS", plan.pki.lifetimes, device, silent, ())
        assert verdict.result is Result.UNKNOWN


def revocation(plan: Plan, found: Answer) -> Verdict:
    device = plan.device("umeda-gw-b")
    assert device.crl_source is not None
    return certificates.revocation(device, device.crl_source, plan.pki.lifetimes, found, ())


def test_fresh_lists_of_every_ca_are_a_pass(plan: Plan) -> None:
    verdict = revocation(plan, answer())
    assert (verdict.requirement, verdict.result, verdict.measured) == ("R-THEFT", Result.PASS, 71.5)
    assert "asked for every 60 s" in verdict.reason


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (answer(lambda one: one["crls"].pop()), f"no CRL of {ROOT}"),
        (answer(lambda one: one.update(crls=[])), f"no CRL of {ISSUING}"),
        (answer(lambda one: one["crls"][0].update(hours_left=-1.0)), "has expired"),
        (answer(lambda one: one["crls"][0].update(this_update="2126-01-01T00:00:00Z")), "is of the future"),
        (answer(lambda one: one["crls"][0].update(hours_left=17.0)), "ends in 17 h: the server has made no"),
        (answer(watch={"failures": 0, "problem": "CRL 3 of X"}), "the last pull refused a list: CRL 3 of X"),
        (answer(rc=1), "no watch fetches them: no watch"),
        (answer(watch={"failures": 3, "problem": "refused"}), "3 pulls in a row failed: refused"),
        (answer(watch={"failures": None}), "does not say how"),
    ],
)
def test_a_verifier_without_fresh_lists_is_a_fail(plan: Plan, found: Answer, said: str) -> None:
    verdict = revocation(plan, found)
    assert verdict.result is Result.FAIL
    assert said in verdict.reason


def test_a_verifier_that_tells_nothing_is_unknown(plan: Plan) -> None:
    assert revocation(plan, Answer("x", {}, "not reachable", b"")).result is Result.UNKNOWN


def test_every_peer_and_verifier_has_its_verdict(plan: Plan, fleet_of: Any, kept: Any) -> None:
    fleet = fleet_of(lambda *_: answer().data)
    found = {(one.requirement, one.subject): one.result for one in certificates.verdicts(plan, fleet, kept)}
    assert found["R-SEC-ACCESS", "certificate of umeda-gw-b"] is Result.PASS
    assert found["R-SEC-ESP", "certificate of b-edge"] is Result.FAIL
    assert {requirement for requirement, subject in found if subject == "certificate of hub-ce-a"} == {
        "R-SEC-ESP",
        "R-SEC-ACCESS",
    }
    assert len([subject for _, subject in found if subject.startswith("revocation")]) == 9


def test_what_a_lab_said_is_understood(plan: Plan) -> None:
    path = Path(__file__).parent / "recorded" / "credentials.json"
    found = Answer("umeda-gw-b", json.loads(path.read_text(encoding="utf-8")), "", b"")
    device = plan.device("umeda-gw-b")
    verdict = certificates.of_device("R-SEC-ACCESS", plan.pki.lifetimes, device, found, ())
    assert (verdict.result, verdict.measured) == (Result.PASS, 29.995)
