"""What runs against what was compiled: by file, by meaning, and unknown where it cannot be read."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import heiiki.render
from heiiki.plan.model import Plan
from heiiki.render.model import DeviceBuild, RenderedFile, Service
from heiiki.requirements import Result, Stage
from heiiki.requirements.verdict import Evidence
from heiiki.verify import probes
from heiiki.verify.config import reads
from heiiki.verify.config import running as configuration
from heiiki.verify.fleet import Answer
from heiiki.verify.probes import running
from heiiki.verify.routing import frr

Keep = Callable[[str, bytes], Evidence]
FILE = RenderedFile(
    "/etc/frr/frr.conf", "x\n", "0640", "frr", service="frr", requirements=("R-GAP", "R-AVAIL")
)
UNIT = RenderedFile("/etc/frr/daemons", "y\n", "0640", "frr", service="frr")
BUILD = DeviceBuild("x", (FILE, UNIT), ())


def verdicts(
    plan: Plan,
    kept: Keep,
    different: Any = None,
    unreadable: Any = None,
    error: str = "",
    show: str = "x\n",
    *,
    keys: Any = None,
    build: DeviceBuild = BUILD,
) -> list[tuple[str, Result, str]]:
    shown = {"/etc/frr/frr.conf": {"rc": 0 if show else 1, "out": show, "err": "vtysh: no"}}
    said = {
        "different": different or {},
        "unreadable": unreadable or {},
        "shown": shown,
        "keys": {"/etc/frr/frr.conf": keys or {"other": [], "unsigned": []}},
        "filter": {},
        "health": {},
        "units": {},
        "reads": {},
    }
    data = {} if error else said
    found = list(configuration.of_device(plan.device("hub-ce-a"), build, Answer("x", data, error, b""), kept))
    assert all(one.stage is Stage.CONFIG and one.subject == "x" for one in found)
    return [(one.requirement, one.result, one.reason) for one in found]


def test_a_device_as_compiled_passes_each_requirement_of_the_stage(plan: Plan, kept: Keep) -> None:
    assert verdicts(plan, kept) == [("R-GAP", Result.PASS, "as compiled: /etc/frr/frr.conf")]


def test_a_difference_fails_and_is_shown(plan: Plan, kept: Keep) -> None:
    assert verdicts(plan, kept, {"/etc/frr/frr.conf": ["FRR runs something else: missing: bfd"]}) == [
        ("R-GAP", Result.FAIL, "/etc/frr/frr.conf FRR runs something else: missing: bfd")
    ]


def test_what_frr_runs_counts_and_not_only_its_file(plan: Plan, kept: Keep) -> None:
    assert verdicts(plan, kept, show="x\nz\n") == [
        ("R-GAP", Result.FAIL, "/etc/frr/frr.conf, running: too much: z")
    ]
    assert verdicts(plan, kept, show="")[0][1] is Result.UNKNOWN


def test_another_file_of_the_same_service_counts_too(plan: Plan, kept: Keep) -> None:
    assert verdicts(plan, kept, {"/etc/frr/daemons": ["is missing"]})[0][1] is Result.FAIL


def test_what_cannot_be_read_is_unknown(plan: Plan, kept: Keep) -> None:
    assert verdicts(plan, kept, None, {"/etc/frr/frr.conf": ["frr-reload: gone"]})[0][1] is Result.UNKNOWN
    assert verdicts(plan, kept, error="x: not reachable") == [("R-GAP", Result.UNKNOWN, "x: not reachable")]


def test_a_secret_is_matched_around_and_never_sent(tmp_path: Any) -> None:
    content = '{"imsi": "440", "k": "{{secret:sim/440:k}}", "apns": ["a"]}\n'
    asked = configuration._file(RenderedFile("/etc/s.json", content, "0600", secret=True))
    assert "secret" not in asked["pattern"]
    assert running._same(asked, b'{"imsi": "440", "k": "00ff", "apns": ["a"]}\n')
    assert not running._same(asked, b'{"imsi": "441", "k": "00ff", "apns": ["a"]}\n')
    assert not running._same(asked, b'{"imsi": "440", "k": "", "apns": ["a"]}\n')


def test_every_requirement_of_the_stage_is_held_by_some_device(plan: Plan, kept: Keep) -> None:
    answer = Answer(
        "x",
        {
            "different": {},
            "unreadable": {},
            "shown": {},
            "keys": {},
            "filter": {},
            "health": {},
            "units": {},
            "reads": {},
        },
        "",
        b"",
    )
    found = [
        verdict
        for build in heiiki.render.compile_plan(plan)
        for verdict in configuration.of_device(plan.device(build.device), build, answer, kept)
    ]
    assert {one.requirement for one in found} >= {
        "R-GAP",
        "R-DUAL",
        "R-ISO-GROUP",
        "R-ISO-SITE",
        "R-ISO-MALICE",
        "R-ISO-MALICE/control",
    }
    asked = [configuration.question(build) for build in heiiki.render.compile_plan(plan)]
    assert any(one["shown"] for one in asked)
    assert all(path for one in asked for path, _ in one["health"])


CONTROL = "R-ISO-MALICE/control"
KEYED = DeviceBuild("x", (replace(FILE, requirements=("R-GAP", CONTROL)),), ())


def test_a_session_by_another_key_or_none_fails_its_requirement_alone(plan: Plan, kept: Keep) -> None:
    line = "router bgp 1 / neighbor 10.0.0.1 password (hidden)"
    for keys, why in (
        ({"other": [line], "unsigned": []}, f"running: another key than the file's: {line}"),
        ({"other": [], "unsigned": ["10.0.0.1"]}, "a session with 10.0.0.1 is not signed"),
    ):
        (_, gap, _), (name, control, reason) = verdicts(plan, kept, keys=keys, build=KEYED)
        assert (gap, name, control) == (Result.PASS, CONTROL, Result.FAIL)
        assert reason == f"/etc/frr/frr.conf, {why}"


def test_keys_that_cannot_be_compared_are_unknown(plan: Plan, kept: Keep) -> None:
    found = verdicts(plan, kept, keys={"error": "ss does not say"}, build=KEYED)
    assert {result for _, result, _ in found} == {Result.UNKNOWN}


def test_keys_never_leave_the_device(tmp_path: Path) -> None:
    file, canary, other = tmp_path / "frr.conf", "canary-1f2e", "canary-9a8b"
    text = "router bgp 1\n neighbor 10.0.0.1 password {}\n neighbor 10.0.0.2 password same\nexit\n"
    file.write_text(text.format(canary))
    show = ["printf", text.format(other)]
    socket = f"0 0 10.0.0.9:179 10.0.0.1:4711\n\t ts md5keys:10.0.0.1/32={other}\n"
    asked = {"files": [], "shown": [[str(file), show, ["printf", socket]]], "nftables": [], "health": []}
    said = running.main(asked | {"units": []})
    assert said["keys"][str(file)] == {
        "other": ["router bgp 1 / neighbor 10.0.0.1 password (hidden)"],
        "unsigned": ["10.0.0.1"],
    }
    assert "canary" not in json.dumps(said)


def test_a_device_without_programs_of_ours_answers_too() -> None:
    """The home subscriber server has no application of ours, and no router."""
    asked = {"files": [], "shown": [], "nftables": [], "health": [], "units": []}
    text = probes.program("running", asked)
    done = subprocess.run([sys.executable, "-I", "-S", "-"], input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["keys"] == {}


INTENDED = """!
bfd
 profile active
  detect-multiplier 3
  receive-interval 300
  transmit-interval 200
 exit
