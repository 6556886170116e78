"""Security associations: what daemon and kernel say at both ends, against the plan."""

# ruff: noqa: E101 - iproute2 prints tabs and spaces

import json
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from heiiki.design.associations import associations as planned
from heiiki.plan.model import Plan
from heiiki.requirements import Result, Stage, Verdict
from heiiki.verify.fleet import Answer
from heiiki.verify.ipsec import associations

STATE = """\
src {0} dst {1}
	proto esp spi 0x{2}(3351366950) reqid 1(0x00000001) mode {4}
	replay-window 0 seq 0x00000000 flag  (0x00000000)
	aead rfc4106(gcm(aes)) 0x00 128
	lifetime config:
	  limit: soft (INF)(bytes), hard (INF)(bytes)
	lifetime current:
	  5340(bytes), {5}(packets)
	  add 2026-11-24 13:00:00 use 2026-11-24 13:00:00
	stats:
	  replay-window 0 replay 0 failed 0
src {1} dst {0}
	proto esp spi 0x{3}(3351366951) reqid 1(0x00000001) mode {4}
	replay-window 1024 seq 0x00000000 flag  (0x00000000)
	lifetime current:
	  5340(bytes), {5}(packets)
	stats:
	  replay-window 0 replay 0 failed 0
"""
POLICY = """\
src {0} dst {1} {6}
	dir out priority 366975 ptype main
	tmpl src {2} dst {3}
		proto esp spi 0xc7c1d7e6 reqid 1 mode {4}
{5}src {1} dst {0} {6}
	dir in priority 366975 ptype main
	tmpl src {3} dst {2}
		proto esp reqid 1 mode {4}
{5}src 0.0.0.0/0 dst 0.0.0.0/0
	socket in priority 0 ptype main
"""


def association(plan: Plan, subject: str) -> Any:
    return next(one for one in planned(plan) if one.subject == subject)


def answers(plan: Plan, subject: str) -> tuple[dict[str, Answer], dict[str, Answer]]:
    """What both ends answer when everything is as planned."""
    one = association(plan, subject)
    daemon, kernel = {}, {}
    for side, spis in zip(one.sides, (("c1", "c2"), ("c2", "c1")), strict=True):
        wanted = side.connection
        local, remote = (associations.selector(wanted.selector, local=here) for here in (True, False))
        child = {
            "name": wanted.name,
            "state": "INSTALLED",
            "mode": wanted.mode.upper(),
            "protocol": "ESP",
            "spi-out": f"{spis[0]}000000",
            "spi-in": f"{spis[1]}000000",
            "encr-alg": "AES_GCM_16",
            "encr-keysize": "256",
            "local-ts": [local],
            "remote-ts": [remote],
        }
        if wanted.if_id:
            child["if-id-out"] = f"{wanted.if_id:08x}"
        sa = {
            "uniqueid": "1",
            "version": "2",
            "state": "ESTABLISHED",
            "local-host": str(wanted.local),
            "remote-host": str(wanted.remote),
            "local-id": wanted.local_id,
            "remote-id": wanted.remote_id,
            "encr-alg": "AES_GCM_16",
            "encr-keysize": "256",
            "prf-alg": "PRF_HMAC_SHA2_384",
            "dh-group": "ECP_256",
            "child-sas": {f"{wanted.name}-1": child},
        }
        rounds = {
            f"{kind}-1": {"class": "public key", "id": name}
            for kind, name in (("local", wanted.local_id), ("remote", wanted.remote_id))
        }
        rounds["remote-1"]["revocation"] = "GOOD"
        conn = {
            "local_addrs": [str(wanted.local)],
            "remote_addrs": [str(wanted.remote)],
            "version": "IKEv2",
            "dpd_delay": str(plan.timers.ike.dpd_delay_s),
            "rekey_time": str(plan.timers.ike.rekey_ike_s),
            **rounds,
            "children": {
                wanted.name: {
                    "mode": wanted.mode.upper(),
                    "rekey_time": str(plan.timers.ike.rekey_esp_s),
                    "local-ts": [local],
                    "remote-ts": [remote],
                }
            },
        }
        daemon[side.device] = Answer(
            side.device,
            {
                "sas": [{wanted.name: sa}],
                "conns": [{wanted.name: conn}],
                "shared": {"keys": []},
                "stats": {"plugins": list(PLUGINS)},
            },
            "",
            b"",
        )
        kernel[side.device] = Answer(side.device, {"commands": _kernel(wanted, spis)}, "", b"")
    return daemon, kernel


