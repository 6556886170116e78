"""How a line's rate becomes the rate of a tunnel: at each end what that end sends."""

from pathlib import Path

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import InterfaceKind

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


def rates(plan: Plan, device: str) -> dict[str, int | None]:
    tunnels = (one for one in plan.device(device).interfaces if one.kind is InterfaceKind.GRE)
    return {one.name: one.rate for one in tunnels}


def test_each_end_sends_what_the_line_carries_in_its_direction() -> None:
    """Nine tenths of 10,000 kbit/s over A, and over B of 8,000 towards the site and 4,000 from it."""
    plan = build(load(EXAMPLE))
    assert rates(plan, "namba-gw") == {"tun-a": 9000, "tun-b": 3600}
    assert rates(plan, "hub-ce-a") == dict.fromkeys(("gre-a0017", "gre-a0023", "gre-a0042"), 9000)
    assert rates(plan, "hub-ce-b") == dict.fromkeys(("gre-b0017", "gre-b0023", "gre-b0042"), 7200)


def test_every_tunnel_and_nothing_else_is_shaped(plan: Plan) -> None:
    for device in plan.devices:
        for interface in device.interfaces:
            assert (interface.rate is not None) == (interface.kind is InterfaceKind.GRE)


def test_a_line_of_unknown_rate_is_not_shaped() -> None:
    intent = load(EXAMPLE)
    networks = intent.service.networks
    b = networks.b.model_copy(update={"bandwidth_kbps": None, "bandwidth_up_kbps": None})
    service = intent.service.model_copy(update={"networks": networks.model_copy(update={"b": b})})
    plan = build(intent.model_copy(update={"service": service}))
    assert rates(plan, "namba-gw") == {"tun-a": 9000, "tun-b": None}
    assert [plan.device(name).shaped for name in ("umeda-ce-a", "umeda-gw-b")] == [True, False]
