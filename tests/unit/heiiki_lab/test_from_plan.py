"""The plan as the lab's engine wires it."""

from pathlib import Path

from heiiki.intent import load
from heiiki.plan import build
from heiiki_lab.from_plan import spec


def test_each_closed_network_has_processors_of_its_own(lab_inventory: Path) -> None:
    plan = build(load(lab_inventory))
    processors = {node.name: node.processor for node in spec(plan).nodes}
    of_b = {end.device for link in plan.links if link.network == "b" for end in link.ends}
    assert {"b-sgw", "hub-ce-b", "umeda-gw-b"} < of_b
    assert {name for name, number in processors.items() if number % 2} == of_b
    # On a machine of many processors, the nodes of a network share them out.
    assert sorted(processors[name] for name in of_b) == list(range(1, 2 * len(of_b), 2))