def _kernel(wanted: Any, spis: tuple[str, str]) -> dict[str, Any]:
    state = STATE.format(wanted.local, wanted.remote, f"{spis[0]}000000", f"{spis[1]}000000", wanted.mode, 12)
    policy = POLICY.format(
        wanted.selector.local,
        wanted.selector.remote,
        wanted.local,
        wanted.remote,
        wanted.mode,
        f"\tif_id {wanted.if_id:#x}\n" if wanted.if_id else "",
        "proto gre" if wanted.selector.protocol else "",
    )
    return {name: {"rc": 0, "out": out, "err": ""} for name, out in (("state", state), ("policy", policy))}


def judged(plan: Plan, subject: str, change: Any = None) -> Verdict:
    daemon, kernel = answers(plan, subject)
    daemon, kernel = deepcopy(daemon), deepcopy(kernel)
    if change:
        change(daemon, kernel)
    return associations.of_association(association(plan, subject), plan.pki.suite, daemon, kernel, ())


PLUGINS = (
    *("charon-systemd", "openssl", "nonce", "pem", "pkcs1", "pkcs8", "x509", "pubkey", "revocation"),
    *("constraints", "kernel-netlink", "socket-default", "vici"),
)
SITE, LINE = "umeda-gw-b to hub-ce-b", "hub-ce-b to b-edge"


@pytest.mark.parametrize("subject", [SITE, LINE, "namba-gw to hub-ce-a"])
def test_an_association_as_planned_is_a_pass(plan: Plan, subject: str) -> None:
    verdict = judged(plan, subject)
    assert (verdict.result, verdict.subject) == (Result.PASS, subject)
    assert "AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_256" in verdict.reason
    assert "24 packets in ESP" in verdict.reason


def ike(device: str, key: str, value: str) -> Any:
    def change(daemon: Any, _kernel: Any) -> None:
        ((sa,),) = (one.values() for one in daemon[device].data["sas"])
        sa[key] = value

    return change


def child(device: str, key: str, value: Any) -> Any:
    def change(daemon: Any, _kernel: Any) -> None:
        ((sa,),) = (one.values() for one in daemon[device].data["sas"])
        (esp,) = sa["child-sas"].values()
        esp[key] = value

    return change


def kernel_text(device: str, command: str, old: str, new: str) -> Any:
    def change(_daemon: Any, kernel: Any) -> None:
        said = kernel[device].data["commands"][command]
        assert old in said["out"]
        said["out"] = said["out"].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (ike("hub-ce-b", "state", "CONNECTING"), "hub-ce-b: s0017 is not up: no IKE SA"),
        (ike("hub-ce-b", "child-sas", {}), "hub-ce-b: s0017 is not up: no ESP SA"),
        (ike("umeda-gw-b", "version", "1"), "version is 1, not 2"),
        (ike("umeda-gw-b", "remote-id", "hub-ce-a.lab.internal"), "remote-id is hub-ce-a"),
        (ike("umeda-gw-b", "prf-alg", "PRF_HMAC_SHA1"), "IKE uses"),
        (ike("umeda-gw-b", "encr-keysize", "128"), "IKE uses AES_GCM_16-128"),
        (ike("umeda-gw-b", "dh-group", "MODP_2048"), "IKE uses"),
        (child("umeda-gw-b", "mode", "TUNNEL"), "mode is TUNNEL"),
        (child("umeda-gw-b", "local-ts", ["10.112.0.17/32"]), "local-ts is"),
        (child("umeda-gw-b", "remote-ts", ["0.0.0.0/0[gre]"]), "remote-ts is"),
        (child("umeda-gw-b", "encr-alg", "NULL"), "ESP uses"),
        (child("umeda-gw-b", "dh-group", "MODP_1024"), "ESP uses"),
        (child("umeda-gw-b", "if-id-out", "00000007"), "belongs to IPsec interface"),
        (child("umeda-gw-b", "spi-out", "c9000000"), "kernel lacks an ESP state of direction out"),
        (kernel_text("umeda-gw-b", "state", "mode transport", "mode tunnel"), "states are of mode tunnel"),
        (kernel_text("umeda-gw-b", "state", " 12(packets)", " 0(packets)"), "carried no packet in"),
        (kernel_text("umeda-gw-b", "policy", "proto gre", "proto udp"), "no policy out of 10.112.0.17/32"),
        (kernel_text("umeda-gw-b", "policy", "mode transport", "mode tunnel"), "is not ESP transport"),
        (kernel_text("hub-ce-b", "policy", "dir in", "dir fwd"), "no policy in of 10.112.0.17/32"),
    ],
)
def test_anything_other_than_planned_is_a_fail(plan: Plan, change: Any, said: str) -> None:
    verdict = judged(plan, SITE, change)
    assert verdict.result is Result.FAIL
    assert said in verdict.reason


