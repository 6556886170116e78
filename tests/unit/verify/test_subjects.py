"""Every subject is expected before it is examined: what a check leaves out is unknown, never a pass."""

from dataclasses import replace

import pytest
from optical_service import by_ethernet

from heiiki.design.subjects import subjects
from heiiki.plan.model import Plan
from heiiki.render import compile_plan
from heiiki.report import completeness
from heiiki.requirements import Result, Stage, Verdict
from heiiki.verify import absent
from heiiki.verify.subjects import expected

D, C, L = Stage.DESIGN, Stage.CONFIG, Stage.LIVE


@pytest.mark.parametrize(
    ("requirement", "stage", "subject"),
    [
        ("R-AVAIL", D, "namba"),
        ("R-COST", D, "sakai on network b"),
        ("R-CLOSED", D, "network a"),
        ("R-GAP", C, "umeda-gw-b"),
        ("R-SEC-ESP", C, "trust anchors of hub-ce-b"),
        ("R-SEC-ACCESS", C, "IKE daemon of namba-gw"),
        ("R-MINIMAL", L, "host vault"),
        ("R-CLOSED", L, "host umeda-ce-a"),
        ("R-ISO-SITE", L, "packet filter of hub-ce-a"),
        ("R-ISO-SITE", L, "umeda to sakai"),
        ("R-ISO-SITE", L, "routes of sakai-gw-b"),
        ("R-ISO-GROUP", L, "hosts on the hub's LAN"),
        ("R-ISO-GROUP", L, "seen from umeda-bems"),
        ("R-ISO-CARRIER", L, "second customer at second-hq"),
        ("R-ISO-CARRIER", L, "UE that is not attached"),
        ("R-ISO-MALICE", L, "umeda-ce-a by tun-a"),
        ("R-DUAL", L, "a-p1"),
        ("R-DELAY", L, "namba in service"),
        ("R-SEC-ACCESS", L, "SIM with a wrong key"),
        ("R-SEC-ACCESS", L, "tunnel down: umeda-gw-b to hub-ce-b"),
    ],
)
def test_a_subject_without_a_verdict_is_unknown(
    plan: Plan, requirement: str, stage: Stage, subject: str
) -> None:
    named = expected(plan, tuple(compile_plan(plan)))
    others = tuple(
        Verdict(identifier, one, place, Result.PASS)
        for (identifier, place), subjects in named.items()
        for one in subjects
        if (identifier, place, one) != (requirement, stage, subject)
    )
    unknown = {
        (one.requirement, one.stage, one.subject)
        for one in completeness(others, named)
        if one.result is Result.UNKNOWN and (one.requirement, one.stage) in named
    }
    assert unknown == {(requirement, stage, subject)}


def test_a_managed_host_that_was_not_compiled_is_expected_all_the_same(plan: Plan) -> None:
    builds = tuple(build for build in compile_plan(plan) if build.device != "sakai-gw-b")
    assert "host sakai-gw-b" in expected(plan, builds)["R-MINIMAL", L]


def test_the_design_subjects_of_a_report_are_those_of_the_stage(plan: Plan) -> None:
    named = expected(plan, tuple(compile_plan(plan)))
    of_design = {(name, one) for (name, stage), every in named.items() for one in every if stage is D}
    assert of_design == set(subjects(plan))


def test_what_a_service_has_not_got_is_expected_in_the_configuration() -> None:
    bare = by_ethernet()
    wired = replace(
        bare, devices=tuple(replace(one, access_point=None, station=None) for one in bare.devices)
    )
    named = expected(wired, tuple(compile_plan(wired)))
    found = {(one.requirement, one.subject): one.result for one in absent.verdicts(wired)}
    assert found == {
        ("R-SEC-ACCESS/enrolment", "enrolment"): Result.NOT_APPLICABLE,
        ("R-SEC-ACCESS/line", "access lines"): Result.NOT_APPLICABLE,
        ("R-SEC-LAN/wifi", "site LANs"): Result.NOT_APPLICABLE,
        ("R-SEC-LAN/wired", "wired site LANs"): Result.NOT_APPLICABLE,
    }
    assert all(subject in named[requirement, C] for requirement, subject in found)
