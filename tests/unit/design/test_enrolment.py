"""Enrolment on paper: who may, under which names, and what each platform can speak."""

import json
from dataclasses import replace
from typing import Any

import pytest
from est_world import CISCO, ESP, plan
from vendor_service import FOLDER

from heiiki.design import enrolment
from heiiki.design.texts import read
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import compile_plan
from heiiki.requirements import Result, Stage, Verdict
from heiiki_agent.est.places import CONFIG


def judged(of: Plan, spoil: Any = None) -> dict[str, Verdict]:
    """Return the verdicts by subject, of a service whose registration authority is sent something else."""
    sent = dict(read(of, tuple(compile_plan(of))))
    if spoil is not None:
        document = json.loads(sent["dras"].files[str(CONFIG)])
        spoil(document)
        files = {**sent["dras"].files, str(CONFIG): json.dumps(document)}
        sent["dras"] = replace(sent["dras"], files=files)
    return {one.subject: one for one in enrolment.verdicts(of, sent)}


def test_each_device_is_judged_by_what_it_can_speak() -> None:
    found = judged(plan())
    assert set(found) == set(enrolment.subjects(plan()))
    said = {subject.removeprefix("enrolment of "): one.result for subject, one in found.items()}
    assert said == {
        "esp-kansai": Result.PASS,
        "otemae-ce-a": Result.UNKNOWN,
        "sonezaki-ce-a": Result.FAIL,
        "tenma-ce-a": Result.FAIL,
        "kyobashi-ce-a": Result.UNKNOWN,
    }
    assert found["enrolment of esp-kansai"].reason == (
        "EST at 10.15.0.4, for its own names alone: a secret that is good once, then its present "
        "certificate; its key stays there"
    )
    assert "SCEP's envelope is for RSA keys" in found["enrolment of sonezaki-ce-a"].reason


def test_a_service_without_it_is_told_so() -> None:
    (found,) = judged(build(load(FOLDER))).values()
    assert found == enrolment.ABSENT.verdict(Stage.DESIGN)
    assert found.result is Result.NOT_APPLICABLE


def others_names(document: Any) -> None:
    next(one for one in document["devices"] if one["device"] == ESP)["dns"] = ["dras.lab.internal"]


def nobody(document: Any) -> None:
    document["devices"] = []


def elsewhere(document: Any) -> None:
    document["addresses"] = ["10.15.0.9"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (others_names, "the registration authority is not sent its names, or others"),
        (nobody, "the registration authority is not sent its names, or others"),
        (elsewhere, "the registration authority does not listen at 10.15.0.4"),
    ],
)
def test_what_it_is_sent_is_judged(spoil: Any, said: str) -> None:
    found = judged(plan(), spoil)[f"enrolment of {ESP}"]
    assert (found.result, found.reason) == (Result.FAIL, said)


def test_the_filter_before_it_is_judged() -> None:
    made = plan()
    devices = tuple(
        replace(one, firewall=replace(one.firewall, services=())) if one.est and one.firewall else one
        for one in made.devices
    )
    found = judged(replace(made, devices=devices))
    assert found[f"enrolment of {CISCO}"].result is Result.FAIL
    assert found[f"enrolment of {ESP}"].reason == "the filter of dras does not let 10.15.0.12 in"
