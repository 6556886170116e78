"""Packet filters of a large service are such as nft takes: no set against itself, no name too long."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, collapse_addresses

import pytest

from heiiki.cli.new_service import generate
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import compile_plan

FILTER = "/etc/nftables.conf"
SITES = 50
IFNAMSIZ = 16
"""Octets of an interface's name, the last one zero (linux/if.h)."""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("service")
    for name, text in generate("large", SITES, 1).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return build(load(folder))


def filters(plan: Plan) -> Iterator[tuple[str, str]]:
    for one in compile_plan(plan):
        if FILTER in one.contents:
            yield one.device, one.contents[FILTER]


def faults(text: str) -> Iterator[str]:
    """Yield what nft would refuse of a filter, or would not mean as it is written."""
    for elements in re.findall(r"\{ ([^{}]*) \}", text):
        yield from faults_of_set(elements)
    for name in re.findall(r'"([^"]+)"', text):
        if len(name.removesuffix("*").encode()) >= IFNAMSIZ:
            yield f"a name too long: {name}"
    yield from faults_of_names(text)


def faults_of_set(elements: str) -> Iterator[str]:
    items = [item.strip() for item in elements.split(",")]
    keys = [item.partition(" : ")[0] for item in items]
    if len(set(keys)) < len(keys):
        yield f"an element twice: {elements}"
    elif "." in elements and all(re.fullmatch(r"[0-9.]+(/[0-9]+)?", item) for item in items):
        prefixes = [IPv4Network(item) for item in items]
        whole = sum(one.num_addresses for one in collapse_addresses(prefixes))
        if sum(one.num_addresses for one in prefixes) > whole:
            yield f"prefixes that overlap: {elements}"


def faults_of_names(text: str) -> Iterator[str]:
    declared = re.findall(r"^\t(?:counter|chain|set) (\w+) ", text, re.MULTILINE)
    if len(set(declared)) < len(declared):
        yield f"declared twice: {sorted(name for name in declared if declared.count(name) > 1)}"
    used = re.findall(r"counter name (\w+)|(?:goto|jump) (\w+)|[ :]@(?!th,)(\w+)", text)
    for name in {name for names in used for name in names if name} - set(declared):
        yield f"not declared: {name}"


def test_filters_of_fifty_sites_are_whole(plan: Plan) -> None:
    found = {device: list(faults(text)) for device, text in filters(plan)}
    assert len(found) > 2 * SITES
    assert {device: wrong for device, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ip saddr { 10.0.0.0/8, 10.1.0.0/16 } accept", "prefixes that overlap"),
        ("ip saddr { 10.0.0.1, 10.0.0.1 } accept", "an element twice"),
        ('iifname vmap { "lan0" : accept, "lan0" : drop }', "an element twice"),
        ('iifname { "gre-a00000000017" }', "a name too long"),
        ("counter name lost drop", "not declared"),
        ("\tcounter one {}\n\tcounter one {}\n", "declared twice"),
    ],
)
def test_a_fault_is_seen(text: str, fault: str) -> None:
    (found,) = faults(text)
    assert found.startswith(fault)
