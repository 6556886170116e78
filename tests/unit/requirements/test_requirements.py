"""The catalogue and its one kind of answer."""

from dataclasses import replace

import pytest

from heiiki.requirements import REQUIREMENTS, Result, Stage, Verdict, requirement
from heiiki.requirements.verdict import Evidence


def test_identifiers_are_unique_and_found() -> None:
    assert len({item.id for item in REQUIREMENTS}) == len(REQUIREMENTS)
    assert all(requirement(item.id) is item for item in REQUIREMENTS)


def test_a_part_stands_behind_its_requirement() -> None:
    whole = ""
    for item in REQUIREMENTS:
        name, slash, part = item.id.partition("/")
        if slash:
            assert name == whole
            assert part
        whole = name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("R-ISO-MALICE", {"flood", "control", "scan", "layer-2", "port"}),
        ("R-THEFT", {"supervision", "drill"}),
        ("R-CLOSED", {"carrier"}),
        ("R-SEC-ACCESS", {"air", "enrolment", "line", "mms", "rest", "time", "xmpp"}),
        ("R-SEC-LAN", {"data", "wifi", "wired"}),
    ],
)
def test_what_a_pass_does_not_show_is_a_part_of_its_own(name: str, parts: set[str]) -> None:
    assert {item.id.partition("/")[2] for item in REQUIREMENTS if item.id.startswith(f"{name}/")} == parts


def test_an_unknown_identifier_is_refused() -> None:
    with pytest.raises(KeyError):
        requirement("R-NONE")


@pytest.mark.parametrize("result", [Result.FAIL, Result.UNKNOWN, Result.NOT_APPLICABLE])
def test_whatever_is_no_pass_needs_a_reason(result: Result) -> None:
    with pytest.raises(ValueError, match=f"^R-GAP umeda: a {result} verdict needs a reason$"):
        Verdict("R-GAP", "umeda", Stage.DESIGN, result)


def test_a_pass_needs_none() -> None:
    assert Verdict("R-GAP", "umeda", Stage.DESIGN, Result.PASS).reason == ""


def test_what_a_peer_said_steers_no_terminal() -> None:
    """An APN or a log line of the other side stands in reasons; a second line would pass for ours."""
    said = "refused \x1b[2J\x1b]0;owned\x07 at 東京\npass R-GAP"
    shown = "refused \\x1b[2J\\x1b]0;owned\\x07 at 東京\\npass R-GAP"
    evidence = Evidence("2026-11-29T00:00:00Z", excerpt=said)
    found = Verdict("R-THEFT", said, Stage.LIVE, Result.FAIL, said, evidence=(evidence,))
    assert (found.subject, found.reason, found.evidence[0].excerpt) == (shown, shown, shown)
    assert replace(found, result=Result.UNKNOWN).reason == shown
