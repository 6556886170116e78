"""What an optical line refuses counts for its own reason, and beside what it takes."""

from typing import Any

import pytest
from optical_service import by_ethernet, optical

from heiiki.requirements import Result, Verdict
from heiiki.verify.pppoe import trials

ADDRESSES = {"a-pe2": "10.80.0.70", "a-pe1": "10.80.0.94"}
SAID = {trial.name: trial.cause for trial in trials.TRIALS}
SECOND = {"offered": "a-pe2", "session": 0, "errors": ["RP-PPPoE: Server: No client slots available"]}
ANSWER = "00" * 16


def accepted(address: str) -> dict[str, Any]:
    return {"kind": "Access-Accept", "attributes": {"Framed-IP-Address": address}}


def refused(said: str) -> dict[str, Any]:
    return {"kind": "Access-Reject", "attributes": {"Reply-Message": said}}


class World:
    """Two lines and what their ends answer; `asked` is what the PEs were asked."""

    def __init__(
        self, attempts: dict[str, Any], second: dict[str, Any], unsigned: dict[str, bool] | None = None
    ) -> None:
        self.attempts = attempts
        self.second = second
        self.unsigned = unsigned or {"answered": False, "signed": True}
        self.asked: dict[str, list[dict[str, Any]]] = {}

    def reply(self, device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        assert probe == "pppoe"
        if parameters["do"] == "line":
            return {
                "answer": ANSWER,
                "second": self.second if device == "umeda-ce-a" else {**SECOND, "offered": "a-pe1"},
            }
        self.asked[device] = parameters["attempts"]
        usual = {name: refused(said) for name, said in SAID.items()}
        own = {"own password": accepted(ADDRESSES[device])}
        if device == "a-pe2":
            assert parameters["upstream"]["address"] == "10.200.0.1"
        else:
            assert "upstream" not in parameters
        return {
            "unsigned": self.unsigned,
            "attempts": usual | own | (self.attempts if device == "a-pe2" else {}),
        }


def judged(
    fleet_of: Any,
    kept: Any,
    *,
    attempts: dict[str, Any] | None = None,
    second: dict[str, Any] = SECOND,
    unsigned: dict[str, bool] | None = None,
    dead: tuple[str, ...] = (),
) -> tuple[dict[str, Verdict], World]:
    world = World(attempts or {}, second, unsigned)
    found = {one.subject: one for one in trials.verdicts(optical()[0], fleet_of(world.reply, dead), kept)}
    assert list(found) == list(trials.subjects(optical()[0]))
    return found, world


def test_what_was_refused_for_its_reason_passes(fleet_of: Any, kept: Any) -> None:
    found, world = judged(fleet_of, kept)
    assert {one.result for one in found.values()} == {Result.PASS}
    assert "10.80.0.70" in found["wrong password: line of umeda"].reason
    tried = {one["name"]: (one["user"], one["line"], one["answer"] == ANSWER) for one in world.asked["a-pe2"]}
    assert tried == {
        "wrong password": ("umeda-ce-a@optical.internal", "ac0017", False),
        "another realm": ("umeda-ce-a@not-optical.internal", "ac0017", True),
        "another line": ("umeda-ce-a@optical.internal", "ac0017x", True),
        "own password": ("umeda-ce-a@optical.internal", "ac0017", True),
    }


@pytest.mark.parametrize("name", ["wrong password", "another realm", "another line"])
def test_who_is_let_in_fails(fleet_of: Any, kept: Any, name: str) -> None:
    found, _ = judged(fleet_of, kept, attempts={name: accepted("10.80.0.70")})
    assert found[f"{name}: line of umeda"].result is Result.FAIL
    assert found[f"{name}: line of namba"].result is Result.PASS


@pytest.mark.parametrize(
    ("attempts", "told"),
    [
        ({"another line": refused("wrong password")}, "for another reason: wrong password"),
        ({"another line": {"kind": "", "attributes": {}}}, "no answer came"),
        (
            {"own password": refused("wrong password")},
            "own password is not taken either (Access-Reject: wrong",
        ),
        ({"own password": {"kind": "", "attributes": {}}}, "not taken either (no answer: nothing)"),
        ({"own password": accepted("10.80.0.71")}, "is given 10.80.0.71, not 10.80.0.70"),
    ],
)
def test_a_refusal_that_says_nothing_is_unknown(
    fleet_of: Any, kept: Any, attempts: dict[str, Any], told: str
) -> None:
    found, _ = judged(fleet_of, kept, attempts=attempts)
    verdict = found["another line: line of umeda"]
    assert verdict.result is Result.UNKNOWN
    assert told in verdict.reason


@pytest.mark.parametrize(
    ("second", "result", "told"),
    [
        ({"offered": "a-pe2", "session": 2, "errors": []}, Result.FAIL, "a-pe2 gave a second one"),
        ({"offered": ""}, Result.UNKNOWN, "no concentrator offered a session"),
        ({"offered": "rogue", "session": 0, "errors": []}, Result.UNKNOWN, "rogue offered a session"),
        ({"offered": "a-pe2", "silent": True}, Result.UNKNOWN, "for another reason: none"),
    ],
)
def test_a_second_session(
    fleet_of: Any, kept: Any, second: dict[str, Any], result: Result, told: str
) -> None:
    found, _ = judged(fleet_of, kept, second=second)
    verdict = found["second session: line of umeda"]
    assert verdict.result is result
    assert told in verdict.reason


@pytest.mark.parametrize(
    ("unsigned", "result", "told"),
    [
        ({"answered": False, "signed": True}, Result.PASS, "a-pe1 said nothing to a good log-in without"),
        ({"answered": True, "signed": True}, Result.FAIL, "a-pe1 answered it"),
        ({"answered": False, "signed": False}, Result.UNKNOWN, "answers nothing that is signed either"),
    ],
)
def test_an_unsigned_request(
    fleet_of: Any, kept: Any, unsigned: dict[str, bool], result: Result, told: str
) -> None:
    """Of a PE that forwards to another; the hub's own PE forwards by TLS."""
    found, _ = judged(fleet_of, kept, unsigned=unsigned)
    verdict = found["unsigned request: line of umeda"]
    assert verdict.result is result
    assert told in verdict.reason
    assert "unsigned request: line of namba" not in found


@pytest.mark.parametrize("dead", ["umeda-ce-a", "a-pe2"])
def test_an_end_that_was_not_reached_is_named(fleet_of: Any, kept: Any, dead: str) -> None:
    found, _ = judged(fleet_of, kept, dead=(dead,))
    verdict = found["wrong password: line of umeda"]
    assert verdict.result is Result.UNKNOWN
    assert f"{dead}: not reachable" in verdict.reason


def test_a_service_without_optical_access_has_no_trial(fleet_of: Any, kept: Any) -> None:
    assert list(trials.verdicts(by_ethernet(), fleet_of(lambda *_: {}), kept)) == []
    assert list(trials.subjects(by_ethernet())) == []
