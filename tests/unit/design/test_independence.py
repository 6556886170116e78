"""R-DUAL: nothing that joins both networks passes, and what nobody examined is unknown."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from heiiki.design import independence
from heiiki.intent import load
from heiiki.intent.consistency import one_carrier
from heiiki.plan import Plan, build
from heiiki.plan.model import Risks, SharedRisk
from heiiki.requirements import Result, Verdict

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
SITES = ("umeda", "namba", "sakai")
EXAMINED = "examined by K. Mori on 2026-10-01: letters 12 and 31"


@cache
def example() -> Plan:
    return build(load(EXAMPLE))


def found(plan: Plan) -> dict[str, Verdict]:
    return {verdict.subject: verdict for verdict in independence.verdicts(plan, {})}


def shared(*elements: str, examined: str = EXAMINED) -> Plan:
    return replace(example(), risks=Risks(examined, (SharedRisk("duct-3", "duct", elements),)))


def test_what_nobody_examined_is_unknown() -> None:
    verdicts = found(replace(example(), risks=Risks("")))
    assert {verdict.result for verdict in verdicts.values()} == {Result.UNKNOWN}
    assert verdicts["umeda"].reason == (
        "what the two networks share was not examined: ducts, power, buildings, wholesale; "
        "ask both carriers, and write `risks:` in service.yml"
    )


def test_a_pass_says_who_looked() -> None:
    verdict = found(replace(example(), risks=Risks(EXAMINED)))["namba"]
    assert verdict.result is Result.PASS
    assert verdict.reason == f"figure 5.18 (a) networks doubled; what they share was {EXAMINED}"


@pytest.mark.parametrize(
    ("elements", "failed"),
    [
        (("a-pe1", "b-edge"), set(SITES)),
        (("a-pe1--hub-ce-a", "b-edge--hub-ce-b"), set(SITES)),
        (("a-pe2--umeda-ce-a", "b-enb--umeda-gw-b"), {"umeda"}),
        (("sakai-gw-b", "sakai-ce-a"), {"sakai"}),
        (("a-p1", "b-hss"), set(SITES)),  # without the HSS network B admits nobody
        (("a-p1", "b-mme"), set(SITES)),
        (("a-pe1", "a-p1"), set()),
        (("b-pgw", "b-sgw"), set()),
        (("namba-gw", "a-pe2"), set()),  # (a): its one gateway is on both
        (("umeda-ce-a", "sakai-gw-b"), set()),  # of two sites: no path has both
        (("dras", "xmpp"), set()),
    ],
)
def test_a_risk_that_joins_both_paths_fails_the_sites_that_use_both(
    elements: tuple[str, ...], failed: set[str]
) -> None:
    verdicts = found(shared(*elements))
    assert {name for name, verdict in verdicts.items() if verdict.result is Result.FAIL} == failed


def test_the_risk_and_its_elements_are_named() -> None:
    plan = shared("a-pe1", "a-p1", "b-edge", examined="")
    assert found(plan)["umeda"].reason == "duct duct-3 joins a-pe1, a-p1 of A with b-edge of B"
    assert found(plan)["umeda"].result is Result.FAIL  # known, though nobody looked for others


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("alpha", "alpha", True),
        ("alpha", "alpha2", True),
        ("kddi_1", "kddi_2", True),
        ("Alpha", "al_pha", True),
        ("alpha", "beta", False),
        ("ntt_east", "ntt_west", False),
    ],
)
def test_carriers_are_compared_by_their_letters(first: str, second: str, one: bool) -> None:
    assert one_carrier(first, second) is one
    a, b = example().networks
    plan = replace(example(), networks=(replace(a, carrier=first), replace(b, carrier=second)))
    assert (found(plan)["umeda"].result is Result.FAIL) is one


def test_one_network_is_not_two() -> None:
    verdict = found(replace(example(), networks=example().networks[:1]))["umeda"]
    assert (verdict.result, verdict.reason) == (Result.FAIL, "both networks are of one carrier: alpha")


def _edited(text: str) -> str:
    return text.replace(
        "  shared: []", "  shared:\n    - {name: duct-3, kind: duct, elements: [a-pe1, b-edge]}"
    )


def _unexamined(text: str) -> str:
    head, _, rest = text.partition("risks:")
    return head + rest.partition("\n\n")[2]


@pytest.mark.parametrize(("change", "result"), [(_edited, Result.FAIL), (_unexamined, Result.UNKNOWN)])
def test_what_is_written_decides(change: Callable[[str], str], result: Result, tmp_path: Path) -> None:
    text = (EXAMPLE / "service.yml").read_text()
    assert change(text) != text
    (tmp_path / "service.yml").write_text(change(text))
    (tmp_path / "sites").symlink_to(EXAMPLE / "sites")
    verdicts = found(build(load(tmp_path)))
    assert {verdict.result for verdict in verdicts.values()} == {result}
