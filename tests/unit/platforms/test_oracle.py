"""hier_config, which knows Cisco IOS and Junos, and ours lead the device of the tests to the same state."""

import re
from itertools import product

import pytest
from hier_config import Platform, WorkflowRemediation, get_hconfig
from hier_config.child import HConfigChild
from platform_device import RefusedError
from platform_worlds import WORLDS, World

from heiiki import platforms

OPENING = (
    "interface ", "router ", "address-family ", "vrf definition", "crypto pki", "crypto ikev2",
    "crypto ipsec", "ip access-list", "route-map ", "line ", "peer ",
)  # fmt: skip

THEIRS = {"cisco_iosxe": Platform.CISCO_IOS, "juniper_junos": Platform.JUNIPER_JUNOS}


UNKNOWN_TO_THEIRS = {
    "cisco_iosxe": (8, r"vrf forwarding|remote-as 64602| secondary"),
    "juniper_junos": (6, r"deactivate "),
}
"""How many of the pairs end otherwise by theirs, and what all of those have in them.

A change of VRF takes the address of an interface along, the removal of a neighbor's AS takes the neighbor,
and a second address is no other value of the first one; in Junos, ``deactivate`` is a command of its own.
"""


def pairs(world: World) -> list[tuple[str, str]]:
    return [pair for forms in world.pieces for pair in product(("", *forms), repeat=2)]


def without_exits(text: str) -> str:
    """What their reader takes: it refuses a second ``exit``."""
    return "".join(
        f"{line}\n" for line in text.splitlines() if line.strip() not in {"exit", "exit-address-family"}
    )


def sent(child: HConfigChild) -> list[str]:
    """Their lines, with what leaves each section that they enter."""
    inside = [line for below in sorted(child.children) for line in sent(below)]
    section = inside or (not child.text.startswith("no ") and child.text.startswith(OPENING))
    return [child.text, *inside, "exit"] if section else [child.text]


def by_theirs(world: World, running: str, intended: str) -> object:
    """Return the state that their remediation leads to."""
    device = world.device(running)
    device.strict = False
    texts = (without_exits(text) for text in (device.show(), intended))
    change = WorkflowRemediation(
        *(get_hconfig(THEIRS[world.name], text) for text in texts)
    ).remediation_config
    flat = world.nature is None
    for child in sorted(change.children):
        try:
            device.send([child.text] if flat else sent(child))
        except RefusedError:
            return "refused"
    return device.leaves() if flat else world.state(device)


def by_ours(world: World, running: str, intended: str) -> object:
    device = world.device(running)
    device.send(platforms.of(world.name).compare(device.show(), intended).remediation)
    return device.leaves() if world.nature is None else world.state(device)


@pytest.mark.parametrize(("name", "known"), UNKNOWN_TO_THEIRS.items())
def test_both_lead_to_one_state(name: str, known: tuple[int, str]) -> None:
    world = WORLDS[name]
    others = [pair for pair in pairs(world) if by_theirs(world, *pair) != by_ours(world, *pair)]
    assert all(re.search(known[1], "".join(pair)) for pair in others)
    assert (len(others), len(pairs(world))) == (known[0], {"cisco_iosxe": 128, "juniper_junos": 77}[name])
