"""Design verdicts while devices are revoked: what is left is judged, and what is gone is said."""

import shutil
from pathlib import Path

import pytest

from heiiki.design import design
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import compile_plan
from heiiki.requirements import Result, Verdict

BASE = Path(__file__).parents[2] / "errors" / "base"
UMEDA, NAMBA = ("umeda-ce-a", "umeda-gw-b"), ("namba-gw",)
MENDED = "replace it and run enrol.yml"


def verdicts(folder: Path, *names: str) -> dict[tuple[str, str], Verdict]:
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    lines = [f"- {{device: {name}, since: 2026-11-24, reason: stolen}}" for name in names]
    (folder / "revoked.yml").write_text("\n".join(["devices:", *lines]))
    plan: Plan = build(load(folder))
    found = design(plan, compile_plan(plan))
    return {(item.requirement, item.subject): item for item in found}


TIME = "R-SEC-ACCESS/time"
CLOCK_OF_DRAS = (TIME, "clock of dras")
ALL_WIRED = ("R-SEC-LAN/wifi", "site LANs")
NO_PORTS = ("R-SEC-LAN/wired", "wired site LANs")
NO_EST = ("R-SEC-ACCESS/enrolment", "enrolment")
NONE_OPTICAL = ("R-SEC-ACCESS/line", "access lines")
ALL_LINUX = {
    (requirement, "site routers")
    for requirement in (
        "R-DELAY/load",
        "R-ISO-MALICE",
        "R-ISO-MALICE/flood",
        "R-ISO-MALICE/control",
        "R-ISO-MALICE/layer-2",
    )
}


def changed(folder: Path, *names: str) -> dict[tuple[str, str], Result]:
    before = verdicts(folder / "before")
    after = verdicts(folder / "after", *names)
    assert before.keys() == after.keys()
    assert {key for key, item in before.items() if item.result is not Result.PASS} == {
        CLOCK_OF_DRAS,
        ALL_WIRED,
        NO_PORTS,
        NO_EST,
        NONE_OPTICAL,
        *ALL_LINUX,
    }
    return {key: item.result for key, item in after.items() if item.result is not before[key].result}


def test_one_of_two_gateways_is_revoked(tmp_path: Path) -> None:
    assert changed(tmp_path, "umeda-gw-b") == {
        ("R-AVAIL", "umeda"): Result.FAIL,
        ("R-GAP", "umeda"): Result.FAIL,
        ("R-DUAL", "umeda"): Result.FAIL,
        ("R-ISO-SITE", "umeda-gw-b"): Result.NOT_APPLICABLE,
        ("R-SEC-ACCESS", "umeda over B"): Result.NOT_APPLICABLE,
        ("R-FIT/size", "umeda over B"): Result.NOT_APPLICABLE,
        ("R-FIT/rate", "umeda over B"): Result.NOT_APPLICABLE,
        ("R-SEC-ACCESS", "return of umeda-gw-b to hub-ce-b over B"): Result.NOT_APPLICABLE,
        (TIME, "clock of umeda-gw-b over B"): Result.NOT_APPLICABLE,
        (TIME, "clock of umeda-bems over B"): Result.NOT_APPLICABLE,
    }


@pytest.mark.parametrize(
    ("names", "site", "least", "most", "reason"),
    [
        (("umeda-gw-b",), "umeda", 1.429e-3, 1.430e-3, f"umeda-gw-b is revoked, one path is left: {MENDED}"),
        (("umeda-ce-a",), "umeda", 1.844e-3, 1.846e-3, f"umeda-ce-a is revoked, one path is left: {MENDED}"),
        (UMEDA, "umeda", 1.0, 1.0, f"umeda-ce-a and umeda-gw-b are revoked, no path is left: {MENDED}"),
        (NAMBA, "namba", 1.0, 1.0, f"namba-gw is revoked, no path is left: {MENDED}"),
    ],
)
def test_availability_is_that_of_the_paths_left(
    tmp_path: Path, names: tuple[str, ...], site: str, least: float, most: float, reason: str
) -> None:
    found = verdicts(tmp_path, *names)["R-AVAIL", site]
    assert (found.result, found.reason) == (Result.FAIL, reason)
    assert found.measured is not None
    assert least <= found.measured <= most


@pytest.mark.parametrize("name", ["umeda-bems", "vault", "dras"])
def test_a_revoked_host_takes_no_path_away(tmp_path: Path, name: str) -> None:
    flipped = changed(tmp_path, name)
    assert {subject for requirement, subject in flipped if requirement != TIME} == set()
    clocks = {subject for _, subject in flipped}
    if name == "dras":  # every clock has lost one of its two sources; the other server is the reference now
        assert {flipped[TIME, one] for one in clocks - {"clock of xmpp"}} == {Result.FAIL}
        assert len(clocks) > 10
    else:
        assert all(one.startswith(f"clock of {name}") for one in clocks)
        assert {flipped[TIME, one] for one in clocks} == {Result.NOT_APPLICABLE}


def test_the_other_site_keeps_its_verdicts(tmp_path: Path) -> None:
    flipped = changed(tmp_path, *UMEDA)
    assert [key for key in flipped if "namba" in key[1]] == []
