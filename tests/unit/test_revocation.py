"""A theft: which doors there are, in which order they are shut, and what the evidence says."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from vault_server import SetUpVault

from heiiki import revocation as theft
from heiiki.errors import TheftError, VaultError, VaultFault
from heiiki.pki.revoke import crls, revoke_device
from heiiki.pki.server.bootstrap import logged_in
from heiiki.pki.server.policies import Purpose
from heiiki.plan.model import Plan
from heiiki.report import EvidenceStore
from heiiki.requirements import Result
from heiiki.verify.fleet import Answer, Fleet

DEVICE = "umeda-gw-b"


class Asked:
    """A fleet that does as it is told."""

    def __init__(self, errors: Mapping[str, str] | None = None) -> None:
        self.calls: list[dict[str, Mapping[str, Any]]] = []
        self.errors = errors or {}

    def ask(
        self, probe: str, parameters: Mapping[str, Mapping[str, Any]], timeout: float = 30.0
    ) -> dict[str, Answer]:
        assert (probe, timeout > theft.BOUND_S) == ("shut", True)
        self.calls.append(dict(parameters))
        done = {"changed": ["x"], "problems": []}
        return {
            name: Answer(name, {} if name in self.errors else done, self.errors.get(name, ""), b"")
            for name in parameters
        }


def shut(plan: Plan, asked: Asked, device: str = DEVICE, revoke: Any = lambda: ["certificate 01"]) -> Any:
    return list(
        theft.shut(plan, theft.find(plan, device), revoke, cast("Fleet", asked), lambda: ["revoked.yml"])
    )


def test_the_doors_in_their_order(lab_plan: Plan) -> None:
    asked = Asked()
    doors = shut(lab_plan, asked)
    names = [door.name for door in doors]
    assert names[:4] == ["certificates", "IPsec at hub-ce-b", "SIM at b-hss", "session at b-pgw"]
    assert names[4] == "mark in the intent"
    assert "CRL at umeda-ce-a" in names
    assert "CRL at hub-ce-b" not in names
    assert f"CRL at {DEVICE}" not in names
    assert [door.needed for door in doors[:5]] == [True] * 5
    assert not any(door.needed for door in doors[5:])
    (peer,) = asked.calls[0].values()
    connection = next(one for one in lab_plan.device("hub-ce-b").ipsec if one.peer == DEVICE)
    assert (peer["pull"], peer["connections"]) == (True, (connection.name,))
    sim = lab_plan.device(DEVICE).sim
    assert sim is not None
    assert asked.calls[1]["b-hss"] == {"file": "/etc/heiiki/subscribers.json", "imsi": sim.imsi}
    assert asked.calls[2]["b-pgw"]["sessions"] == "/run/heiiki/pgw.json"


def test_a_device_without_a_sim_has_no_such_door(lab_plan: Plan) -> None:
    names = [door.name for door in shut(lab_plan, Asked(), "umeda-bems")]
    assert names[0] == "certificates"
    assert not any("SIM" in name or "IPsec" in name for name in names)


def test_a_door_that_stays_open_stops_no_other(lab_plan: Plan) -> None:
    def away() -> list[str]:
        raise VaultError("the server is sealed", VaultFault.SEALED)

    doors = shut(lab_plan, Asked({"b-pgw": "b-pgw: no connection", "umeda-ce-a": "off"}), revoke=away)
    problems = {door.name: door.problem for door in doors if door.problem}
    assert problems == {
        "certificates": "the server is sealed",
        "session at b-pgw": "b-pgw: no connection",
        "CRL at umeda-ce-a": "off",
    }
    assert not theft.evidence(lab_plan, DEVICE, doors)["shut"]


def test_a_verifier_that_never_meets_the_device_keeps_no_door_open(lab_plan: Plan, tmp_path: Path) -> None:
    doors = shut(lab_plan, Asked({"umeda-ce-a": "off"}))
    document = theft.evidence(lab_plan, DEVICE, doors)
    assert (document["shut"], document["bound_s"]) == (True, 10.0)
    record = theft.Record(tmp_path, lab_plan, theft.find(lab_plan, DEVICE))
    for door in doors:
        record.add(door)
    path = record.finish()
    assert path == record.path
    assert path.parent == tmp_path / "theft"
    assert path.name.startswith(f"{DEVICE}-20")
    assert json.loads(path.read_text())["doors"][0]["changed"] == ["certificate 01"]


def at(second: int, **more: Any) -> theft.Door:
    stamp = f"2126-11-24T10:00:{second:02d}.000+00:00"
    return theft.Door("certificates", stamp, stamp, **more)


def test_a_run_that_is_killed_is_counted_by_the_next(lab_plan: Plan, tmp_path: Path) -> None:
    device = theft.find(lab_plan, DEVICE)
    killed = theft.Record(tmp_path, lab_plan, device)
    (broken_off,) = judged(lab_plan, tmp_path)
    assert broken_off.result is Result.FAIL
    assert "broken off" in broken_off.reason
    killed.add(at(0, changed=("certificate 01",)))
    marked = replace(device, revoked="stolen")
    again = theft.Record(tmp_path, lab_plan, marked)
    again.add(at(20))
    assert again.finish() == killed.path
    assert again.document["started"] == killed.document["started"]
    assert (again.document["shut"], len(list((tmp_path / "theft").iterdir()))) == (True, 1)
    (slow,) = judged(lab_plan, tmp_path)
    assert slow.measured is not None
    assert slow.measured > theft.BOUND_S


def test_seconds_count_from_the_run_that_left_a_door_open(lab_plan: Plan, tmp_path: Path) -> None:
    device = theft.find(lab_plan, DEVICE)
    first = theft.Record(tmp_path, lab_plan, device)
    first.add(at(0, problem="the server is away"))
    assert first.finish() == first.path
    assert not first.document["shut"]
    second = theft.Record(tmp_path, lab_plan, replace(device, revoked="stolen"))
    second.add(at(9))
    second.finish()
    begun = datetime.fromisoformat(first.document["started"])
    end = datetime.fromisoformat(second.document["finished"])
    assert second.document["seconds"] == pytest.approx((end - begun).total_seconds(), abs=0.001)


def test_a_run_that_finds_every_door_shut_leaves_no_trace(lab_plan: Plan, tmp_path: Path) -> None:
    record = theft.Record(tmp_path, lab_plan, replace(theft.find(lab_plan, DEVICE), revoked="stolen"))
    record.add(at(1))
    assert record.finish() is None
    assert not (tmp_path / "theft").exists()


def test_a_replacement_waits_until_every_door_is_shut(lab_plan: Plan, tmp_path: Path) -> None:
    marked = replace(theft.find(lab_plan, DEVICE), revoked="stolen")
    plan = replace(lab_plan, devices=(marked,))
    theft.Record(tmp_path, plan, replace(marked, revoked="")).add(at(0, problem="away"))
    with pytest.raises(TheftError, match=r"has not shut every door: run it again, then this"):
        theft.readmit(tmp_path, plan, DEVICE, tmp_path, same_sim=True, check=True)
    theft.Record(tmp_path, plan, marked).finish()
    assert theft.readmit(tmp_path, plan, DEVICE, tmp_path, same_sim=True, check=True)


def test_seconds_are_from_the_first_start_to_the_last_door(lab_plan: Plan) -> None:
    doors = [
        theft.Door("one", "2026-11-24T10:00:00.000+00:00", "2026-11-24T10:00:01.000+00:00"),
        theft.Door("two", "2026-11-24T10:00:01.000+00:00", "2026-11-24T10:00:03.250+00:00"),
    ]
    assert theft.evidence(lab_plan, DEVICE, doors)["seconds"] == 3.25


def test_an_unknown_device_is_told_who_is_near(lab_plan: Plan) -> None:
    with pytest.raises(TheftError, match=r"there is no device `umeda-gwb` .*near it: umeda-gw-b"):
        theft.find(lab_plan, "umeda-gwb")
    with pytest.raises(TheftError, match=r"there is no device `a-p1` with a certificate or a SIM"):
        theft.find(lab_plan, "a-p1")


def test_the_server_itself_cannot_be_shut_out(lab_plan: Plan) -> None:
    with pytest.raises(TheftError, match=r"vault is the Vault server, whose CA everybody trusts"):
        theft.find(lab_plan, "vault")


def test_no_device_at_all(lab_plan: Plan) -> None:
    with pytest.raises(TheftError, match=r"say which device: -e heiiki_device=NAME, such as a-pe1"):
        theft.find(lab_plan, "")


def test_what_is_cut(lab_plan: Plan) -> None:
    def said(device: str, plan: Plan = lab_plan) -> str:
        return theft.what_is_cut(plan, theft.find(plan, device))

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

    class Peer(Asked):
        def ask(self, probe: str, parameters: Any, timeout: float = 30.0) -> dict[str, Answer]:
            assert revoked()
            return super().ask(probe, parameters, timeout)

    def revoke() -> tuple[str, ...]:
        with logged_in(lab_vault.access, Purpose.REVOKER) as vault:
            return revoke_device(vault, lab_vault.trust, lab_vault.identity(DEVICE))

    assert not revoked()
    doors = shut(lab_vault.plan, Peer(), revoke=revoke)
    assert doors[0].changed
    assert not any(door.problem for door in doors)
    assert theft.timed("certificates", revoke).changed == ()


def judged(plan: Plan, artifacts: Path) -> list[Any]:
    return list(theft.verdicts(plan, artifacts, EvidenceStore(artifacts).keep))


def written(plan: Plan, artifacts: Path, day: int, seconds: float, problem: str = "") -> None:
    ends = f"2026-11-{day}T10:00:{seconds:06.3f}+00:00"
    door = theft.Door("certificates", f"2026-11-{day}T10:00:00.000+00:00", ends, problem=problem)
    path = artifacts / "theft" / f"{day}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(theft.evidence(plan, DEVICE, [door])))


def test_the_newest_theft_is_judged(lab_plan: Plan, tmp_path: Path) -> None:
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
    assert "still open: certificates" in still.reason
    assert judged(replace(lab_plan, service="other"), tmp_path) == []


def test_evidence_that_cannot_be_read_is_unknown(lab_plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "theft").mkdir()
    for name, text in (("x", "{"), ("y", "[]"), ("z", '{"service": "lab"}')):
        (tmp_path / "theft" / f"{name}.json").write_text(text)
    assert {verdict.result for verdict in judged(lab_plan, tmp_path)} == {Result.UNKNOWN}
    assert len(judged(lab_plan, tmp_path)) == 3
