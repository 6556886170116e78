"""A revocation: its steps, their order, and what the evidence says."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cryptography import x509
from revocation_fakes import AT_ACCESSES, DEVICE, Devices, ledger, steps
from vault_server import SetUpVault

from heiiki import revocation
from heiiki.errors import RevocationError, VaultError, VaultFault
from heiiki.pki.revoke import crls, revoke_device
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Plan
from heiiki.report import EvidenceStore, completeness
from heiiki.report.ageing import is_stale
from heiiki.report.completion import is_not_run
from heiiki.requirements import Result
from heiiki.revocation import BOUND_S, Record, RevocationStep, RevokedAtServer, drill
from heiiki.revocation.evidence import evidence
from heiiki.verify.fleet import Answer


def test_the_intent_comes_first_and_the_lists_after_the_certificates(lab_plan: Plan) -> None:
    devices = Devices()
    taken = steps(lab_plan, devices)
    names = [step.name for step in taken]
    assert names[0] == "mark in the intent"
    lists = {name for name in names if name.startswith("CRL at ")}
    done = {"IKE SA at hub-ce-b", "certificates"}
    assert {*names[1:]} - lists == {*done, "IPsec at hub-ce-b", "SIM at b-hss", "session at b-pgw"}
    assert max(map(names.index, done)) < min(map(names.index, {*lists, "IPsec at hub-ce-b"}))
    assert "CRL at umeda-ce-a" in lists
    assert not {"CRL at hub-ce-b", f"CRL at {DEVICE}"} & lists
    assert {step.name for step in taken if not step.needed} == lists
    connection = next(one for one in lab_plan.device("hub-ce-b").ipsec if one.peer == DEVICE)
    ended, listed, watched = devices.of("hub-ce-b")
    assert [connection.name in asked for asked in (ended, listed, watched)] == [True, False, True]
    assert ['"serials": ["01"]' in asked for asked in (ended, listed, watched)] == [False, True, False]


def test_others_fetch_the_lists_while_the_connections_are_watched(lab_plan: Plan) -> None:
    told = Event()

    class Watches(Devices):
        def run(self, programs: Mapping[str, bytes], timeout: float = 30.0) -> dict[str, Answer]:
            if "umeda-ce-a" in programs:
                told.set()
            elif b'"watch_s": ' in programs.get("hub-ce-b", b""):
                assert told.wait(60), "it was waited for"
            return super().run(programs, timeout)

    assert not [step for step in steps(lab_plan, Watches()) if step.problem]


def test_hss_and_pgw_are_sent_what_is_compiled_without_the_sim(lab_plan: Plan) -> None:
    devices = Devices()
    steps(lab_plan, devices)
    sim = lab_plan.device(DEVICE).sim
    other = lab_plan.device("namba-gw").sim
    assert sim
    assert other
    (applied,) = devices.of("b-hss")
    assert "/etc/heiiki/subscribers.json" in applied
    sent, _, former = applied.partition('"former": {')
    assert other.imsi in sent
    assert sim.imsi not in sent
    assert sim.imsi in former, "by which the keys of the others are found in the file that is there"
    reloaded, awaited = devices.of("b-pgw")
    assert "/etc/heiiki/pgw.json" in reloaded
    assert other.imsi in reloaded
    assert sim.imsi not in reloaded
    assert sim.imsi in awaited


@pytest.mark.parametrize("device", ["b-pgw", "hub-ce-b"])
def test_session_and_association_end_although_the_certificates_wait_for_the_server(
    lab_plan: Plan, device: str
) -> None:
    """What keeps the Vault server away keeps no session and no association up."""
    ended = Event()

    def waits() -> RevokedAtServer:
        assert ended.wait(60), "it did not end meanwhile"
        return RevokedAtServer((), ())

    class Notes(Devices):
        def run(self, programs: Mapping[str, bytes], timeout: float = 30.0) -> dict[str, Answer]:
            if device in programs:
                ended.set()
            return super().run(programs, timeout)

    devices = Notes()
    assert not [step for step in steps(lab_plan, devices, revoke=waits) if step.problem]


def test_a_device_without_a_sim_has_no_such_step(lab_plan: Plan) -> None:
    names = [step.name for step in steps(lab_plan, Devices(), "umeda-bems")]
    assert names[:2] == ["mark in the intent", "certificates"]
    assert not any("SIM" in name or "IPsec" in name for name in names)


def test_the_hss_keeps_the_keys_that_it_has_and_no_server_is_asked(lab_plan: Plan) -> None:
    def asked(path: str, _field: str) -> str:
        raise AssertionError(path)

    devices = Devices()
    taken = {step.name: step for step in steps(lab_plan, devices, read=asked)}
    assert not taken["SIM at b-hss"].problem
    (applied,) = devices.of("b-hss")
    assert '"former": {' in applied
    assert '"secrets": {}' in applied


def test_an_hss_with_another_file_gets_the_keys_from_the_server(lab_plan: Plan) -> None:
    class Differs(Devices):
        def run(self, programs: Mapping[str, bytes], timeout: float = 30.0) -> dict[str, Answer]:
            found = super().run(programs, timeout)
            if "b-hss" in found and '"former": {' in self.of("b-hss")[-1]:
                return {"b-hss": Answer("b-hss", {"changed": [], "error": "is not what was sent"}, "", b"")}
            return found

    devices = Differs()
    taken = {step.name: step for step in steps(lab_plan, devices)}
    assert (taken["SIM at b-hss"].problem, taken["SIM at b-hss"].changed) == ("", ("x",))
    _, read = devices.of("b-hss")
    other = lab_plan.device("namba-gw").sim
    assert other
    assert f"sim/{other.imsi} k" in read


@pytest.mark.parametrize("broken", ["revoke", "fleet", "read"])
def test_a_fault_of_ours_stops_no_other_step_either(lab_plan: Plan, broken: str) -> None:
    def breaks(*_: Any) -> Any:
        raise ZeroDivisionError("division by zero")

    class Breaks(Devices):
        def run(self, programs: Mapping[str, bytes], timeout: float = 30.0) -> dict[str, Answer]:
            if "b-hss" in programs and broken != "revoke":
                breaks()
            return super().run(programs, timeout)

    devices = Breaks()
    more = {"revoke": breaks} if broken == "revoke" else {"read": breaks} if broken == "read" else {}
    taken = steps(lab_plan, devices, **more)
    wrong = [step for step in taken if step.problem.startswith("ZeroDivisionError: division by zero; report")]
    assert wrong
    named = {step.name for step in taken if not step.problem}
    assert {"mark in the intent", "IKE SA at hub-ce-b"} <= named
    assert "session at b-pgw" in named
    assert ("certificates" in named) == (broken != "revoke")
    assert not evidence(lab_plan, DEVICE, taken)["complete"]


def test_a_step_that_fails_stops_no_other(lab_plan: Plan) -> None:
    def away(*_: Any) -> list[str]:
        raise VaultError("the server is sealed", VaultFault.SEALED)

    devices = Devices({"b-pgw": "b-pgw: no connection", "b-hss": "b-hss: no connection"})
    taken = steps(lab_plan, devices, revoke=away, read=away)
    problems = {step.name: step.problem for step in taken if step.problem}
    assert problems == {
        "certificates": "the server is sealed",
        "SIM at b-hss": "the server is sealed",
        "session at b-pgw": "b-pgw: no connection",
        "IPsec at hub-ce-b": (
            "its connection stays withdrawn until the certificates of the device are revoked"
        ),
    }
    (ended,) = devices.of("hub-ce-b")
    assert '"pull"' not in ended.splitlines()[-1]
    assert not evidence(lab_plan, DEVICE, taken)["complete"]


def test_a_session_that_goes_on_is_a_problem(lab_plan: Plan) -> None:
    class GoesOn(Devices):
        def run(self, programs: Mapping[str, bytes], timeout: float = 30.0) -> dict[str, Answer]:
            found = super().run(programs, timeout)
            if len(self.of("b-pgw")) == 2 and "b-pgw" in found:
                return {"b-pgw": Answer("b-pgw", {"changed": [], "error": "the session goes on"}, "", b"")}
            return found

    (step,) = (one for one in steps(lab_plan, GoesOn()) if one.name == "session at b-pgw")
    assert (step.problem, step.changed) == ("the session goes on", ("x",))


def test_a_verifier_without_a_connection_leaves_nothing_open(lab_plan: Plan, tmp_path: Path) -> None:
    taken = steps(lab_plan, Devices({"umeda-ce-a": "off"}))
    document = evidence(lab_plan, DEVICE, taken)
    assert (document["complete"], document["bound_s"]) == (True, 10.0)
    record = Record(tmp_path, lab_plan, revocation.find(lab_plan, DEVICE), ledger(tmp_path))
    for step in taken:
        record.add(step)
    path = record.finish()
    assert path == record.path
    assert path.parent == tmp_path / "revocation"
    assert path.name.startswith(f"{DEVICE}-20")
    assert json.loads(path.read_text())["steps"][0]["changed"] == ["revoked.yml"]


def at(second: int, **more: Any) -> RevocationStep:
    stamp = f"2126-11-24T10:00:{second:02d}.000+00:00"
    return RevocationStep("certificates", stamp, stamp, **more)


def test_a_run_that_is_killed_is_counted_by_the_next(lab_plan: Plan, tmp_path: Path) -> None:
    device = revocation.find(lab_plan, DEVICE)
    killed = Record(tmp_path, lab_plan, device, ledger(tmp_path))
    (cut_off,) = judged(lab_plan, tmp_path)
    assert cut_off.result is Result.FAIL
    assert "cut off" in cut_off.reason
    killed.add(at(0, changed=("certificate 01",)))
    marked = replace(device, revoked="stolen")
    again = Record(tmp_path, lab_plan, marked, ledger(tmp_path))
    again.add(at(20))
    assert again.finish() == killed.path
    assert again.document["started"] == killed.document["started"]
    assert (again.document["complete"], len(list((tmp_path / "revocation").iterdir()))) == (True, 1)
    (slow,) = judged(lab_plan, tmp_path)
    assert slow.measured is not None
    assert slow.measured > BOUND_S


def test_seconds_count_from_the_run_that_did_not_complete(lab_plan: Plan, tmp_path: Path) -> None:
    device = revocation.find(lab_plan, DEVICE)
    first = Record(tmp_path, lab_plan, device, ledger(tmp_path))
    first.add(at(0, problem="the server is away"))
    assert first.finish() == first.path
    assert not first.document["complete"]
    second = Record(tmp_path, lab_plan, replace(device, revoked="stolen"), ledger(tmp_path))
    second.add(at(9))
    second.finish()
    begun = datetime.fromisoformat(first.document["started"])
    end = datetime.fromisoformat(second.document["finished"])
    assert second.document["seconds"] == pytest.approx((end - begun).total_seconds(), abs=0.001)


def test_a_run_that_finds_nothing_left_to_do_leaves_no_trace(lab_plan: Plan, tmp_path: Path) -> None:
    record = Record(
        tmp_path, lab_plan, replace(revocation.find(lab_plan, DEVICE), revoked="stolen"), ledger(tmp_path)
    )
    record.add(at(1))
    assert record.finish() is None
    assert not (tmp_path / "revocation").exists()


def test_a_replacement_waits_until_the_revocation_is_complete(lab_plan: Plan, tmp_path: Path) -> None:
    marked_one = replace(revocation.find(lab_plan, DEVICE), revoked="stolen")
    Record(tmp_path, lab_plan, replace(marked_one, revoked=""), ledger(tmp_path)).add(at(0, problem="away"))
    with pytest.raises(RevocationError, match=r"is not complete: run revoke\.yml again, then this"):
        revocation.may_return(lab_plan, marked_one, tmp_path, same_sim=True)
    Record(tmp_path, lab_plan, marked_one, ledger(tmp_path)).finish()
    revocation.may_return(lab_plan, marked_one, tmp_path, same_sim=True)


def test_evidence_of_the_release_before_counts_on(lab_plan: Plan, tmp_path: Path) -> None:
    marked_one = replace(revocation.find(lab_plan, DEVICE), revoked="stolen")
    former = evidence(lab_plan, DEVICE, [at(0, problem="away")])
    former = {{"steps": "doors", "complete": "shut"}.get(key, key): value for key, value in former.items()}
    (tmp_path / "theft").mkdir()
    (tmp_path / "theft/old.json").write_text(json.dumps(former))
    with pytest.raises(RevocationError, match="is not complete"):
        revocation.may_return(lab_plan, marked_one, tmp_path, same_sim=True)
    record = Record(tmp_path, lab_plan, marked_one, ledger(tmp_path))
    record.add(at(5))
    assert record.finish() == tmp_path / "theft/old.json"
    revocation.may_return(lab_plan, marked_one, tmp_path, same_sim=True)


def test_seconds_are_from_the_first_start_to_the_last_end(lab_plan: Plan) -> None:
    taken = [
        RevocationStep("one", "2026-11-24T10:00:00.000+00:00", "2026-11-24T10:00:01.000+00:00"),
        RevocationStep("two", "2026-11-24T10:00:01.000+00:00", "2026-11-24T10:00:03.250+00:00"),
    ]
    assert evidence(lab_plan, DEVICE, taken)["seconds"] == 3.25


def test_an_unknown_device_is_told_who_is_near(lab_plan: Plan) -> None:
    with pytest.raises(RevocationError, match=r"there is no device `umeda-gwb` .*near it: umeda-gw-b"):
        revocation.find(lab_plan, "umeda-gwb")
    with pytest.raises(RevocationError, match=r"there is no device `a-p1` with a certificate or a SIM"):
        revocation.find(lab_plan, "a-p1")


def test_the_server_itself_cannot_be_revoked(lab_plan: Plan) -> None:
    with pytest.raises(RevocationError, match=r"vault is a Vault server, whose CA every device trusts"):
        revocation.find(lab_plan, "vault")


def test_no_device_at_all(lab_plan: Plan) -> None:
    with pytest.raises(
        RevocationError, match=r"no device is named: say -e heiiki_device=NAME, such as a-pe1"
    ):
        revocation.find(lab_plan, "")


def test_what_is_cut(lab_plan: Plan) -> None:
    def said(device: str, plan: Plan = lab_plan) -> str:
        return revocation.what_is_cut(plan, revocation.find(plan, device))

    assert said(DEVICE) == "umeda goes on over umeda-ce-a"
    assert said("namba-gw") == "namba has no other gateway: the whole site is cut off until enrol.yml"
    assert said("umeda-bems") == "umeda keeps its gateways; umeda-bems is cut"
    assert said("hub-ce-b") == "hub-ce-b is at no site: what goes over it is cut"
    out = tuple(
        replace(device, revoked="stolen") if device.name == "umeda-ce-a" else device
        for device in lab_plan.devices
    )
    assert said(DEVICE, replace(lab_plan, devices=out)).startswith("umeda has no other gateway")


def test_on_a_real_server_the_lists_name_the_device_when_its_peer_is_told(lab_vault: SetUpVault) -> None:
    stolen = x509.load_pem_x509_certificate(lab_vault.certificate(DEVICE).certificate.encode())

    def revoked() -> bool:
        return any(one.revokes(stolen) for one in crls(lab_vault.running.session(), lab_vault.trust))

    class Peer(Devices):
        def run(self, programs: Mapping[str, bytes], timeout: float = 30.0) -> dict[str, Answer]:
            asked = programs.get("hub-ce-b", b"\n").splitlines()[-1]
            assert revoked() or b'"pull"' not in asked
            return super().run(programs, timeout)

    def revoke() -> RevokedAtServer:
        with logged_in(lab_vault.access, AppRole.REVOKER) as vault:
            done = revoke_device(vault, lab_vault.trust, lab_vault.identity(DEVICE))
        return RevokedAtServer(done.new, done.serials)

    assert not revoked()
    taken = steps(lab_vault.plan, Peer(), revoke=revoke)
    assert next(step for step in taken if step.name == "certificates").changed
    assert not any(step.problem for step in taken)
    assert revoke().changed == ()


def judged(plan: Plan, artifacts: Path) -> list[Any]:
    """What is judged of the steps."""
    return [one for one in _judged(plan, artifacts) if one.subject != AT_ACCESSES]


def _judged(plan: Plan, artifacts: Path) -> list[Any]:
    return list(revocation.verdicts(plan, artifacts, EvidenceStore(artifacts).keep, ledger(artifacts)))


def written(plan: Plan, artifacts: Path, day: int, seconds: float, problem: str = "") -> None:
    ends = f"2026-11-{day}T10:00:{seconds:06.3f}+00:00"
    step = RevocationStep("certificates", f"2026-11-{day}T10:00:00.000+00:00", ends, problem=problem)
    path = artifacts / "revocation" / f"{day}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(evidence(plan, DEVICE, [step])))
    ledger(artifacts).add(f"revocation {path.stem}", hashlib.sha256(path.read_bytes()).hexdigest())


def test_the_newest_revocation_is_judged(lab_plan: Plan, tmp_path: Path) -> None:
    assert judged(lab_plan, tmp_path) == []
    written(lab_plan, tmp_path, 24, 11.5)
    (slow,) = judged(lab_plan, tmp_path)
    assert (slow.requirement, slow.result, slow.measured, slow.bound) == ("R-THEFT", Result.FAIL, 11.5, 10.0)
    written(lab_plan, tmp_path, 26, 4.25)
    written(lab_plan, tmp_path, 25, 3.0, "the server is sealed")
    (good,) = judged(lab_plan, tmp_path)
    assert (good.result, good.measured) == (Result.PASS, 4.25)
    assert (tmp_path / good.evidence[0].file).is_file()
    written(lab_plan, tmp_path, 27, 1.0, "the server is sealed")
    (still,) = judged(lab_plan, tmp_path)
    assert still.result is Result.FAIL
    assert "not complete: certificates" in still.reason
    assert judged(replace(lab_plan, service="other"), tmp_path) == []


def drilled(plan: Plan, artifacts: Path, day: int = 28) -> list[Any]:
    now = datetime(2026, 11, day, 12, tzinfo=UTC)
    return list(drill.verdicts(plan, artifacts, EvidenceStore(artifacts).keep, ledger(artifacts), now))


def test_a_revocation_is_a_drill_when_the_device_is_in_service_again(lab_plan: Plan, tmp_path: Path) -> None:
    assert drilled(lab_plan, tmp_path) == []
    written(lab_plan, tmp_path, 24, 4.25)
    out = tuple(
        replace(device, revoked="stolen") if device.name == DEVICE else device for device in lab_plan.devices
    )
    assert drilled(replace(lab_plan, devices=out), tmp_path) == [], "its replacement is not there yet"
    (found,) = drilled(lab_plan, tmp_path)
    assert (found.requirement, found.subject) == ("R-THEFT/drill", drill.SUBJECT)
    assert (found.result, found.measured, found.bound) == (Result.PASS, 4.25, 10.0)
    assert "in service again" in found.reason
    written(lab_plan, tmp_path, 25, 11.5)
    assert [one.result for one in drilled(lab_plan, tmp_path)] == [Result.FAIL]
    written(lab_plan, tmp_path, 26, 3.0, "the server is sealed")
    (unfinished,) = drilled(lab_plan, tmp_path)
    assert (unfinished.result, "not complete" in unfinished.reason) == (Result.FAIL, True)


def test_a_drill_ages(lab_plan: Plan, tmp_path: Path) -> None:
    written(lab_plan, tmp_path, 11, 4.0)
    short = replace(lab_plan, evidence_days=7)
    assert [one.result for one in drilled(short, tmp_path, 17)] == [Result.PASS]
    (late,) = drilled(short, tmp_path, 18)
    assert late.result is Result.UNKNOWN
    assert is_stale(late)
    assert "expired on 2026-11-18" in late.reason


def test_an_edited_record_is_no_drill_and_without_one_it_is_not_run(lab_plan: Plan, tmp_path: Path) -> None:
    written(lab_plan, tmp_path, 24, 11.5)
    faster(tmp_path / "revocation/24.json")
    assert drilled(lab_plan, tmp_path) == []
    missing = [one for one in completeness((), drill.expected()) if one.requirement == "R-THEFT/drill"]
    assert [(one.subject, is_not_run(one)) for one in missing] == [(drill.SUBJECT, True)]


def test_evidence_that_cannot_be_read_is_unknown(lab_plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "revocation").mkdir()
    for name, text in (("x", "{"), ("y", "[]"), ("z", '{"service": "lab"}')):
        (tmp_path / "revocation" / f"{name}.json").write_text(text)
    assert {verdict.result for verdict in judged(lab_plan, tmp_path)} == {Result.UNKNOWN}
    assert len(judged(lab_plan, tmp_path)) == 3


def faster(path: Path) -> None:
    """The planted case: 11.5 s are made 0.5 s."""
    path.write_text(path.read_text().replace("11.5", "0.5"))


def complete(path: Path) -> None:
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"complete": True, "seconds": 1.0}))


def copied_from_elsewhere(path: Path) -> None:
    shutil.copy(path, path.with_name("28.json"))
    path.unlink()


@pytest.mark.parametrize("plant", [faster, complete, copied_from_elsewhere])
def test_an_edited_or_copied_record_is_unknown_and_no_evidence(
    lab_plan: Plan, tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    written(lab_plan, tmp_path, 24, 11.5)
    plant(tmp_path / "revocation/24.json")
    (found,) = judged(lab_plan, tmp_path)
    assert found.result is Result.UNKNOWN
    assert "edited since" in found.reason or "copied here" in found.reason


def test_a_record_is_recorded_with_every_step(lab_plan: Plan, tmp_path: Path) -> None:
    record = Record(tmp_path, lab_plan, revocation.find(lab_plan, DEVICE), ledger(tmp_path))
    record.add(at(0))
    (cut_off,) = judged(lab_plan, tmp_path)
    assert (cut_off.result, "cut off" in cut_off.reason) == (Result.FAIL, True)
    record.finish()
    (whole,) = judged(lab_plan, tmp_path)
    assert "cut off" not in whole.reason
