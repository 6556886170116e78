"""The plan as the lab's engine wires it."""

from pathlib import Path

from optical_service import optical

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


def test_frames_of_an_optical_line_are_larger_than_its_packets() -> None:
    """PPPoE takes eight octets of a frame: a cable as small as the packets would lose the largest."""
    plan, _ = optical()
    cables = {link.name: (link.a.interface, link.b.interface, link.mtu) for link in spec(plan).links}
    assert cables["a-pe2--umeda-ce-a"] == ("ln0017", "line-a", None)
    assert cables["a-pe2--sakai-ce-a"] == ("ac0042", "access-a", 1500)
    assert plan.link("a-pe2--umeda-ce-a").mtu == 1454