exit
!
router bgp 64601 vrf second
 address-family ipv4 unicast
  rt vpn import 64601:3
  rt vpn export 64601:3
 exit-address-family
exit
!
route-map ACCEPT permit 10
 match ip address prefix-list HUB
exit
"""

RUNNING = """frr version 10.3
hostname x
!
route-map ACCEPT permit 10
 match ip address prefix-list HUB
exit
!
vrf second
exit-vrf
!
router bgp 64601 vrf second
 !
 address-family ipv4 unicast
  rt vpn both 64601:3
 exit-address-family
exit
!
bfd
 profile active
  transmit-interval 200
 exit
 !
exit
!
end
"""


def test_order_defaults_and_short_forms_are_no_difference() -> None:
    assert frr.differences(INTENDED, RUNNING) == ([], [])


def test_a_changed_timer_and_a_lost_rule_are_differences_in_their_context() -> None:
    drifted = RUNNING.replace("transmit-interval 200", "receive-interval 900").replace(
        " match ip", " match ipv6"
    )
    assert frr.differences(INTENDED, drifted) == (
        [
            ("bfd", "profile active", "transmit-interval 200"),
            ("route-map ACCEPT permit 10", "match ip address prefix-list HUB"),
        ],
        [
            ("bfd", "profile active", "receive-interval 900"),
            ("route-map ACCEPT permit 10", "match ipv6 address prefix-list HUB"),
        ],
    )


def test_the_same_line_in_another_context_is_a_difference() -> None:
    assert frr.differences("router a\n x\n", "router b\n x\n") == ([("router a", "x")], [("router b", "x")])


def nft(*rules: str, handle: int = 1) -> str:
    objects: list[dict[str, Any]] = [
        {"metainfo": {"version": "1.1.3"}},
        {"table": {"family": "inet", "name": "heiiki", "handle": handle}},
        {"counter": {"family": "inet", "name": "spoofed", "table": "heiiki", "handle": 2, "packets": handle}},
    ]
    objects += [
        {"rule": {"family": "inet", "table": "heiiki", "handle": handle, "expr": [rule]}} for rule in rules
    ]
    return json.dumps({"nftables": objects})


def test_packet_filters_are_compared_without_handles_and_counts() -> None:
    only = running.tables(nft())
    assert running.ruleset(nft("a", "b"), None) == running.ruleset(nft("a", "b", handle=9), only)
    assert running.ruleset(nft("a", "b"), None) != running.ruleset(nft("b", "a"), only)
    other = {"table": {"family": "ip", "name": "other", "handle": 5}}
    more = json.dumps({"nftables": [*json.loads(nft("a"))["nftables"], other]})
    assert running.ruleset(more, only) == running.ruleset(nft("a"), None)


def test_what_a_set_learned_from_packets_is_no_difference() -> None:
    def learned(flags: list[str], *addresses: str) -> str:
        one = {"family": "inet", "table": "heiiki", "name": "rate", "flags": flags, "elem": list(addresses)}
        return json.dumps({"nftables": [{"set": one}]})

    assert running.ruleset(learned(["dynamic"], "10.0.0.1"), None) == running.ruleset(
        learned(["dynamic"]), None
    )
    assert running.ruleset(learned(["interval"], "10.0.0.1"), None) != running.ruleset(
        learned(["interval"]), None
    )


@pytest.mark.parametrize(("content", "kind"), [(b"x\n", ""), (b"z\n", "different"), (None, "different")])
def test_files_are_read(tmp_path: Any, content: bytes | None, kind: str) -> None:
    path = tmp_path / "frr.conf"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o640)
    wanted = configuration._file(RenderedFile(str(path), "x\n", "0640", path.owner() if content else "root"))
    assert running._file(wanted)[0] == kind


VRRP = RenderedFile("/etc/keepalived/keepalived.conf", "x", service="keepalived", requirements=("R-GAP",))
LINKS = RenderedFile("/etc/heiiki/links.json", "x", service="heiiki-links", requirements=("R-GAP", "R-DUAL"))
PROGRAMS = DeviceBuild(
    "umeda-gw-b",
    (VRRP, LINKS),
    (
        Service("keepalived", health=("heiiki-agent", "vrrp", "status")),
        Service("heiiki-links", health=("heiiki-agent", "links", "check")),
    ),
)
STANDBY = {
    "name": "lan",
    "state": "BACKUP",
    "interface": "lan0",
    "virtual_interface": "lan0-v",
    "router_id": 51,
    "priority": 100,
    "advert_ms": 300.0,
    "preempt": "enabled",
    "preempt_delay_s": 2.0,
    "addresses": ["10.16.1.17"],
    "tracks": ["/run/heiiki/vrrp_fault"],
}


def programs(
    plan: Plan,
    kept: Keep,
    keepalived: str = "active",
    links: str = "active",
    vrrp: Any = (STANDBY,),
    change: str = "",
    systemd: int = 0,
) -> dict[str, tuple[Result, str]]:
    """The verdicts on a standby gateway whose programs say this of themselves."""
    units = (
        f"Id=keepalived.service\nActiveState={keepalived}\n\nId=heiiki-links.service\nActiveState={links}\n"
    )
    health = {
        VRRP.path: {"rc": 0, "out": json.dumps(vrrp), "err": ""},
        LINKS.path: {"rc": 1 if change else 0, "out": change, "err": ""},
    }
    said = {"rc": systemd, "out": "" if systemd else units, "err": "no bus" if systemd else ""}
    data = {"different": {}, "unreadable": {}, "shown": {}, "keys": {}, "filter": {}, "health": health}
    data |= {"units": said, "reads": dict.fromkeys(("keepalived", "heiiki-links"), reads.NOT_READ)}
    found = configuration.of_device(
        plan.device("umeda-gw-b"), PROGRAMS, Answer("umeda-gw-b", data, "", b""), kept
    )
    return {one.requirement: (one.result, one.reason) for one in found}


def test_programs_that_run_as_planned_pass(plan: Plan, kept: Keep) -> None:
    assert {result for result, _ in programs(plan, kept).values()} == {Result.PASS}
    asked = configuration.question(PROGRAMS)
    assert asked["units"][-2:] == ["keepalived.service", "heiiki-links.service"]


@pytest.mark.parametrize("dead", ["keepalived", "links"])
def test_a_program_that_died_fails_what_its_file_holds(plan: Plan, kept: Keep, dead: str) -> None:
    found = programs(plan, kept, **{dead: "failed"})
    assert found["R-GAP"][0] is Result.FAIL
    assert "does not run: failed" in found["R-GAP"][1]
    assert found["R-DUAL"][0] is (Result.FAIL if dead == "links" else Result.PASS)


@pytest.mark.parametrize(
    ("key", "value"), [("priority", 255.0), ("advert_ms", 1000.0), ("addresses", []), ("preempt", "disabled")]
)
def test_a_program_that_runs_with_other_values_than_its_file_fails(
    plan: Plan, kept: Keep, key: str, value: Any
) -> None:
    result, reason = programs(plan, kept, vrrp=[{**STANDBY, key: value}])["R-GAP"]
    assert result is Result.FAIL
    assert f"{key} is {value}" in reason


def test_an_interface_that_is_not_as_planned_says_nothing_of_timers(plan: Plan, kept: Keep) -> None:
    found = programs(plan, kept, change="address del 10.16.1.30/32 dev lan0")
    assert {name: result for name, (result, _) in found.items()} == {
        "R-GAP": Result.PASS,
        "R-DUAL": Result.FAIL,
    }


def test_what_systemd_or_a_program_does_not_say_is_unknown(plan: Plan, kept: Keep) -> None:
    assert {result for result, _ in programs(plan, kept, systemd=1).values()} == {Result.UNKNOWN}
    assert programs(plan, kept, vrrp=[{}])["R-GAP"][0] is Result.FAIL
    assert programs(plan, kept, vrrp=None)["R-GAP"][0] is Result.UNKNOWN


NFT = RenderedFile(
    "/etc/nftables.conf", "x", service="nftables", requirements=("R-ISO-SITE", "R-ISO-CARRIER")
)
FILTERED = DeviceBuild("hub-ce-a", (NFT,), (Service("nftables"),))


def in_force(plan: Plan, kept: Keep, found: Any, error: str = "") -> dict[str, Result]:
    data = {} if error else {"filter": {"/etc/nftables.conf": found}}
    answer = Answer("hub-ce-a", data, error, b"")
    verdicts = list(configuration.in_force(plan.device("hub-ce-a"), FILTERED, answer, kept))
    assert {one.stage for one in verdicts} == {Stage.LIVE}
    return {one.requirement: one.result for one in verdicts}


def test_the_rules_that_the_kernel_has_are_a_live_verdict_of_what_they_hold(plan: Plan, kept: Keep) -> None:
    forward = {"chain": {"family": "inet", "table": "heiiki", "name": "forward"}}
    ways = (("iifname", "gre-a0017"), ("oifname", "gre-a0042"))
    named = [{"match": {"op": "==", "left": {"meta": {"key": key}}, "right": name}} for key, name in ways]
    opened = {"family": "inet", "table": "heiiki", "chain": "forward", "comment": "ipsec"}
    planted = {"rule": {**opened, "expr": [*named, {"accept": None}]}}
    site, carrier = "R-ISO-SITE", "R-ISO-CARRIER"
    assert in_force(plan, kept, {}) == {site: Result.PASS, carrier: Result.PASS}
    found = in_force(plan, kept, {"wanted": [forward], "there": [forward, planted]})
    assert found == {site: Result.FAIL, carrier: Result.PASS}
    assert set(in_force(plan, kept, {"error": "nft: no"}).values()) == {Result.UNKNOWN}
    assert set(in_force(plan, kept, {}, "hub-ce-a: not reachable").values()) == {Result.UNKNOWN}


def test_the_kernel_is_compared_with_what_was_compiled_and_not_with_the_devices_file() -> None:
    assert configuration.question(FILTERED)["nftables"] == [["/etc/nftables.conf", "x"]]
