import pytest

from heiiki.errors import LabError
from heiiki_lab.spec import Endpoint, LabSpec, LinkSpec, NodeSpec

HOSTS = (NodeSpec("h1"), NodeSpec("h2"), NodeSpec("lan", "switch"))


def link(name: str, a: str, b: str, **more: object) -> LinkSpec:
    return LinkSpec(name, Endpoint(*a.split(":")), Endpoint(*b.split(":")), **more)  # type: ignore[arg-type]


def test_ends_without_an_address_get_stable_ones_of_their_own() -> None:
    spec = LabSpec("lab", HOSTS, (link("one", "h1:eth0", "h2:eth0"), link("two", "h1:eth1", "lan:p1")))
    again = LabSpec("lab", HOSTS, tuple(reversed(spec.links)))
    macs = [mac for item in spec.links for mac in (item.mac_a, item.mac_b)]
    assert len(set(macs)) == 4
    assert all(mac is not None and mac.startswith("02:") for mac in macs)
    assert spec.link("one") == again.link("one")


def test_given_addresses_stay() -> None:
    spec = LabSpec("lab", HOSTS, (link("one", "h1:eth0", "h2:eth0", mac_b="02:00:00:00:00:07"),))
    assert spec.link("one").mac_b == "02:00:00:00:00:07"


def test_json_and_back() -> None:
    spec = LabSpec(
        "lab", HOSTS, (link("one", "h1:eth0", "lan:p1", mtu=1400), link("two", "h2:eth0", "lan:p2"))
    )
    assert LabSpec.from_json(spec.to_json()) == spec


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    spec = LabSpec("lab", HOSTS, (link("one", "h1:eth0", "lan:p1"),))
    with pytest.raises(LabError, match="no link 'x' in the lab; known links: one"):
        spec.link("x")
    with pytest.raises(LabError, match="no node 'x' in the lab; known nodes: h1, h2, lan"):
        spec.node("x")


@pytest.mark.parametrize(
    ("nodes", "links", "message"),
    [
        ((NodeSpec("H1"),), (), "node name 'H1' must be"),
        ((NodeSpec("-a"),), (), "node name '-a' must be"),
        ((NodeSpec("_guest"),), (), "node name '_guest' must be"),
        ((NodeSpec("a", "router"),), (), "kind 'router' must be host or switch"),  # type: ignore[arg-type]
        ((NodeSpec("a"), NodeSpec("a")), (), "node a is there twice"),
        (HOSTS, (link("x", "h1:e0", "h2:e0"), link("x", "h1:e1", "h2:e1")), "link x is there twice"),
        (HOSTS, (link("h1", "h1:e0", "h2:e0"),), "h1 names both a node and a link"),
        (HOSTS, (link("x", "h1:e0", "h2:e0"), link("y", "h1:e0", "h2:e1")), "h1:e0 is used by two links"),
        (HOSTS, (link("x", "h1:e0", "h9:e0"),), "link x: no node 'h9'"),
        (HOSTS, (link("x", "h1:sixteen-letters-", "h2:e0"),), "'sixteen-letters-' is no interface name"),
        (HOSTS, (link("x", "lan:br0", "h2:e0"),), "'br0' is no interface name"),
        (HOSTS, (link("x", "h1:e0", "h2:e0", mac_a="03:00:00:00:00:01"),), "is no unicast MAC"),
        (HOSTS, (link("x", "h1:e0", "h2:e0", mac_a="02-00"),), "is no unicast MAC"),
        (HOSTS, (link("x", "h1:e0", "h2:e0", mtu=10),), "MTU 10 is outside 68-65535"),
    ],
)
def test_a_contradiction_is_named(
    nodes: tuple[NodeSpec, ...], links: tuple[LinkSpec, ...], message: str
) -> None:
    with pytest.raises(LabError, match=message):
        LabSpec("lab", nodes, links)


def test_every_contradiction_is_named_at_once() -> None:
    with pytest.raises(LabError, match=r"node name 'A'.*; link x: no node 'b'; .*MTU 1"):
        LabSpec("lab", (NodeSpec("A"),), (link("x", "A:e0", "b:e0", mtu=1),))
