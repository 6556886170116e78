"""R-AVAIL against an oracle that knows no formula: every state of every element, one by one."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from shutil import copytree

import pytest

from heiiki.design import availability
from heiiki.design.availability import BOUND, Structure
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Availability, Function, LinkKind, Network
from heiiki.requirements import Result, Verdict

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
A, B = Network.A, Network.B


@cache
def example() -> Plan:
    return build(load(EXAMPLE))


def found(plan: Plan) -> dict[str, Verdict]:
    return {verdict.subject: verdict for verdict in availability.verdicts(plan, {})}


def by_all_states(over: Iterable[Iterable[str]], chances: Mapping[str, float]) -> float:
    """Add up the chance of every state in which no path is whole."""
    paths, names = [set(path) & chances.keys() for path in over], list(chances)
    total = 0.0
    for state in product((True, False), repeat=len(names)):
        up = {name for name, works in zip(names, state, strict=True) if works}
        if not any(path <= up for path in paths):
            chance = 1.0
            for name, works in zip(names, state, strict=True):
                chance *= 1 - chances[name] if works else chances[name]
            total += chance
    return total


# Written once more, by the names in the plan, so that no table of the product decides here.
FIGURES = {
    "umeda-ce-a": (260000, 4),
    "sakai-ce-a": (260000, 4),
    "hub-ce-a": (260000, 4),
    "hub-ce-b": (260000, 4),
    "umeda-gw-b": (260000, 4),
    "sakai-gw-b": (260000, 4),
    "namba-gw": (260000, 4),
    "a-pe1--hub-ce-a": (9000, 6),
    "b-edge--hub-ce-b": (9000, 6),
    "a-pe2--umeda-ce-a": (9000, 6),
    "a-pe2--sakai-ce-a": (9000, 6),
    "a-pe2--namba-gw": (9000, 6),
    "a-pe1": (90000, 2),
    "a-p1": (90000, 2),
    "a-pe2": (90000, 2),
    "b-enb": (4000, 4),
    "b-sgw": (40000, 2),
    "b-pgw": (40000, 2),
    "b-edge": (40000, 2),
}
CHANCES = {name: repair / (good + repair) for name, (good, repair) in FIGURES.items()}


def used(plan: Plan, site: str) -> tuple[list[tuple[str, ...]], dict[str, float]]:
    over = [plan.path(site, network).elements for network in Network]
    names = {name for path in over for name in path}
    return over, {name: chance for name, chance in CHANCES.items() if name in names}


@pytest.mark.parametrize("site", ["umeda", "namba", "sakai"])
def test_figure_is_that_of_all_states(site: str) -> None:
    assert found(example())[site].measured == pytest.approx(by_all_states(*used(example(), site)), rel=1e-8)


@pytest.mark.parametrize(("site", "switches"), [("umeda", ["umeda-lan", "hub-lan"]), ("namba", ["hub-lan"])])
def test_switches_count_once_where_their_figure_is_stated(site: str, switches: list[str]) -> None:
    over, chances = used(example(), site)
    chances |= dict.fromkeys(switches, 4 / 1_000_004)
    stated = (*example().reliability, Availability("lan_switch", 1_000_000.0, 4.0))
    verdict = found(replace(example(), reliability=stated))[site]
    assert verdict.measured == pytest.approx(by_all_states(over, chances), rel=1e-8)
    assert "not counted: hosts" in verdict.reason


def test_what_does_not_count_is_named() -> None:
    assert found(example())["umeda"].reason == (
        "elements counted: 7 on A alone, 7 on B alone, 0 on both; not counted: umeda-lan, hub-lan "
        "(no `reliability.lan_switch`), hosts and their legs, power, planned work, common causes, "
        "other ways in the core; holds if at least 98.8 % of switch-overs work"
    )


def chain(folder: Path, between: int) -> Plan:
    """The example with `between` P routers in series between its two PE routers."""
    copytree(EXAMPLE, folder, dirs_exist_ok=True)
    text = (folder / "service.yml").read_text()
    names = ["pe1", *(f"p{index}" for index in range(1, between + 1)), "pe2"]
    routers = "".join(
        f"\n      - {{name: p{index}, function: p, number: {index + 10}}}" for index in range(1, between + 1)
    )
    links = "".join(
        f"\n      - {{number: {index}, between: [{one}, {other}]}}"
        for index, (one, other) in enumerate(pairwise(names), start=1)
    )
    head, _, rest = text.partition("\n      - {name: p1,")
    _, _, tail = rest.partition("    hub_pe:")
    (folder / "service.yml").write_text(f"{head}{routers}\n    links:{links}\n    hub_pe:{tail}")
    return build(load(folder))


def test_routers_in_series_make_it_worse(tmp_path: Path) -> None:
    longer = found(chain(tmp_path, 29))
    # By hand: 28 more routers of 2 h in 90,002 h on path A, which is in parallel with path B.
    path_b = 1 - (1 - CHANCES["b-enb"]) * (1 - CHANCES["b-sgw"]) ** 3 * (1 - CHANCES["b-edge--hub-ce-b"]) * (
        1 - CHANCES["hub-ce-b"]
    ) * (1 - CHANCES["umeda-gw-b"])
    path_a = (
        1
        - (1 - CHANCES["a-pe1"]) ** 31
        * (1 - CHANCES["a-pe1--hub-ce-a"]) ** 2
        * (1 - CHANCES["hub-ce-a"]) ** 2
    )
    assert longer["umeda"].measured == pytest.approx(path_a * path_b, rel=1e-8)
    assert longer["umeda"].measured > 1.3 * (found(example())["umeda"].measured or 0.0)
    assert longer["umeda"].reason.startswith("elements counted: 35 on A alone")


def test_an_element_of_both_paths_is_in_series() -> None:
    plan = example()
    joined = tuple(
        replace(path, elements=(*path.elements, "a-p1"))
        if (path.site, path.network) == ("umeda", B)
        else path
        for path in plan.paths
    )
    changed = replace(plan, paths=joined)
    expected = by_all_states(*used(changed, "umeda"))
    assert found(changed)["umeda"].measured == pytest.approx(expected, rel=1e-8)
    assert found(changed)["umeda"].result is Result.FAIL
    assert found(changed)["umeda"].reason.startswith("double a-p1 (2.22×10⁻⁵), or take better ones; elements")


def test_one_gateway_that_is_worse_is_to_be_doubled() -> None:
    worse = tuple(
        replace(item, mtbf_h=20_000.0) if item.component == "lte_gateway" else item
        for item in example().reliability
    )
    verdict = found(replace(example(), reliability=worse))["namba"]
    assert verdict.reason.startswith(
        "double namba-gw (2×10⁻⁴), the gateway by figure 5.18 (b): `redundancy: networks_and_equipment`, or"
    )


def test_what_is_to_be_doubled_is_enough_and_needed() -> None:
    structure = Structure(
        {"s1": 3e-5, "s2": 1e-5}, {A: {"a1": 4e-3, "a2": 1e-3, "a3": 1e-5}, B: {"b1": 6e-3, "b2": 1e-4}}
    )
    wanted = structure.to_double(BOUND)
    assert wanted == ("s1", "b1")
    chances = {**structure.shared, **structure.own[A], **structure.own[B]}
    over = [["s1", "s2", "a1", "a2", "a3"], ["s1", "s2", "b1", "b2"]]
    assert by_all_states(over, chances) > BOUND
    assert by_all_states(over, chances | {"s1": 9e-10}) > BOUND
    assert by_all_states(over, chances | {"s1": 9e-10, "b1": 3.6e-5}) <= BOUND


def test_gain_is_the_difference_that_doubling_makes() -> None:
    structure = Structure({"s": 2e-3}, {A: {"a": 4e-3, "c": 0.3}, B: {"b": 6e-3}})
    for name, value in (("s", 2e-3), ("a", 4e-3), ("c", 0.3), ("b", 6e-3)):
        difference = structure.unavailability - structure.doubled(name).unavailability
        assert structure.gain(name, value) == pytest.approx(difference, rel=1e-9)


def test_components_that_no_doubling_saves() -> None:
    poor = tuple(replace(item, mtbf_h=20.0) for item in example().reliability)
    assert found(replace(example(), reliability=poor))["umeda"].reason.startswith(
        "take better components, first of all a-pe2--umeda-ce-a: to double every element is not enough; "
    )


@pytest.mark.parametrize("primary", [A, B])
def test_coverage_is_where_the_bound_is_just_met(primary: Network) -> None:
    """By all states, and a switch-over that fails in one of (1 - coverage) cases."""
    structure = Structure({"s": 1e-5}, {A: {"a": 2e-3}, B: {"b": 1e-3}})
    covered = structure.coverage(primary, BOUND)
    other = {A: "b", B: "a"}[primary]
    mine = {A: "a", B: "b"}[primary]
    chances = {"s": 1e-5, "a": 2e-3, "b": 1e-3}
    perfect = by_all_states([["s", "a"], ["s", "b"]], chances)
    only_mine_fails = (1 - chances["s"]) * chances[mine] * (1 - chances[other])
    assert perfect + (1 - covered) * only_mine_fails == pytest.approx(BOUND, rel=1e-9)
    assert 0.99 < covered < 1


def test_a_path_that_never_fails_needs_no_switch_over() -> None:
    assert Structure({}, {A: {}, B: {"b": 0.5}}).coverage(A, BOUND) == 0.0


@pytest.mark.parametrize("component", ["ip_core", "ip_access", "lte_radio", "lte_core", "ce_router"])
def test_a_figure_that_is_missing_is_unknown(component: str) -> None:
    left = tuple(item for item in example().reliability if item.component != component)
    verdicts = found(replace(example(), reliability=left))
    assert {verdict.result for verdict in verdicts.values()} == {Result.UNKNOWN}
    assert verdicts["umeda"].reason == f"the reliability of {component} is not stated"


def test_an_element_of_no_class_is_unknown() -> None:
    plan = example()
    odd = tuple(
        replace(path, elements=(*path.elements, "dras")) if path.site == "umeda" else path
        for path in plan.paths
    )
    verdict = found(replace(plan, paths=odd))["umeda"]
    assert (verdict.result, verdict.reason) == (
        Result.UNKNOWN,
        "the reliability of DRAS (dras) is not stated",
    )


def test_every_kind_of_element_counts_or_is_named() -> None:
    kinds = {example().element_kind(name) for path in example().paths for name in path.elements}
    counted = set(availability.CLASS_OF)
    joined = {LinkKind.CORE, LinkKind.LAN, LinkKind.RADIO, LinkKind.S1_U, LinkKind.S5, LinkKind.SGI}
    assert kinds <= counted | joined
    assert not counted & joined
    assert Function.SWITCH in counted
