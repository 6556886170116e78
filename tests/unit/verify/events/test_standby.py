"""How the two hosts of a VTN stand, and by which of them VENs must have been heard."""

import json
from dataclasses import replace
from typing import Any

import pytest
from two_dras import HOSTS, with_two

from heiiki.plan import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify import fleet
from heiiki.verify.events import served, standby

VENS = ("umeda-bems", "sakai-bems", "namba-erc")
NAMES = {"dras": "dras.lab.internal", "dras-2": "dras-2.lab.internal"}
AWAY = "the standby dras-2.lab.internal is away: no answer; nothing is answered until it is back"


def host(name: str, heard: float | None = None, **how: Any) -> dict[str, Any]:
    """What a host of the VTN says; `writer` is a device."""
    (peer,) = (one for one in HOSTS if one != name)
    said = {"epoch": 3, "counts": True, "problem": None, "writer": "dras"} | how
    writer = NAMES.get(said["writer"] or "")
    doubled = said | {"host": NAMES[name], "peer": NAMES[peer], "writer": writer}
    vtn = {"problem": None, "silent_s": dict.fromkeys(VENS, heard), "xmpp": None, "doubled": doubled}
    return {"pid": 7, "due": 1.0, "vtns": {"LAB": vtn}}


def ven(ven_id: str) -> dict[str, Any]:
    return {"pid": 7, "due": 1.0, "ven_id": ven_id, "problem": None, "xmpp": None}


def well() -> dict[str, Any]:
    return {"dras": host("dras", 2.0), "dras-2": host("dras-2")}


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited for, seconds; there are two looks."""
    found: list[float] = []
    monkeypatch.setattr(fleet.time, "sleep", found.append)
    monkeypatch.setattr(served, "LOOKS", fleet.Looks(most=2, every_s=served.LOOKS.every_s))
    return found


def judged(
    plan: Plan, fleet_of: Any, kept: Any, said: dict[str, Any], dead: tuple[str, ...] = ()
) -> tuple[Verdict, Verdict]:
    """Return the verdict on both hosts, and that on a VEN."""

    def reply(device: str, _probe: str, _parameters: Any) -> dict[str, Any]:
        out = json.dumps(ven(device) if device in VENS else said[device])
        return {"commands": {"health": {"rc": 0, "out": out, "err": ""}}}

    found = {one.subject: one for one in served.verdicts(plan, fleet_of(reply, dead), kept)}
    return found[standby.SUBJECT], found["umeda-bems is served"]


def test_one_writes_and_the_other_has_it_all(fleet_of: Any, kept: Any, slept: list[float]) -> None:
    both, one = judged(with_two(), fleet_of, kept, well())
    assert (both.requirement, both.result) == ("R-EVENT/standby", Result.PASS)
    assert both.reason == "dras writes, and dras-2 has the whole book"
    assert len(both.evidence) == 2
    assert (one.result, one.reason) == (Result.PASS, "registered, and heard by dras")
    assert slept == []


def test_after_a_takeover_the_other_host_hears_vens(fleet_of: Any, kept: Any) -> None:
    said = {"dras": host("dras", 40.0, writer="dras-2"), "dras-2": host("dras-2", 1.0, writer="dras-2")}
    both, one = judged(with_two(), fleet_of, kept, said)
    assert (both.result, both.reason) == (Result.PASS, "dras-2 writes, and dras has the whole book")
    assert (one.result, one.reason, one.measured) == (Result.PASS, "registered, and heard by dras-2", 1.0)


@pytest.mark.parametrize(
    ("said", "reason", "served_by"),
    [
        (
            {"dras": host("dras", 2.0, problem=AWAY)},
            f"dras: {AWAY}",
            (Result.PASS, "registered, and heard by dras"),
        ),
        (
            {"dras-2": host("dras-2", counts=False, problem="dras-2 does not have the whole book yet")},
            "dras-2: dras-2 does not have the whole book yet",
            (Result.PASS, "registered, and heard by dras"),
        ),
        (
            {"dras-2": host("dras-2", counts=False)},
            "dras-2: the standby does not have the whole book",
            (Result.PASS, "registered, and heard by dras"),
        ),
        (
            {"dras-2": host("dras-2", None, epoch=4, writer="dras-2")},
            "dras is in epoch 3 of dras.lab.internal; dras-2 is in epoch 4 of dras-2.lab.internal",
            (Result.FAIL, "dras-2 has not heard it"),
        ),
        (
            {name: host(name, 2.0, epoch=0, writer=None) for name in HOSTS},
            "neither host writes",
            (Result.FAIL, "no host of the VTN writes"),
        ),
    ],
)
def test_two_that_do_not_agree_fail(
    fleet_of: Any, kept: Any, slept: list[float], said: Any, reason: str, served_by: tuple[Result, str]
) -> None:
    both, one = judged(with_two(), fleet_of, kept, well() | said)
    assert (both.result, both.reason) == (Result.FAIL, reason)
    assert (one.result, one.reason) == served_by
    assert len(slept) == 1, "they are asked again"


def test_a_host_that_knows_of_no_other_one_fails(fleet_of: Any, kept: Any) -> None:
    alone = host("dras-2", 2.0)
    alone["vtns"]["LAB"]["doubled"] = None
    both, _ = judged(with_two(), fleet_of, kept, well() | {"dras-2": alone})
    assert (both.result, both.reason) == (Result.FAIL, "dras-2 does not keep the book with a second host")


def test_a_host_that_cannot_be_asked_leaves_it_unknown_where_the_other_one_finds_nothing_wrong(
    fleet_of: Any, kept: Any
) -> None:
    both, one = judged(with_two(), fleet_of, kept, well(), dead=("dras-2",))
    assert (both.result, both.reason) == (Result.UNKNOWN, "dras-2: not reachable")
    assert one.result is Result.PASS
    both, _ = judged(with_two(), fleet_of, kept, {"dras": host("dras", 2.0, problem=AWAY)}, dead=("dras-2",))
    assert (both.result, both.reason) == (Result.FAIL, f"dras: {AWAY}")
    both, one = judged(with_two(), fleet_of, kept, well(), dead=("dras",))
    assert (both.result, one.result) == (Result.UNKNOWN, Result.UNKNOWN)
    assert one.reason == "dras: not reachable"


def test_a_service_with_one_host_is_not_asked_about_a_second(plan: Plan, fleet_of: Any, kept: Any) -> None:
    both, one = judged(plan, fleet_of, kept, well())
    assert (both.result, both.reason) == (
        Result.NOT_APPLICABLE,
        "the service has one host of the VTN (`dras_hosts`)",
    )
    assert one.result is Result.PASS


def test_a_host_that_is_revoked_leaves_the_other_one_alone(fleet_of: Any, kept: Any) -> None:
    two = with_two()
    out = tuple(
        replace(one, vtn=None, managed=False, revoked="stolen") if one.name == "dras" else one
        for one in two.devices
    )
    alone = host("dras-2", 2.0, writer="dras-2", counts=False, problem="dras-2 writes alone")
    both, one = judged(replace(two, devices=out), fleet_of, kept, {"dras-2": alone})
    assert (both.result, both.reason) == (Result.NOT_APPLICABLE, "dras is revoked")
    assert (one.result, one.reason) == (Result.PASS, "registered, and heard by dras-2")
