"""Whom the REST API lets in, from what came of each attempt."""

import ast
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from two_dras import with_two

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Identity
from heiiki.requirements import Result, Verdict
from heiiki.verify.ipsec.test_certificates import foreign
from heiiki.verify.probes import rest as probe
from heiiki.verify.rest import access

SAID = {
    "no certificate": ("tls", "tlsv13 alert certificate required"),
    "TLS 1.1": ("tls", "tlsv1 alert protocol version"),
    "foreign CA": ("tls", "tlsv1 alert unknown ca"),
    "expired certificate": ("tls", "sslv3 alert certificate expired"),
    "revoked certificate": ("tls", "sslv3 alert certificate revoked"),
    "a device's certificate": ("http", '{"detail": "namba-erc: is no ESP of this service"}'),
    "another ESP's site": ("http", '{"detail": "site: namba: denki may not address it"}'),
}
GOOD = "its own certificate"


class Authority:
    """Makes certificates that look like the service's own."""

    def __init__(self) -> None:
        self.signed: list[str] = []
        self.revoked: list[int] = []

    def sign(self, identity: Identity, _csr: str, _life: str) -> str:
        self.signed.append(identity.device)
        return foreign(identity).certificate

    def revoke(self, _certificate: str) -> None:
        self.revoked.append(len(self.signed))


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heiiki.verify.ipsec.test_certificates.time.sleep", lambda _: None)


def came(name: str) -> dict[str, Any]:
    versions = ("TLS 1.1",) if name == "TLS 1.1" else ("TLS 1.2", "TLS 1.3")
    if name == GOOD:
        return {version: {"stage": "http", "status": 200, "cause": "{}"} for version in versions}
    stage, cause = SAID[name]
    status = {"status": 403} if stage == "http" else {}
    return {version: {"stage": stage, "cause": cause, **status} for version in versions}


