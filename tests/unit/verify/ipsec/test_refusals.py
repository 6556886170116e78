"""Attempts that must be refused: what is tried, and what counts as refused for the right reason."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import heiiki.render
from heiiki.design.strongswan import connections
from heiiki.errors import VaultError, VaultFault
from heiiki.plan.model import Identity, Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.fleet import Answer
from heiiki.verify.ipsec import attempts, refusals, test_certificates
from heiiki.verify.ipsec.attempts import (
    ESP_SUITE,
    EXPIRED,
    FOREIGN,
    IKE_SUITE,
    NAME,
    REVOKED,
    SELECTOR,
    TRIALS,
    Trial,
)

LOG = {
    FOREIGN: 'no issuer certificate found for "CN=umeda-gw-b.lab.internal"',
    EXPIRED: "subject certificate invalid (valid from Nov 24 13:00:00 2026 to Nov 24 13:00:02 2026)",
    REVOKED: "certificate was revoked on Nov 24 13:00:01 UTC 2026, reason: unspecified",
    NAME: "no trusted ECDSA public key found for 'umeda-gw-b.lab.internal'",
    SELECTOR: "traffic selectors 10.201.0.1/32[gre] === 10.112.0.42/32[gre] unacceptable",
    IKE_SUITE: "configured proposals: IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/ECP_256, "
    "IKE:AES_GCM_16_256/PRF_HMAC_SHA2_384/CURVE_25519",
    ESP_SUITE: "configured proposals: ESP:AES_GCM_16_256/ECP_256/NO_EXT_SEQ, "
    "ESP:AES_GCM_16_256/CURVE_25519/NO_EXT_SEQ",
}
BY_CERTIFICATE = (NAME, FOREIGN, EXPIRED, REVOKED)
TOLD = "received AUTHENTICATION_FAILED notify error"


class Ca:
    """The service's CA, without Vault."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.signed: list[tuple[str, str]] = []
        self.revoked: list[str] = []

    def sign(self, identity: Identity, csr: str, life: str) -> str:
        self.signed.append((identity.device, life))
        request = x509.load_pem_x509_csr(csr.encode())
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(request.subject).issuer_name(request.subject)
        builder = builder.public_key(request.public_key()).serial_number(7).not_valid_before(now)
        made = builder.not_valid_after(now + timedelta(seconds=1)).sign(self.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def revoke(self, certificate: str) -> None:
        self.revoked.append(certificate)


@pytest.fixture(scope="session")
def base(plan: Plan) -> Any:
    build = heiiki.render.compile_device(plan, plan.device("umeda-gw-b"))
    return connections(build.contents)["hub-b"]


def trial_association(plan: Plan) -> Any:
    return next(one for one in refusals.trial_associations(plan) if one.initiator.device == "umeda-gw-b")


def test_only_one_thing_differs_from_the_running_connection(plan: Plan, base: Any) -> None:
    made = {trial.name: test_certificates.Credential(f"CERT {trial.name}", "KEY") for trial in BY_CERTIFICATE}
    tries = {one["name"]: one for one in attempts.attempts(plan, trial_association(plan), base, made)}
    assert list(tries) == [trial.name for trial in TRIALS]
    foreign = tries["foreign CA"]["connection"]["probe-foreign"]
    assert foreign["local"]["certs"] == ["CERT foreign CA"]
    assert foreign["local"]["id"] == base["local"]["id"]
    assert (foreign["unique"], foreign["local_addrs"]) == ("never", ["10.112.0.17"])
    assert foreign["children"]["probe-foreign"]["start_action"] == "none"
    selector = tries["wrong selector"]["connection"]["probe-wrong"]
    plain = attempts.as_message(base)
    assert {key: value for key, value in selector.items() if key != "children"} == {
        key: value for key, value in plain.items() if key != "children"
    }
    (child,) = selector["children"].values()
    assert child["local_ts"] == ["10.112.0.23/32[gre]"]
    assert child["remote_ts"] == plain["children"]["hub-b"]["remote_ts"]
    assert "key" not in tries["wrong selector"]
    ike = tries["IKE by another suite"]["connection"]["probe-IKE"]
    assert (ike["proposals"], ike["local"]) == (["aes128-sha256-modp2048"], plain["local"])
    esp = tries["ESP by another suite"]["connection"]["probe-ESP"]
    assert esp["proposals"] == plain["proposals"]
    (child,) = esp["children"].values()
    assert child["esp_proposals"] == ["aes128-sha256-ecp256"]
    assert child["local_ts"] == plain["children"]["hub-b"]["local_ts"]


def test_certificates_of_a_file_are_sent_by_content() -> None:
    assert attempts.as_message({"local": {"certs": "device.pem", "id": "a, b"}}) == {
        "local": {"certs": [{"file": "/etc/swanctl/x509/device.pem"}], "id": "a, b"}
    }


def test_what_must_be_refused_is_made(plan: Plan) -> None:
    ca = Ca()
    made, missing = test_certificates.credentials(plan, "umeda-gw-b", ca)
    assert (set(made), missing) == ({trial.name for trial in BY_CERTIFICATE}, "")
    assert ("umeda-gw-b", "2s") in ca.signed
    assert ca.revoked == [made["revoked certificate"].certificate]
    other = next(device for device, _ in ca.signed if device != "umeda-gw-b")
    identity = plan.device(other).identity
    assert identity is not None
    assert identity.kind is plan.device("umeda-gw-b").identity.kind  # type: ignore[union-attr]
    expired = x509.load_pem_x509_certificate(made["expired certificate"].certificate.encode())
    assert made["expired certificate"].key not in repr(made)
    assert expired.not_valid_after_utc <= datetime.now(UTC) + timedelta(seconds=1)


def test_a_foreign_ca_gives_the_right_names(plan: Plan) -> None:
    identity = plan.device("umeda-gw-b").identity
    assert identity is not None
    made = x509.load_pem_x509_certificate(test_certificates.foreign(identity).certificate.encode())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(names.get_values_for_type(x509.DNSName)) == identity.dns
    assert made.issuer != made.subject


def test_without_the_ca_only_a_made_up_one_signs(plan: Plan) -> None:
    def sealed(*_: str) -> str:
        raise VaultError("the server is sealed", VaultFault.SEALED)

    ca = Ca()
    ca.sign = sealed  # type: ignore[assignment]
    made, missing = test_certificates.credentials(plan, "umeda-gw-b", ca)
    assert (set(made), missing) == ({"foreign CA"}, "no certificate for the attempt: the server is sealed")
    assert test_certificates.credentials(plan, "umeda-gw-b", None)[1] == test_certificates.NO_AUTHORITY


def judged(plan: Plan, trial: Trial, kept: Any, **change: Any) -> Verdict:
    told = {
        SELECTOR: "received TS_UNACCEPTABLE notify, no CHILD_SA built",
        IKE_SUITE: "received NO_PROPOSAL_CHOSEN notify error",
        ESP_SUITE: "received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built",
    }.get(trial, TOLD)
    one = {"up": False, "said": "failed", "log": [told], "began": 10.0, "ended": 10.5} | change.get("one", {})
    again = change.get("again", {"up": True, "seconds": 0.31})
    lines = [[10.2, change.get("log", LOG[trial])], [20.0, LOG[FOREIGN]]]
    heard = {"began": change.get("listening", 1.0), "ended": 30.0, "lines": lines}
    tried = Answer(
        "umeda-gw-b", {"attempts": {trial.name: one}, "again": again}, change.get("error", ""), b""
    )
    answer = Answer("hub-ce-b", heard, "", b"")
    return refusals.judged(trial, trial_association(plan), plan.pki.suite, tried, answer, ())


@pytest.mark.parametrize(
    ("trial", "more"),
    [
        (IKE_SUITE, "IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_3072"),
        (IKE_SUITE, "IKE:AES_GCM_16_128/PRF_HMAC_SHA2_384/ECP_256"),
        (ESP_SUITE, "ESP:AES_CBC_128/HMAC_SHA2_256_128/NO_EXT_SEQ"),
        (ESP_SUITE, "ESP:AES_GCM_16_256/NO_EXT_SEQ"),
    ],
)
def test_a_suite_that_the_daemon_has_loaded_beyond_the_plan_is_a_fail(
    plan: Plan, trial: Trial, more: str, kept: Any
) -> None:
    verdict = judged(plan, trial, kept, log=f"{LOG[trial]}, {more}")
    assert (verdict.result, verdict.reason) == (
        Result.FAIL,
        f"hub-ce-b refused it, and would accept {more}",
    )


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_refusal_for_the_right_reason_is_a_pass(plan: Plan, trial: Trial, kept: Any) -> None:
    verdict = judged(plan, trial, kept)
    assert verdict.result is Result.PASS
    assert LOG[trial] in verdict.reason
    assert verdict.subject == f"{trial.name}: umeda-gw-b to hub-ce-b"


RECORDED = Path(__file__).parent / "recorded" / "attempts.json"
"""strongSwan 6.0.1 at both ends; the answer to the last question, for want of ESP there, is made up."""


SUITES = RECORDED.with_name("suites.json")
"""The same, of both suites that the plan does not have, in the lab."""


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_the_daemons_own_words_are_understood(plan: Plan, trial: Trial) -> None:
    recorded = SUITES if trial in (IKE_SUITE, ESP_SUITE) else RECORDED
    said = json.loads(recorded.read_text(encoding="utf-8"))
    tried = Answer("umeda-gw-b", said["tried"], "", b"")
    heard = Answer("hub-ce-b", said["heard"], "", b"")
    verdict = refusals.judged(trial, trial_association(plan), plan.pki.suite, tried, heard, ())
    assert verdict.result is Result.PASS
    others = [other for other in TRIALS if other not in (trial, NAME)]
    assert not any(LOG[other][:25] in verdict.reason for other in others)


def test_a_name_is_refused_by_who_still_holds_the_true_certificate(plan: Plan) -> None:
    said = json.loads(RECORDED.read_text(encoding="utf-8"))
    usual, instead = (
        "no trusted ECDSA public key found",
        "signature validation failed, looking for another key",
    )
    lines = [[at, instead if usual in line else line] for at, line in said["heard"]["lines"]]
    tried, heard = Answer("umeda-gw-b", said["tried"], "", b""), {**said["heard"], "lines": lines}
    answer = Answer("hub-ce-b", heard, "", b"")
    verdict = refusals.judged(NAME, trial_association(plan), plan.pki.suite, tried, answer, ())
    assert verdict.result is Result.PASS
    assert instead in verdict.reason


def test_a_name_refused_for_a_certificate_of_before_is_unknown(plan: Plan) -> None:
    said = json.loads(RECORDED.read_text(encoding="utf-8"))
    said["tried"]["attempts"][NAME.name] = said["tried"]["attempts"][REVOKED.name]
    tried = Answer("umeda-gw-b", said["tried"], "", b"")
    answer = Answer("hub-ce-b", said["heard"], "", b"")
    verdict = refusals.judged(NAME, trial_association(plan), plan.pki.suite, tried, answer, ())
    assert verdict.result is Result.UNKNOWN
    assert "for another reason" in verdict.reason


def test_who_is_let_in_fails(plan: Plan, kept: Any) -> None:
    assert judged(plan, REVOKED, kept, one={"up": True}).result is Result.FAIL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"error": "umeda-gw-b: not reachable"}, "not reachable"),
        ({"one": {"error": "the connection was not taken: x"}}, "not taken"),
        ({"one": {"log": ["giving up after 1 retransmits"]}}, "not answered either"),
        ({"again": {"up": False}}, "was not accepted after it either"),
        ({"again": {"error": "hub-b is not up"}}, "was not accepted after it either"),
        ({"listening": 10.1}, "not read throughout"),
        ({"log": "something else"}, "for another reason: hub-ce-b: something else"),
    ],
)
def test_anything_else_is_unknown(plan: Plan, kept: Any, change: dict[str, Any], said: str) -> None:
    verdict = judged(plan, REVOKED, kept, **change)
    assert verdict.result is Result.UNKNOWN
    assert said in verdict.reason


