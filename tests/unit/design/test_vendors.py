"""Design verdicts on the platforms of vendors: what each lacks, by requirement, from its own file."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from vendor_service import FOLDER, mixed, router, sent_otherwise

from heiiki.design import design
from heiiki.design.subjects import subjects
from heiiki.design.vendors import ON_LINUX, REQUIREMENTS, subject
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.vendors import ENDANGERED, PLATFORMS, Need
from heiiki.render import DeviceBuild, compile_plan
from heiiki.requirements import Result, Verdict

FAIL, PASS, UNKNOWN = Result.FAIL, Result.PASS, Result.UNKNOWN

FOUND = {
    "cisco_iosxe": {
        "R-GAP": PASS,
        "R-ISO-SITE": PASS,
        "R-ISO-MALICE": PASS,
        "R-ISO-MALICE/flood": FAIL,
        "R-ISO-MALICE/control": PASS,
        "R-ISO-MALICE/layer-2": FAIL,
        "R-DUAL": FAIL,
        "R-SEC-ACCESS": FAIL,
        "R-THEFT": FAIL,
        "R-DELAY/load": UNKNOWN,
        "R-CLOSED": PASS,
    },
    "juniper_junos": {
        "R-GAP": FAIL,
        "R-ISO-SITE": PASS,
        "R-ISO-MALICE": PASS,
        "R-ISO-MALICE/flood": FAIL,
        "R-ISO-MALICE/control": PASS,
        "R-ISO-MALICE/layer-2": FAIL,
        "R-DUAL": FAIL,
        "R-SEC-ACCESS": FAIL,
        "R-THEFT": FAIL,
        "R-DELAY/load": FAIL,
        "R-CLOSED": PASS,
    },
    "yamaha_rtx": {
        "R-GAP": FAIL,
        "R-ISO-SITE": FAIL,
        "R-ISO-MALICE": PASS,
        "R-ISO-MALICE/flood": FAIL,
        "R-ISO-MALICE/control": FAIL,
        "R-ISO-MALICE/layer-2": FAIL,
        "R-DUAL": FAIL,
        "R-SEC-ACCESS": FAIL,
        "R-THEFT": FAIL,
        "R-DELAY/load": FAIL,
        "R-CLOSED": FAIL,
    },
    "nec_ix": {
        "R-GAP": FAIL,
        "R-ISO-SITE": UNKNOWN,
        "R-ISO-MALICE": UNKNOWN,
        "R-ISO-MALICE/flood": UNKNOWN,
        "R-ISO-MALICE/control": UNKNOWN,
        "R-ISO-MALICE/layer-2": UNKNOWN,
        "R-DUAL": UNKNOWN,
        "R-SEC-ACCESS": FAIL,
        "R-THEFT": UNKNOWN,
        "R-DELAY/load": FAIL,
        "R-CLOSED": UNKNOWN,
    },
}
"""What is said of each platform."""


def found(plan: Plan, builds: tuple[DeviceBuild, ...]) -> dict[tuple[str, str], Verdict]:
    return {(item.requirement, item.subject): item for item in design(plan, builds)}


def of(platform: str) -> Iterator[Verdict]:
    name, _ = router(platform)
    return (item for item in design(*mixed()) if item.subject == subject(name))


@pytest.mark.parametrize("platform", FOUND)
def test_each_requirement_has_its_verdict(platform: str) -> None:
    assert {item.requirement: item.result for item in of(platform)} == FOUND[platform]


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda one: one.name)
def test_every_need_has_a_fact_with_a_source(platform: object) -> None:
    facts = platform.facts  # type: ignore[attr-defined]
    assert set(facts) == set(Need) == set(ENDANGERED)
    for need, fact in facts.items():
        assert fact.says, need
        assert fact.source, need
        assert bool(fact.shown) or not fact.holds, f"{need}: a fact that holds shows where"


@pytest.mark.parametrize("platform", FOUND)
def test_a_fact_that_the_file_lacks_is_no_pass(platform: str) -> None:
    plan, builds = mixed()
    name, _ = router(platform)
    empty = tuple(
        replace(one, files=(replace(one.files[0], content=""),)) if one.device == name else one
        for one in builds
    )
    there = [item for item in design(plan, empty) if item.subject == subject(name)]
    assert Result.PASS not in {item.result for item in there}
    assert {item.requirement for item in there} == set(FOUND[platform])


@pytest.mark.parametrize("platform", FOUND)
def test_every_pattern_is_of_one_line_of_the_file(platform: str) -> None:
    _, text = router(platform)
    for fact in PLATFORMS[platform].facts.values():
        for pattern in fact.shown:
            assert re.search(pattern, text, re.MULTILINE), pattern


@pytest.mark.parametrize("platform", FOUND)
def test_the_reason_names_the_platform_and_the_reference(platform: str) -> None:
    for item in of(platform):
        assert item.reason.startswith(PLATFORMS[platform].title)
        assert item.reason.endswith(")")


def test_every_subject_that_is_expected_has_a_verdict_and_no_other() -> None:
    plan, builds = mixed()
    there = {key for key, item in found(plan, builds).items()}
    assert {one for one in subjects(plan) if one[1].startswith("platform of ")} == {
        key for key in there if key[1].startswith("platform of ")
    }
    assert ON_LINUX not in {about for _, about in there}


def test_one_that_is_revoked_is_sent_nothing_and_judged_as_any_other(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    mark = "devices:\n- {device: otemae-ce-a, since: 2026-11-24, reason: stolen}\n"
    (tmp_path / "revoked.yml").write_text(mark, encoding="utf-8")
    plan = build(load(tmp_path))
    builds = tuple(compile_plan(plan))
    assert "otemae-ce-a" not in {one.device for one in builds} | {one.name for one in plan.by_hand()}
    there = found(plan, builds)
    assert not [about for _, about in there if about == subject("otemae-ce-a")]
    assert "otemae-ce-a is revoked" in there["R-DUAL", "otemae"].reason
    assert there["R-SEC-ACCESS", "otemae over A"].result is Result.NOT_APPLICABLE


def test_every_requirement_is_one_of_the_table() -> None:
    assert {requirement for those in FOUND.values() for requirement in those} == set(REQUIREMENTS)


def test_iosxe_notices_in_time_and_nobody_measured_how_soon_it_converges() -> None:
    plan, builds = mixed()
    site = plan.device(router("cisco_iosxe")[0]).site
    item = found(plan, builds)["R-GAP", str(site)]
    assert item.result is UNKNOWN
    assert "BFD otemae-ce-a to hub-ce-a 0.90 s" in item.reason
    assert "LAN watch otemae-ce-a 1.50 s" in item.reason
    assert "converge was not measured" in item.reason


@pytest.mark.parametrize(
    ("old", "new", "measured"),
    [
        ("bfd interval 300 min_rx 300 multiplier 3", "bfd interval 900 min_rx 900 multiplier 3", 3.1),
        ("timers advertise 300", "timers advertise 1000", 3.61875),
        ("track timer ip route msec 500", "track timer ip route msec 5000", 5.7),
        ("timeout 500", "timeout 900", 2.3),
    ],
)
def test_iosxe_is_too_slow_by_its_own_text(old: str, new: str, measured: float) -> None:
    item = found(*sent_otherwise("cisco_iosxe", old, new))["R-GAP", "otemae"]
    assert (item.result, item.measured) == (FAIL, pytest.approx(measured))


def test_a_text_without_bfd_has_no_timer_at_all() -> None:
    item = found(*sent_otherwise("cisco_iosxe", " fall-over bfd", ""))["R-GAP", "otemae"]
    assert item.result is UNKNOWN
    assert "no timer of BGP hold time otemae-ce-a to hub-ce-a" in item.reason


def test_iosxe_gives_a_dead_peer_up_in_time_and_its_tunnel_has_a_size() -> None:
    there = found(*mixed())
    returned = there["R-SEC-ACCESS", "return of otemae-ce-a to hub-ce-a over A"]
    assert (returned.result, returned.measured) == (PASS, 20.0)
    assert there["R-FIT/size", "otemae over A"].result is PASS
    changed = found(*sent_otherwise("cisco_iosxe", " ip mtu 1386", " ip mtu 1400"))
    assert changed["R-FIT/size", "otemae over A"].result is FAIL


def test_junos_has_bfd_and_no_watch_of_the_lan() -> None:
    there = found(*mixed())
    item = there["R-GAP", "sonezaki"]
    assert item.result is FAIL
    assert item.reason.startswith("noticed by nothing: LAN watch sonezaki-ce-a; VRRP hub-ce-a 0.97 s;")


def test_junos_has_no_transport_mode() -> None:
    item = found(*mixed())["R-SEC-ACCESS", "platform of sonezaki-ce-a"]
    assert "a VPN by IKE has tunnel mode alone" in item.reason


def test_yamaha_notices_by_the_hold_time_of_bgp_at_both_ends() -> None:
    item = found(*mixed())["R-GAP", "tenma"]
    assert (item.result, item.measured) == (FAIL, pytest.approx(3.61875))
    assert "BGP hold time tenma-ce-a to hub-ce-a 3.00 s" in item.reason
    assert "BGP hold time hub-ce-a to tenma-ce-a 3.00 s" in item.reason
    assert "VRRP tenma-ce-a 3.22 s" in item.reason
    slower = found(*sent_otherwise("yamaha_rtx", "hold-time=3 ", "hold-time=30 "))["R-GAP", "tenma"]
    assert slower.measured == pytest.approx(30.4)


def test_yamaha_has_none_of_the_suites_and_its_weaker_ones_are_offered_alone() -> None:
    item = found(*mixed())["R-SEC-ACCESS", "platform of tenma-ce-a"]
    assert item.result is FAIL
    assert "neither AES-GCM nor a curve" in item.reason
    assert "no GRE among its tunnels" in item.reason
    _, text = router("yamaha_rtx")
    assert "ipsec ike proposal-limitation 1 on" in text


def test_nec_fails_by_what_is_known_and_the_rest_is_unknown() -> None:
    there = found(*mixed())
    item = there["R-GAP", "kyobashi"]
    assert (item.result, item.measured) == (FAIL, pytest.approx(30.4))
    assert item.reason.startswith("noticed by nothing: LAN watch kyobashi-ce-a, route lost at kyobashi-ce-a;")
    assert there["R-SEC-ACCESS", "return of kyobashi-ce-a to hub-ce-a over A"].result is UNKNOWN
    certificate = of("nec_ix")
    assert any("a certificate is in none" in one.reason for one in certificate)


@pytest.mark.parametrize(
    ("site", "result"),
    [("umeda", PASS), ("otemae", PASS), ("sonezaki", FAIL), ("tenma", FAIL), ("kyobashi", UNKNOWN)],
)
def test_a_network_whose_tunnel_cannot_stand_counts_nowhere_as_if_it_did(site: str, result: Result) -> None:
    there = found(*mixed())
    for requirement in ("R-AVAIL", "R-DUAL"):
        assert there[requirement, site].result is result
    assert there["R-SEC-ACCESS", f"{site} over A"].result is result
    assert there["R-SEC-ACCESS", f"{site} over B"].result is PASS
    assert there["R-FIT/size", f"{site} over A"].result is (PASS if result is PASS else UNKNOWN)
    returned = there["R-SEC-ACCESS", f"return of {site}-ce-a to hub-ce-a over A"].result
    assert returned is {PASS: PASS, FAIL: Result.NOT_APPLICABLE, UNKNOWN: UNKNOWN}[result]


def test_the_clock_of_a_router_without_the_key_fails() -> None:
    item = found(*mixed())["R-SEC-ACCESS/time", "clock of otemae-ce-a over A"]
    assert item.result is FAIL
    assert "AES-256" in item.reason
