"""Services at the edges of what may be written: nothing in what is rendered of them is left empty."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2
import pytest

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import compile_plan
from heiiki.render.templates import braces, quoted

BASE = Path(__file__).parents[2] / "errors" / "base"
SERVICE, UMEDA, NAMBA = "service.yml", "sites/0017-umeda.yml", "sites/0023-namba.yml"
P1 = "      - {name: p1, function: p, number: 11}"
P1_PE2 = "      - {number: 2, between: [p1, pe2]}"
PE3, PE3_P1 = "      - {name: pe3, function: pe, number: 3}", "      - {number: 3, between: [pe3, p1]}"
NO_TEST_EQUIPMENT = ("test_equipment:\n  overlaps: umeda\n", "")

ALONE = {
    SERVICE: [
        NO_TEST_EQUIPMENT,
        ("      - {name: pe2, function: pe, number: 2}\n", ""),
        (P1 + "\n", ""),
        ("    links:\n      - {number: 1, between: [pe1, p1]}\n" + P1_PE2 + "\n", ""),
    ],
    UMEDA: [("pe: pe2", "pe: pe1")],
    NAMBA: [("pe: pe2", "pe: pe1")],
}
EDGES: Mapping[str, Mapping[str, list[tuple[str, str]]]] = {
    "as it is": {},
    "a PE without a site": {SERVICE: [(P1, f"{PE3}\n{P1}"), (P1_PE2, f"{P1_PE2}\n{PE3_P1}")]},
    "no second customer": {SERVICE: [NO_TEST_EQUIPMENT]},
    "one site": {NAMBA: []},
    "one gateway": {SERVICE: [NO_TEST_EQUIPMENT], UMEDA: []},
    "one PE, no core": ALONE,
    "all sites at the hub's PE": {UMEDA: [("pe: pe2", "pe: pe1")], NAMBA: [("pe: pe2", "pe: pe1")]},
    "the hub at the sites' PE": {SERVICE: [("hub_pe: pe1", "hub_pe: pe2")]},
    "all over network B": {UMEDA: [("primary: a", "primary: b")], NAMBA: [("primary: a", "primary: b")]},
    "over SSH": {
        SERVICE: [("{kind: lab}", "{kind: ssh, user: ops, sources: [192.168.1.0/24, 192.168.1.0/25]}")]
    },
}


def service(folder: Path, edge: str) -> Path:
    """The base service, changed; a site's file without changes is taken away."""
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    for name, changes in EDGES[edge].items():
        text = (folder / name).read_text()
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        if changes:
            (folder / name).write_text(text)
        else:
            (folder / name).unlink()
    return folder


def flaws_of_nft(text: str) -> list[str]:
    """An empty set, an empty name, or a rule without its value: `nft -c` refuses each."""
    made = re.compile(r"\t?(?:table (?:inet|arp) heiiki|counter \w+) \{\}")
    wrong = re.compile(r'""|\{\s*\}|\{\s*,|,\s*[,}]|: jump from_\w* (?!})|  +')
    rules = [line.strip("\t") for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = [line for line in rules if line and not made.fullmatch(line) and wrong.search(line)]
    counts = [] if text.count("{") == text.count("}") else ["braces"]
    return found + counts


def flaws_of_frr(text: str) -> list[str]:
    lines = text.splitlines()
    found = [
        line for line in lines if not line.strip() or line.endswith(" ") or re.search(r"\S  |None", line)
    ]
    found += [
        line
        for line in lines
        if re.fullmatch(r" *(?:rt vpn \w+|neighbor \S+|.* (?:in|out|profile))", line)
        and len(line.split()) < 3
    ]
    used = set(re.findall(r"prefix-list (\S+)$", text, re.MULTILINE))
    defined = set(re.findall(r"^ip prefix-list (\S+) seq", text, re.MULTILINE))
    maps = set(re.findall(r" route-map (\S+) (?:in|out)$", text, re.MULTILINE))
    made = set(re.findall(r"^route-map (\S+) permit", text, re.MULTILINE))
    return found + sorted(used - defined) + sorted(maps - made)


def flaws_of_settings(text: str) -> list[str]:
    """strongSwan and keepalived: a setting without a value, a section that is never closed."""
    found = [line for line in text.splitlines() if re.search(r"=\s*$|None|, ,|,\s*$", line)]
    return found + ([] if text.count("{") == text.count("}") else ["braces"])


LANGUAGES: Mapping[str, Callable[[str], list[str]]] = {
    "/etc/nftables.conf": flaws_of_nft,
    "/etc/frr/frr.conf": flaws_of_frr,
    "/etc/swanctl/swanctl.conf": flaws_of_settings,
    "/etc/keepalived/keepalived.conf": flaws_of_settings,
}


def flaws(plan: Plan) -> dict[str, list[str]]:
    """What is wrong with the rendered files, by device and path."""
    read = set()
    found: dict[str, list[str]] = {}
    for item in compile_plan(plan):
        for file in item.files:
            if file.path in LANGUAGES:
                read.add(file.path)
                if wrong := LANGUAGES[file.path](file.content):
                    found[f"{item.device}{file.path}"] = wrong
    assert len(read) >= 3
    return found


@pytest.mark.parametrize("edge", EDGES)
def test_nothing_is_left_empty(edge: str, tmp_path: Path) -> None:
    assert flaws(build(load(service(tmp_path, edge)))) == {}


@pytest.mark.parametrize("edge", ["as it is", "one PE, no core", "a PE without a site"])
def test_nothing_is_left_empty_when_gateways_are_revoked(edge: str, tmp_path: Path) -> None:
    folder = service(tmp_path, edge)
    gateways = [name for site in build(load(folder)).sites for name in site.gateways]
    for named in (*([name] for name in gateways), gateways):
        entries = [f"- {{device: {name}, since: 2026-11-24, reason: stolen}}" for name in named]
        (folder / "revoked.yml").write_text("\n".join(["devices:", *entries]))
        assert flaws(build(load(folder))) == {}, named


@pytest.mark.parametrize("words", [braces, quoted])
@pytest.mark.parametrize("items", [(), ("",)])
def test_an_empty_set_is_no_text(words: Callable[[tuple[str, ...]], str], items: tuple[str, ...]) -> None:
    with pytest.raises(jinja2.TemplateRuntimeError, match="an empty set"):
        words(items)


@pytest.mark.parametrize(
    "rule",
    [
        'iifname { "" } accept',
        "ip saddr { } accept",
        "ip saddr {10.0.0.1, } accept",
        'iifname {"a", , "b"} accept',
    ],
)
def test_the_check_sees_what_nft_refuses(rule: str) -> None:
    assert flaws_of_nft(f"table inet heiiki {{}}\n\t\t{rule}\n") == [rule]
