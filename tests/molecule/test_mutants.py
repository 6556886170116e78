"""A verification that cannot fail proves nothing: each mutant of the running lab flips what is meant for it.

Every mutant changes one timer, filter, rule or program on one running device, as a tired engineer or an
intruder would, and is undone afterwards. A verdict that is not named must not move.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from heiiki.evidence import EvidenceStore
from heiiki.intent import load
from heiiki.lab.state import lab_dir
from heiiki.observe import verify
from heiiki.plan import Plan, build
from heiiki.render import DeviceBuild, compile_plan
from heiiki.transports import LabTransport

Verdicts = dict[tuple[str, str, str], str]


def vtysh(*lines: str) -> tuple[str, ...]:
    return ("vtysh", *(word for line in ("configure terminal", *lines) for word in ("-c", line)))


def nft(rule: str) -> tuple[str, ...]:
    return ("nft", *rule.split())


RELOAD_FILTER = ("nft", "-f", "/etc/nftables.conf")
S0017 = ("router bgp 64601 vrf s0017", "address-family ipv4 unicast")


@dataclass(frozen=True)
class Mutant:
    """What is broken, where, how it is mended, and the (requirement, stage, subject) that it must flip."""

    name: str
    device: str
    breaks: tuple[tuple[str, ...], ...]
    mends: tuple[tuple[str, ...], ...]
    flips: frozenset[tuple[str, str, str]]
    checks: tuple[str, ...] = ("config",)
    live: frozenset[str] = field(default=frozenset())


MUTANTS = (
    Mutant(
        "a timer",
        "hub-ce-a",
        (vtysh("bfd", "profile active", "detect-multiplier 10"),),
        (vtysh("bfd", "profile active", "detect-multiplier 4"),),
        frozenset({("R-GAP", "config", "hub-ce-a")}),
    ),
    Mutant(
        "an export filter",
        "hub-ce-a",
        (vtysh("route-map ANNOUNCE-HUB-LAN permit 20"),),
        (vtysh("no route-map ANNOUNCE-HUB-LAN permit 20"),),
        frozenset({("R-ISO-SITE", "config", "hub-ce-a")}),
    ),
    Mutant(
        "a forwarding rule of the hub",
        "hub-ce-a",
        (nft("insert rule inet heiiki forward accept"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-SITE", "config", "hub-ce-a")}),
    ),
    Mutant(
        "a VRF's import",
        "a-pe2",
        (vtysh(*S0017, "rt vpn import 64601:1 64601:2"),),
        (vtysh(*S0017, "rt vpn import 64601:1"),),
        frozenset({("R-ISO-SITE", "config", "a-pe2")}),
    ),
    Mutant(
        "the PGW's rule between subscribers",
        "b-pgw",
        (nft("insert rule inet heiiki forward iifname gtp0 oifname gtp0 accept"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-SITE", "config", "b-pgw")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-SITE"}),
    ),
    Mutant(
        "the LAN watch",
        "umeda-ce-a",
        (("pkill", "-f", "lan_watch.py"),),
        (("python3", "-", "start-all"),),
        frozenset({("R-GAP", "config", "umeda-ce-a")}),
    ),
    Mutant(
        "the guard against spoofed sources",
        "umeda-ce-a",
        (nft("flush chain inet heiiki from_lan0"), nft("flush chain inet heiiki from_lan0_v")),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-MALICE", "config", "umeda-ce-a")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-MALICE"}),
    ),
    Mutant(
        "the closed group's door",
        "dras",
        (nft("insert rule inet heiiki input accept"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-GROUP", "config", "dras")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-GROUP"}),
    ),
    Mutant(
        "a subscription",
        "b-hss",
        (("sed", "-i.kept", "s/dr.beta.example/other.example/", "/etc/heiiki/subscribers.json"),),
        (("mv", "/etc/heiiki/subscribers.json.kept", "/etc/heiiki/subscribers.json"),),
        frozenset({("R-SEC-ACCESS", "config", "b-hss")}),
    ),
    Mutant(
        "an address",
        "umeda-gw-b",
        (("ip", "address", "add", "10.16.1.30/32", "dev", "lan0"),),
        (("ip", "address", "del", "10.16.1.30/32", "dev", "lan0"),),
        frozenset({("R-DUAL", "config", "umeda-gw-b")}),
    ),
)


class Bench:
    """The provisioned lab, and what its verification says."""

    def __init__(
        self, plan: Plan, builds: Sequence[DeviceBuild], transport: LabTransport, folder: Path
    ) -> None:
        self.plan, self.builds, self.transport = plan, builds, transport
        self._store = EvidenceStore(folder)
        self._baselines: dict[tuple[str, ...], Verdicts] = {}

    def verdicts(self, checks: tuple[str, ...]) -> Verdicts:
        seen = verify(self.plan, self.builds, self.transport, self._store.keep, checks=checks)
        return {(item.requirement, str(item.stage), item.subject): str(item.result) for item in seen.verdicts}

    def baseline(self, checks: tuple[str, ...]) -> Verdicts:
        if checks not in self._baselines:
            self._baselines[checks] = self.verdicts(checks)
        return self._baselines[checks]

    def run(self, device: str, commands: tuple[tuple[str, ...], ...], root: Path) -> None:
        for argv in commands:
            stdin = b""
            if argv[:2] == ("python3", "-"):
                stdin = (root / "plugins/module_utils/service_manager.py").read_bytes()
            done = self.transport.run(device, argv, stdin=stdin)
            assert done.rc == 0, f"{device}: {argv}: {done.stderr.decode()}"


@pytest.fixture(scope="module")
def bench(provisioned: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    plan = build(load(provisioned))
    transport = LabTransport(lab_dir())
    yield Bench(plan, tuple(compile_plan(plan)), transport, tmp_path_factory.mktemp("evidence"))
    transport.close()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_flips_what_is_meant_for_it_and_nothing_else(
    bench: Bench, mutant: Mutant, root: Path
) -> None:
    before = bench.baseline(mutant.checks)
    assert {before[flip] for flip in mutant.flips} == {"pass"}
    bench.run(mutant.device, mutant.breaks, root)
    try:
        after = bench.verdicts(mutant.checks)
    finally:
        bench.run(mutant.device, mutant.mends, root)
    assert after.keys() == before.keys()
    flipped = {key for key, result in after.items() if result != before[key]}
    on_paper = {key for key in flipped if key[1] == "config"}
    assert on_paper == mutant.flips
    assert {key[0] for key in flipped - on_paper} == mutant.live
    assert {after[key] for key in on_paper} == {"fail"}


def test_after_the_mutants_all_is_as_before(bench: Bench) -> None:
    assert bench.verdicts(("config",)) == bench.baseline(("config",))