def judged(
    plan: Plan,
    fleet_of: Any,
    kept: Any,
    changes: dict[str, Any] | None = None,
    *,
    authority: Authority | None = None,
    barred: str = "",
    pull: int = 0,
    dead: tuple[str, ...] = (),
) -> tuple[dict[str, Verdict], dict[str, Any]]:
    asked: dict[str, Any] = {}

    def reply(device: str, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        asked[f"{name} {device}"] = parameters
        if name == "read":
            done = {"rc": pull, "out": "", "err": "Vault is away"}
            return {"commands": {"pull": done, "roots": {"rc": 0, "out": "PEM", "err": ""}}}
        return {
            "attempts": {one["name"]: came(one["name"]) for one in parameters["attempts"]} | (changes or {})
        }

    verdicts = access.verdicts(plan, fleet_of(reply, dead), kept, authority or Authority(), barred)
    found = {one.subject.partition(":")[0]: one for one in verdicts}
    assert {one.requirement for one in found.values()} == {"R-SEC-ACCESS/rest"}
    assert [one.subject for one in found.values()] == list(access.subjects(plan))
    return found, asked


def test_what_was_refused_for_its_reason_passes(plan: Plan, fleet_of: Any, kept: Any) -> None:
    authority = Authority()
    found, asked = judged(plan, fleet_of, kept, authority=authority)
    assert {name: one.result for name, one in found.items()} == dict.fromkeys(SAID, Result.PASS)
    assert found["another ESP's site"].reason == (
        "refused (TLS 1.2: status 403; TLS 1.3: status 403); the ESP's own certificate was answered after "
        "it, for a site of its own"
    )
    place = asked["rest esp-denki"]
    assert (place["address"], place["port"], place["name"], place["trust"]) == (
        "10.15.0.4",
        8444,
        "dras.lab.internal",
        "PEM",
    )
    tries = {one["name"]: one for one in place["attempts"]}
    assert list(tries)[-1] == GOOD
    assert "key" not in tries["no certificate"]
    assert tries["another ESP's site"]["path"] == "/v1/sites/namba/opts?limit=1"
    assert tries[GOOD]["path"] == "/v1/sites/umeda/opts?limit=1"
    assert tries["another ESP's site"]["key"] == tries[GOOD]["key"]
    # The system that was tried for counts as revoked when its newest certificate is.
    assert authority.signed[-1] == "esp-denki"
    assert authority.revoked < [len(authority.signed)]


@pytest.mark.parametrize("name", SAID)
def test_who_was_let_in_by_either_version_fails(plan: Plan, fleet_of: Any, kept: Any, name: str) -> None:
    for version in came(name):
        inside = {"stage": "http", "status": 200, "cause": "{}"}
        found, _ = judged(plan, fleet_of, kept, {name: came(name) | {version: inside}})
        assert (found[name].result, found[name].reason) == (Result.FAIL, f"{version}: answered")
        assert sum(one.result is Result.FAIL for one in found.values()) == 1


@pytest.mark.parametrize("name", SAID)
def test_what_was_refused_for_another_reason_is_unknown(
    plan: Plan, fleet_of: Any, kept: Any, name: str
) -> None:
    other = {version: {"stage": "tcp", "cause": "timed out"} for version in came(name)}
    found, _ = judged(plan, fleet_of, kept, {name: other})
    assert found[name].result is Result.UNKNOWN
    assert "refused for another reason" in found[name].reason


def test_an_api_that_lets_nobody_in_has_refused_nothing(plan: Plan, fleet_of: Any, kept: Any) -> None:
    shut = {version: {"stage": "http", "status": 500, "cause": "failed here"} for version in came(GOOD)}
    found, _ = judged(plan, fleet_of, kept, {GOOD: shut})
    assert {one.result for one in found.values()} == {Result.UNKNOWN}
    assert "its own certificate was not answered either" in found["TLS 1.1"].reason


def test_a_revoked_one_that_was_let_in_tells_of_a_server_without_the_list(
    plan: Plan, fleet_of: Any, kept: Any
) -> None:
    found, _ = judged(plan, fleet_of, kept, {"revoked certificate": came(GOOD)}, pull=1)
    assert found["revoked certificate"].reason.endswith("dras could not fetch the CRL: Vault is away")


def test_without_certificates_nothing_is_tried(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, asked = judged(plan, fleet_of, kept, barred="in a lab only")
    assert {(one.result, one.reason) for one in found.values()} == {(Result.UNKNOWN, "in a lab only")}
    assert not asked


def test_a_host_that_was_not_reached_is_named(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found, _ = judged(plan, fleet_of, kept, dead=("esp-denki",))
    assert {(one.result, one.reason) for one in found.values()} == {
        (Result.UNKNOWN, "esp-denki: not reachable")
    }


def test_where_every_esp_has_every_site_nothing_of_anothers_is_tried(
    plan: Plan, fleet_of: Any, kept: Any, lab_inventory: Path, tmp_path: Path
) -> None:
    shutil.copytree(lab_inventory, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "service.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("sites: [umeda]", "sites: [all]"), encoding="utf-8")
    found, _ = judged(build(load(tmp_path)), fleet_of, kept)
    assert "another ESP's site" not in found
    assert len(found) == len(SAID) - 1
    dras = plan.device("dras")
    assert dras.vtn
    shut = replace(dras, vtn=replace(dras.vtn, rest=None))
    others = tuple(shut if one is dras else one for one in plan.devices)
    assert access.subjects(replace(plan, devices=others)) == ()


def test_the_probe_needs_nothing_of_ours() -> None:
    assert probe.__file__
    tree = ast.parse(Path(probe.__file__).read_text(encoding="utf-8"))
    named = {one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
    named |= {name.name for one in ast.walk(tree) if isinstance(one, ast.Import) for name in one.names}
    assert not [name for name in named if name.startswith("heiiki")]


@pytest.mark.parametrize(("writer", "address"), [("dras", "10.15.0.4"), ("dras-2", "10.15.0.9")])
def test_of_two_hosts_it_is_tried_at_the_one_that_answers(
    fleet_of: Any, kept: Any, writer: str, address: str
) -> None:
    places: list[tuple[str, str]] = []

    def reply(device: str, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if name == "rest":
            places.append((parameters["address"], parameters["name"]))
            return {"attempts": {one["name"]: came(one["name"]) for one in parameters["attempts"]}}
        if "health" in parameters["commands"]:
            state = {
                "host": device,
                "peer": "other",
                "writer": writer,
                "epoch": 2,
                "counts": True,
                "problem": None,
            }
            vtn = {"problem": None, "silent_s": {}, "doubled": state}
            out = json.dumps({"pid": 7, "due": 1.0, "vtns": {"LAB": vtn}})
            return {"commands": {"health": {"rc": 0, "out": out, "err": ""}}}
        done = {"rc": 0, "out": "PEM", "err": ""}
        return {"commands": {"pull": done, "roots": done}}

    two = with_two()
    found = list(access.verdicts(two, fleet_of(reply), kept, Authority()))  # type: ignore[arg-type]
    assert {one.result for one in found} == {Result.PASS}
    assert [one.subject for one in found] == list(access.subjects(two))
    assert found[0].subject == "no certificate: dras or dras-2 by REST"
    assert places == [(address, f"{writer}.lab.internal")]
