"""Whether devices reach DRAS and each other through the XMPP server, from what they say came of it."""

from random import Random
from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.xmpp import exchange

KINDS = ["iq", "message", "presence"]
CONTROLLERS = ("umeda-bems", "namba-erc", "sakai-bems")


class World:
    """Devices as they answer, with changes."""

    def __init__(self) -> None:
        self.asked: dict[str, dict[str, Any]] = {}
        self.heard = {f"{name}@lab.internal": list(KINDS) for name in CONTROLLERS}
        self.changes: dict[str, dict[str, Any]] = {}
        self.said: dict[tuple[str, str], str] = {}

    def reply(self, device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        assert probe == "xmpp"
        self.asked[device] = parameters
        if parameters["do"] == "answer":
            return {"heard": self.heard}
        came = {
            to: {kind: self.said.get((device, kind), "policy-violation") for kind in KINDS}
            for to in parameters["others"]
        }
        return {"dras": "", "others": came, "heard": [], **self.changes.get(device, {})}


@pytest.fixture
def world() -> World:
    return World()


def judged(plan: Plan, fleet_of: Any, kept: Any, world: World, dead: tuple[str, ...] = ()) -> Verdict:
    (found,) = exchange.verdicts(plan, fleet_of(world.reply, dead), kept, Random(1))  # noqa: S311 - which are tried
    assert (found.requirement, found.subject) == ("R-ISO-SITE/xmpp", "devices, by the XMPP server")
    return found


def test_what_came_back_for_its_addressee_passes(plan: Plan, fleet_of: Any, kept: Any, world: World) -> None:
    found = judged(plan, fleet_of, kept, world)
    assert found.result is Result.PASS
    assert found.reason == (
        "6 ordered pairs: message, presence, iq came back for their addressee, and the same from each device "
        "arrived at dras; all 3 devices"
    )
    dras = world.asked["dras"]
    name = dras["resource"]
    assert sorted(dras["expected"]) == sorted(world.heard)
    tried = {(device, to) for device in CONTROLLERS for to in world.asked[device]["others"]}
    assert len(tried) == 6
    assert all(to.endswith(f"@lab.internal/{name}") and not to.startswith(device) for device, to in tried)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", ["no answer", "service-unavailable", "answered: result"])
def test_one_kind_that_was_not_refused_for_its_addressee_fails(
    plan: Plan, fleet_of: Any, kept: Any, world: World, kind: str, said: str
) -> None:
    world.said["namba-erc", kind] = said
    found = judged(plan, fleet_of, kept, world)
    assert found.result is Result.FAIL
    assert found.reason.startswith(f"{kind} from namba-erc to ")
    assert f": {said}" in found.reason


def test_what_a_device_was_sent_by_another_fails_whatever_else_is_not_known(
    plan: Plan, fleet_of: Any, kept: Any, world: World
) -> None:
    world.changes["umeda-bems"] = {"heard": ["namba-erc@lab.internal/other"]}
    found = judged(plan, fleet_of, kept, world, dead=("dras",))
    assert found.result is Result.FAIL
    assert found.reason == "umeda-bems was sent something by namba-erc@lab.internal/other"


@pytest.mark.parametrize("missing", KINDS)
def test_without_its_positive_a_refusal_proves_nothing(
    plan: Plan, fleet_of: Any, kept: Any, world: World, missing: str
) -> None:
    world.heard["sakai-bems@lab.internal"].remove(missing)
    found = judged(plan, fleet_of, kept, world)
    assert found.result is Result.UNKNOWN
    assert found.reason == f"{missing} of sakai-bems did not arrive at dras"


def test_a_device_that_got_no_answer_of_dras_proves_nothing(
    plan: Plan, fleet_of: Any, kept: Any, world: World
) -> None:
    world.changes["sakai-bems"] = {"dras": "service-unavailable"}
    found = judged(plan, fleet_of, kept, world)
    assert (found.result, found.reason) == (Result.UNKNOWN, "sakai-bems had no answer of dras")


@pytest.mark.parametrize("dead", ["dras", "umeda-bems"])
def test_who_was_not_reached_is_named(plan: Plan, fleet_of: Any, kept: Any, world: World, dead: str) -> None:
    found = judged(plan, fleet_of, kept, world, (dead,))
    assert (found.result, found.reason) == (Result.UNKNOWN, f"{dead}: not reachable")
