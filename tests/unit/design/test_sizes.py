"""R-FIT/size on paper: judged by what both ends of a tunnel are sent."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from heiiki.design import design
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Network
from heiiki.render import DeviceBuild, compile_plan
from heiiki.requirements import Result, Verdict

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
LINKS = "/etc/heiiki/links.json"


@cache
def example() -> tuple[Plan, tuple[DeviceBuild, ...]]:
    plan = build(load(EXAMPLE))
    return plan, tuple(compile_plan(plan))


def found(plan: Plan, builds: tuple[DeviceBuild, ...]) -> dict[str, Verdict]:
    return {one.subject: one for one in design(plan, builds) if one.requirement == "R-FIT/size"}


def with_links(device: str, old: str, new: str) -> tuple[DeviceBuild, ...]:
    def changed(build: DeviceBuild) -> DeviceBuild:
        if build.device != device:
            return build
        assert old in build.contents[LINKS]
        files = tuple(
            replace(file, content=file.content.replace(old, new)) if file.path == LINKS else file
            for file in build.files
        )
        return replace(build, files=files)

    return tuple(map(changed, example()[1]))


def test_the_largest_packet_of_each_path() -> None:
    plan, builds = example()
    every = found(plan, builds)
    assert {name: (one.result, one.measured, one.bound) for name, one in every.items()} == {
        f"{site.name} over {network.upper()}": (Result.PASS, *sizes)
        for site in plan.sites
        for network, sizes in ((Network.A, (1444.0, 1446.0)), (Network.B, (1356.0, 1358.0)))
    }
    assert every["umeda over A"].reason == (
        "tunnel of 1386 octets, 1444 with GRE (4) and ESP (54); a-pe2--umeda-ce-a takes 1500, "
        "a-pe1--hub-ce-a takes 1500, 1446 in its VPN, whose ESP takes 54 at least"
    )


@pytest.mark.parametrize(
    ("old", "new", "result", "reason"),
    [
        ('"mtu": 1298', '"mtu": 1299', Result.FAIL, "the ends of the tunnel differ: tunnel of 1298 and 1299"),
        ('"mtu": 1298, ', "", Result.UNKNOWN, "an end of the tunnel is sent no MTU"),
    ],
)
def test_an_end_that_is_sent_another_size(old: str, new: str, result: Result, reason: str) -> None:
    one = found(example()[0], with_links("umeda-gw-b", old, new))["umeda over B"]
    assert one.result is result
    assert one.reason.startswith(reason)


def test_a_line_that_takes_less_than_the_tunnel_sends() -> None:
    plan, builds = example()
    links = tuple(
        replace(link, mtu=1440) if link.name == "a-pe2--umeda-ce-a" else link for link in plan.links
    )
    results = {name: one.result for name, one in found(replace(plan, links=links), builds).items()}
    assert [name for name, result in results.items() if result is Result.FAIL] == ["umeda over A"]


def test_a_smaller_line_makes_smaller_tunnels_at_both_ends() -> None:
    intent = load(EXAMPLE)
    sites = tuple(
        site.model_copy(update={"a": site.a.model_copy(update={"mtu": 1300})}) for site in intent.sites
    )
    plan = build(intent.model_copy(update={"sites": sites}))
    every = found(plan, tuple(compile_plan(plan)))
    assert (every["umeda over A"].result, every["umeda over A"].bound) == (Result.PASS, 1300.0)
    assert plan.device("hub-ce-a").firewall.segment == 1242 - 40