def test_a_policy_of_another_interface_is_not_the_line_s(plan: Plan) -> None:
    verdict = judged(plan, LINE, kernel_text("b-edge", "policy", "if_id 0x1", "if_id 0x9"))
    assert "no policy out of 0.0.0.0/0" in verdict.reason


def test_two_ends_of_different_associations_are_a_fail(plan: Plan) -> None:
    def change(daemon: Any, kernel: Any) -> None:
        for spi in ("c1", "c2"):
            child_of = daemon["hub-ce-b"].data["sas"][0]["s0017"]["child-sas"]["s0017-1"]
            for way in ("in", "out"):
                child_of[f"spi-{way}"] = child_of[f"spi-{way}"].replace(spi, f"d{spi[1]}")
            state = kernel["hub-ce-b"].data["commands"]["state"]
            state["out"] = state["out"].replace(f"0x{spi}", f"0xd{spi[1]}")

    verdict = judged(plan, SITE, change)
    assert verdict.result is Result.FAIL
    assert "the ends hold different ESP SAs" in verdict.reason


def test_an_end_that_does_not_answer_leaves_it_unknown(plan: Plan) -> None:
    def dead(daemon: Any, _kernel: Any) -> None:
        daemon["hub-ce-b"] = Answer("hub-ce-b", {}, "hub-ce-b: the probe failed", b"")

    def broken(_daemon: Any, kernel: Any) -> None:
        kernel["hub-ce-b"].data["commands"]["state"] |= {"rc": 1, "err": "no permission"}

    assert judged(plan, SITE, dead).result is Result.UNKNOWN
    assert "no permission" in judged(plan, SITE, broken).reason


def test_a_rekeyed_child_shows_its_own_group(plan: Plan) -> None:
    assert judged(plan, SITE, child("umeda-gw-b", "dh-group", "ECP_256")).result is Result.PASS


def loaded(plan: Plan, change: Any = None) -> list[Verdict]:
    daemon = deepcopy(answers(plan, SITE)[0])
    if change:
        change(daemon["umeda-gw-b"].data)
    return list(associations.loaded(plan.device("umeda-gw-b"), plan, daemon["umeda-gw-b"], ()))