def outcome(
    plan: Plan, fleet_of: Any, kept: Any, authority: Any, *, let_in: bool = False
) -> Iterator[Verdict]:
    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if probe == "read":
            return {"commands": {"pull": {"rc": 1, "out": "", "err": "timed out\n"}}, "files": {}}
        if parameters["do"] == "tell":
            return {"listens": True}
        if parameters["do"] == "listen":
            lines = [[10.0 + at, LOG[trial]] for at, trial in enumerate(TRIALS)]
            return {"began": 0.0, "ended": 30.0, "lines": lines}
        tried = {
            one["name"]: {
                "up": let_in,
                "said": "",
                "log": [TOLD, "TS_UNACCEPTABLE"],
                "began": at,
                "ended": at,
            }
            for trial_at, trial in enumerate(TRIALS)
            for one in parameters["attempts"]
            if one["name"] == trial.name
            for at in (10.0 + trial_at,)
        }
        return {"attempts": tried, "again": {"up": True, "seconds": 0.3}}

    builds = tuple(heiiki.render.compile_plan(plan))
    return refusals.verdicts(plan, builds, fleet_of(reply), kept, authority)


def test_each_is_tried_at_both_doors(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found = list(outcome(plan, fleet_of, kept, Ca()))
    assert {(one.requirement, one.subject) for one in found} == {
        (requirement, f"{trial.name}: {where}")
        for requirement, where in (
            ("R-SEC-ACCESS", "umeda-gw-b to hub-ce-b"),
            ("R-SEC-ESP", "hub-ce-b to b-edge"),
        )
        for trial in TRIALS
    }
    assert {one.result for one in found if one.subject.startswith(("foreign", "revoked", "expired"))} == {
        Result.PASS
    }


def test_a_verifier_that_could_not_fetch_the_list_is_said_to(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found = {one.subject: one for one in outcome(plan, fleet_of, kept, Ca(), let_in=True)}
    verdict = found["revoked certificate: hub-ce-b to b-edge"]
    assert verdict.result is Result.FAIL
    assert verdict.reason.endswith("b-edge could not fetch the CRL: timed out")


def test_without_a_ca_what_it_should_sign_is_unknown(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found = {one.subject: one for one in outcome(plan, fleet_of, kept, None)}
    assert found["revoked certificate: umeda-gw-b to hub-ce-b"].reason == test_certificates.NO_AUTHORITY
    assert found["foreign CA: umeda-gw-b to hub-ce-b"].result is Result.PASS


def test_where_nothing_may_be_tried_each_trial_is_unknown(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found = list(refusals.not_tried(plan, refusals.OUTSIDE_LAB))
    tried = outcome(plan, fleet_of, kept, Ca())
    assert [(one.requirement, one.subject) for one in found] == [
        (one.requirement, one.subject) for one in tried
    ]
    assert {(one.result, one.reason) for one in found} == {(Result.UNKNOWN, refusals.OUTSIDE_LAB)}
