from heiiki_lab.spec import Endpoint, LabSpec, LinkSpec, NodeSpec
from heiiki_lab.wiring import creation_steps, setup_steps

MACS = [f"02:00:00:00:00:{number:02x}" for number in range(4)]
PEERS = [
    f"peer name p1 index 1001 address {MACS[1]} netns 13",
    f"peer name eth0 index 1003 address {MACS[3]} mtu 1400 netns 12",
]
SPEC = LabSpec(
    "lab",
    (NodeSpec("h1"), NodeSpec("h2"), NodeSpec("lan", "switch")),
    (
        LinkSpec(
            "one",
            Endpoint("h1", "eth0"),
            Endpoint("lan", "p1"),
            mac_a=MACS[0],
            mac_b=MACS[1],
        ),
        LinkSpec(
            "two",
            Endpoint("h1", "up"),
            Endpoint("h2", "eth0"),
            mac_a=MACS[2],
            mac_b=MACS[3],
            mtu=1400,
        ),
    ),
)


def test_links_are_made_in_one_batch_a_node_with_numbers_of_their_own() -> None:
    steps = creation_steps(SPEC, {"h1": 11, "h2": 12, "lan": 13})
    assert steps == (
        (
            "h1",
            "ip",
            [
                f"link add name eth0 index 1000 address {MACS[0]} type veth {PEERS[0]}",
                f"link add name up index 1002 address {MACS[2]} mtu 1400 type veth {PEERS[1]}",
            ],
        ),
    )


def test_interfaces_come_up_and_switches_are_bridged() -> None:
    steps = {node: lines for node, _, lines in setup_steps(SPEC)}
    assert steps == {
        "h1": ["link set dev lo up", "link set dev eth0 up", "link set dev up up"],
        "h2": ["link set dev lo up", "link set dev eth0 up"],
        "lan": [
            "link set dev lo up",
            "link add name br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            "link set dev br0 addrgenmode none",
            "link set dev p1 addrgenmode none",
            "link set dev br0 up",
            "link set dev p1 master br0",
            "link set dev p1 up",
        ],
    }


def test_a_radio_is_no_cable_and_stays_down() -> None:
    ends = Endpoint("h1", "lan0"), Endpoint("h2", "lan0")
    wireless = LinkSpec("air", *ends, wireless=True)
    spec = LabSpec("lab", SPEC.nodes, (*SPEC.links, wireless))
    pids = {"h1": 11, "h2": 12, "lan": 13}
    assert creation_steps(spec, pids) == creation_steps(SPEC, pids)
    assert list(setup_steps(spec)) == list(setup_steps(SPEC))
    assert spec.radios == ends
    assert LabSpec.from_json(spec.to_json()) == spec