def test_what_is_loaded_as_planned_is_a_pass_of_stage_config(plan: Plan) -> None:
    (verdict,) = loaded(plan)
    assert (verdict.requirement, verdict.stage, verdict.result) == ("R-SEC-ACCESS", Stage.CONFIG, Result.PASS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data["conns"].clear(), "hub-b is not loaded"),
        (lambda data: data["conns"].append({"other": {}}), "other is loaded, and in no plan"),
        (lambda data: data["shared"]["keys"].append("k"), "pre-shared keys are loaded"),
        (lambda data: data["stats"]["plugins"].append("eap-md5"), "plugin eap-md5 runs, and is in no plan"),
        (lambda data: data["stats"]["plugins"].remove("revocation"), "plugin revocation does not run"),
        (lambda data: data["conns"][0]["hub-b"].update(version="IKEv1/2"), "is IKEv1/2, not IKEv2"),
        (lambda data: data["conns"][0]["hub-b"].update(dpd_delay="600"), "dpd_delay is 600"),
        (
            lambda data: data["conns"][0]["hub-b"]["children"]["hub-b"].update(rekey_time="0"),
            "rekey_time is 0",
        ),
        (lambda data: data["conns"][0]["hub-b"].update(remote_addrs=["%any"]), "remote_addrs is"),
        (lambda data: data["conns"][0]["hub-b"]["remote-1"].update({"id": "%any"}), "remote authentication"),
        (
            lambda data: data["conns"][0]["hub-b"]["remote-1"].update({"class": "pre-shared key"}),
            "not a certificate of hub-ce-b",
        ),
        (lambda data: data["conns"][0]["hub-b"]["remote-1"].pop("revocation"), "cannot be looked up"),
        (lambda data: data["conns"][0]["hub-b"]["children"].clear(), "has 0 children"),
        (
            lambda data: data["conns"][0]["hub-b"]["children"]["hub-b"].update({"remote-ts": ["0.0.0.0/0"]}),
            "remote-ts is",
        ),
    ],
)
def test_what_is_loaded_otherwise_is_a_fail(plan: Plan, change: Any, said: str) -> None:
    (verdict,) = loaded(plan, change)
    assert verdict.result is Result.FAIL
    assert said in verdict.reason


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(associations, "HANDOVER_S", 0.0)


def test_every_association_and_daemon_is_asked(plan: Plan, fleet_of: Any, kept: Any) -> None:
    def reply(_device: str, probe: str, _parameters: dict[str, Any]) -> dict[str, Any]:
        nothing = {"rc": 0, "out": "", "err": ""}
        if probe == "read":
            return {"commands": {"state": nothing, "policy": nothing}}
        return {"sas": [], "conns": [], "shared": {}, "stats": {"plugins": []}}

    found = list(associations.verdicts(plan, fleet_of(reply), kept))
    assert {one.result for one in found} == {Result.FAIL}
    assert {one.subject for one in found if one.stage is Stage.LIVE} == {one.subject for one in planned(plan)}
    assert ("R-SEC-ESP", "IKE daemon of hub-ce-a") in {(one.requirement, one.subject) for one in found}


@pytest.mark.parametrize(("stale", "result"), [(1, Result.PASS), (2, Result.PASS), (3, Result.FAIL)])
def test_an_association_that_is_handed_over_while_it_is_looked_at_is_looked_at_again(
    plan: Plan, fleet_of: Any, kept: Any, stale: int, result: Result
) -> None:
    """The kernel has other SPIs than the daemon just said, in the first `stale` looks."""
    looks: Counter[tuple[str, str]] = Counter()

    def reply(device: str, probe: str, _parameters: dict[str, Any]) -> dict[str, Any]:
        looks[device, probe] += 1
        said = RECORDED.get(device, next(iter(RECORDED.values())))["kernel" if probe == "read" else "daemon"]
        if probe != "read" or looks[device, probe] > stale:
            return dict(said)
        commands = said["commands"]
        other = {**commands["state"], "out": commands["state"]["out"].replace("spi 0x", "spi 0xf")}
        return {"commands": {**commands, "state": other}}

    found = {one.subject: one for one in associations.verdicts(plan, fleet_of(reply), kept)}
    assert found[SITE].result is result


RECORDED = json.loads((Path(__file__).parent / "recorded" / "associations.json").read_text(encoding="utf-8"))
"""A site's gateway, the hub's router and the carrier's edge of a lab: strongSwan 6.0.1, iproute2 6.15."""


@pytest.mark.parametrize("subject", [SITE, LINE])
def test_what_a_lab_said_is_understood(plan: Plan, subject: str) -> None:
    daemon = {name: Answer(name, said["daemon"], "", b"") for name, said in RECORDED.items()}
    kernel = {name: Answer(name, said["kernel"], "", b"") for name, said in RECORDED.items()}
    verdict = associations.of_association(association(plan, subject), plan.pki.suite, daemon, kernel, ())
    assert verdict.result is Result.PASS, verdict.reason
    for name, answered in daemon.items():
        for found in associations.loaded(plan.device(name), plan, answered, ()):
            assert found.result is Result.PASS, found.reason


def test_no_key_is_asked_for() -> None:
    assert "nokeys" in associations.KERNEL["commands"]["state"]
    assert "Keys hidden" in RECORDED["b-edge"]["kernel"]["commands"]["state"]["out"]
