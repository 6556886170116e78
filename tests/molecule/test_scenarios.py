"""The Molecule scenarios, action by action, on the one lab of all tests."""

import re

from reports import shortcomings

from heiiki.intent import load
from heiiki.plan import build
from heiiki.render import compile_plan
from heiiki.report import expected_faults, expected_trust, read_verdicts
from heiiki.report.completion import together
from heiiki.revocation import drill
from heiiki.verify.subjects import expected

from .conftest import Provisioned

COLOUR = re.compile(r"\x1b\[[\d;]*m")
# Molecule draws a line before what Ansible says, and breaks it after 80 characters.
RECAP = re.compile(r"(?P<host>[\w-]+) +: ok=\d+ +changed=(?P<changed>\d+) +unreachable=(?P<unreachable>\d+)")


def recaps(said: str) -> list[dict[str, int]]:
    """How much each play changed on each host, run by run."""
    parts = COLOUR.sub("", said).split("PLAY RECAP")[1:]
    found = [list(RECAP.finditer(part)) for part in parts]
    assert not any(match["unreachable"] != "0" for matches in found for match in matches)
    return [{match["host"]: int(match["changed"]) for match in matches} for matches in found]


def devices(lab: Provisioned) -> set[str]:
    return {device.name for device in build(load(lab.root / "inventories" / "lab")).managed()}


def test_topology_is_provisioned_once(lab: Provisioned) -> None:
    (converge,) = (recap for recap in recaps(lab.said) if devices(lab) <= recap.keys())
    assert all(converge[device] for device in devices(lab))
    (again,) = (
        recap for recap in recaps(lab.molecule("idempotence", "topology")) if "localhost" not in recap
    )
    assert again == dict.fromkeys(again, 0)
    assert devices(lab) <= again.keys()


def test_topology_is_as_required(lab: Provisioned) -> None:
    try:
        lab.molecule("verify", "topology")
    except AssertionError as error:
        # The end of the output is what a reader of a log sees: what did not pass, and why.
        error.add_note(shortcomings(lab.root / "artifacts/molecule/topology"))
        raise


def test_every_verdict_of_that_run_was_expected_beforehand(lab: Provisioned) -> None:
    """The lists of subjects are of the plan alone (D14): what they lack would leave no trace if missed."""
    plan = build(load(lab.root / "inventories" / "lab"))
    of_plan = expected(plan, tuple(compile_plan(plan)))
    named = together(of_plan, expected_faults(plan), expected_trust(plan), drill.expected())
    beforehand = {(name, stage, one) for (name, stage), every in named.items() for one in every}
    _, verdicts = read_verdicts(lab.root / "artifacts/molecule/topology/verdicts.json")
    assert {(one.requirement, one.stage, one.subject) for one in verdicts} == beforehand


def test_revocation_from_beginning_to_end(lab: Provisioned) -> None:
    said = lab.molecule("test", "trust", "--destroy", "never")
    create, _prepare, revoked, again, _out, enrolled, _in, nothing_more = recaps(said)
    assert create == {"localhost": 2}, "the copy of the service, and its state; the lab was up already"
    assert sum(revoked.values()) == 1
    assert enrolled["namba-gw"]
    for recap in (again, nothing_more):
        assert recap == dict.fromkeys(recap, 0)
    written = (path.read_text(encoding="utf-8") for path in (lab.root / "inventories/lab").glob("*.yml"))
    assert not any("namba-gw" in text for text in written)
