"""R-FIT/rate on paper, each figure computed once more by hand."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from heiiki.design import rates
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Rate
from heiiki.requirements import Result, Verdict

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
UMEDA_A, UMEDA_B, HUB_A = "a-pe2--umeda-ce-a", "b-enb--umeda-gw-b", "a-pe1--hub-ce-a"
BFD = 112 * 8 / 1000 / (0.75 * 0.3)
"""52 octets are 112 in GRE and ESP; each 300 ms, less 25 % of jitter."""
BGP = (132 + 112) * 8 / 1000 / 2
"""A keepalive of 71 octets and an acknowledgement of 52."""
NTP = 2 * (20 + 8 + 48 + 4 + 16 + 60) * 8 / 1000 / 2
"""The controller asks two servers in the tunnel."""
GATEWAY = (1000 + 2 * 96) * 8 / 1000 / 2 + 7000 * 8 / 1000 / 10
"""A rekeying and two questions for the time in 2 s, a pull of the lists in 10 s."""
PE = 52 * 8 / 1000 / (0.75 * 0.5) + (71 + 52) * 8 / 1000 / 2


@cache
def example() -> Plan:
    return build(load(EXAMPLE))


def judged(plan: Plan) -> dict[str, Verdict]:
    return {one.subject: one for one in rates.verdicts(plan)}


def with_rate(link: str, rate: Rate | None) -> Plan:
    links = tuple(replace(one, rate=rate) if one.name == link else one for one in example().links)
    return replace(example(), links=links)


def test_the_lines_of_the_example_carry_what_is_planned() -> None:
    assert {name: one.result for name, one in judged(example()).items()} == dict.fromkeys(
        rates.subjects(example()), Result.PASS
    )


def test_what_goes_outside_of_a_tunnel() -> None:
    """A tenth of 10,000 kbit/s is left for it, and of 4,000 from a SIM; there no PE is spoken with."""
    over_a, over_b = (judged(example())[f"umeda over {letter}"] for letter in "AB")
    assert (over_a.measured, over_a.bound) == (pytest.approx(GATEWAY + PE), 1000.0)
    assert (over_b.measured, over_b.bound) == (pytest.approx(GATEWAY), 400.0)
    assert over_b.reason.startswith("fullest is the rest up: 8,000 kbit/s down and 4,000 up")


def test_the_tables_in_a_tunnel() -> None:
    """A battery under direct control and a heat store at an event: what goes up, and acknowledges."""
    tunnel = judged(example())["umeda over A"]
    # In TLS: 400 octets up each second and an event, which is sent in 260, and an order acknowledged.
    second = (480 + 372 + 112) * 8 / 1000
    # A running schedule, which is sent in 950, opt and report; schedule and request, in packets of 3 and 3.
    minute = (1060 + 3 * 112 + (1444 + 820) + (1444 + 320) + 3 * 112) * 8 / 1000 / 60
    assert f"and {second + minute:.3g} by tables 5.5 to 5.8" in tunnel.reason
    assert f"{BFD + BGP + NTP:.3g} by BFD, BGP and time in the tunnel" in tunnel.reason


def test_the_report_counts_as_the_tables_do() -> None:
    """0.733 kbit/s of indirect control (TR-1072 5.3.2), without headers and acknowledgements."""
    sizes = [one.octets / one.within_s for one in rates.MESSAGES["battery", "indirect"]]
    assert sum(sizes) * 8 / 1000 == pytest.approx(0.733, abs=0.0005)


@pytest.mark.parametrize(
    ("rate", "result", "part"),
    [
        (Rate(1_000_000, 64), Result.FAIL, "the rest up"),
        (Rate(64, 1_000_000), Result.FAIL, "the rest down"),
        (Rate(150, 150), Result.PASS, "the rest down"),
    ],
)
def test_a_slow_line(rate: Rate, result: Result, part: str) -> None:
    one = judged(with_rate(UMEDA_A, rate))["umeda over A"]
    assert (one.result, one.reason.split(":")[0]) == (result, f"fullest is {part}")


def test_messages_that_a_line_cannot_carry() -> None:
    """Forty batteries at a site of 150 kbit/s: their messages fill the tunnel."""
    sites = tuple(
        replace(site, resources=(("battery", "direct"),) * 40) if site.name == "umeda" else site
        for site in example().sites
    )
    one = judged(replace(with_rate(UMEDA_A, Rate(150, 150)), sites=sites))["umeda over A"]
    assert (one.result, one.bound) == (Result.FAIL, 135.0)
    assert one.reason.startswith("fullest is the tunnel's share up: ")


def test_the_hub_has_all_sites_at_once() -> None:
    one = judged(example())[HUB_A]
    outside = 3 * GATEWAY + (20 + 8 + 24 + 56) * 8 / 1000 / (0.75 * 0.5) + (128 + 108) * 8 / 1000 / 2
    assert one.bound == 100_000.0
    assert f"{outside:.3g} and {outside:.3g} by IKE" in one.reason
    assert one.reason.endswith("the sites' lines together cannot fill it")


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (Rate(29_000, 30_000), "the sites' lines together can fill it, and nothing goes first there"),
        (Rate(30_000, 29_000), "the sites' lines together can fill it, and nothing goes first there"),
        (Rate(30_000, 30_000), "the sites' lines together cannot fill it"),
    ],
)
def test_whether_the_hubs_line_can_be_full(rate: Rate, said: str) -> None:
    assert judged(with_rate(HUB_A, rate))[HUB_A].reason.endswith(said)


def test_a_hubs_line_that_is_too_slow() -> None:
    assert judged(with_rate(HUB_A, Rate(64, 64)))[HUB_A].result is Result.FAIL


@pytest.mark.parametrize(
    ("link", "subject", "where"),
    [
        (UMEDA_A, "umeda over A", "`networks: a:` in service.yml, or `a:` of the site"),
        (UMEDA_B, "umeda over B", "`networks: b:` in service.yml, or `b:` of the site"),
        (HUB_A, HUB_A, "`hub:` in service.yml"),
    ],
)
def test_a_line_of_which_nobody_says_how_fast_it_is(link: str, subject: str, where: str) -> None:
    one = judged(with_rate(link, None))[subject]
    assert one.result is Result.UNKNOWN
    assert one.reason == f"the intent does not say how fast {link} is: write `bandwidth_kbps:` below {where}"
    others = {name: item.result for name, item in judged(with_rate(link, None)).items() if name != subject}
    assert set(others.values()) == {Result.PASS}


def test_a_site_may_have_a_faster_line_than_the_networks_others() -> None:
    intent = load(EXAMPLE)
    own = {"bandwidth_kbps": 50_000}
    sites = tuple(
        site.model_copy(update={"a": site.a.model_copy(update=own)}) if site.name == "umeda" else site
        for site in intent.sites
    )
    plan = build(intent.model_copy(update={"sites": sites}))
    found = {link.site: link.rate for link in plan.links if link.site and link.network == "a"}
    assert found == {
        "umeda": Rate(50_000, 50_000),
        "namba": Rate(10_000, 10_000),
        "sakai": Rate(10_000, 10_000),
    }
