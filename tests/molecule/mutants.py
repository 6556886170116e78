"""What the mutants of the running lab share: how one is described, tried, and what the verification says.

Every mutant changes one timer, filter, rule, program, key or certificate on a running device, as a tired
engineer or an attacker would, and is undone afterwards. A verdict that is not named must not move.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from cryptography import x509

from heiiki.pki.authorities import every
from heiiki.render import DeviceBuild
from heiiki.report import EvidenceStore
from heiiki.requirements import Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.service import Service
from heiiki.verify.config import running as configuration
from heiiki.verify.fleet import Fleet, fleet
from heiiki.verify.ipsec import anchors as trust_anchors
from heiiki.verify.ipsec import associations as trust_sas
from heiiki.verify.ipsec import certificates as trust_certificates
from heiiki.verify.ipsec import cleartext as trust_clear
from heiiki.verify.ipsec import mirrors as trust_mirrors
from heiiki.verify.ipsec import refusals as trust_refusals
from heiiki.verify.ipsec.test_certificates import VaultAuthority
from heiiki.verify.mms import access as mms_access
from heiiki.verify.mms import orders as mms_orders
from heiiki.verify.named import CHECKS
from heiiki.verify.rest import access as rest_access
from heiiki.verify.routing.health import Health
from heiiki.verify.run import verify
from heiiki.verify.wlan import trials as wlan_trials
from heiiki.verify.xmpp import access as xmpp_access
from heiiki_lab.transport import LabTransport

Key = tuple[str, str, str]
"""Requirement, stage, subject."""
Verdicts = dict[Key, Verdict]
Argv = tuple[str, ...]


def vtysh(*lines: str) -> tuple[str, ...]:
    return ("vtysh", *(word for line in ("configure terminal", *lines) for word in ("-c", line)))


def nft(rule: str) -> tuple[str, ...]:
    return ("nft", *rule.split())


def sh(script: str) -> Argv:
    return ("sh", "-c", script)


AGENT = "/usr/local/lib/heiiki/heiiki-agent.pyz"
RELOAD_FILTER = ("nft", "-f", "/etc/nftables.conf")


@dataclass(frozen=True)
class Mutant:
    """What is broken, where, how it is mended, and the (requirement, stage, subject) that it must flip.

    Attributes:
        live: requirements of which live verdicts must flip beside.
        representative: one of those of `make test`; `make long` has all.
    """

    name: str
    device: str
    breaks: tuple[tuple[str, ...], ...]
    mends: tuple[tuple[str, ...], ...]
    flips: frozenset[Key]
    checks: tuple[str, ...] = ("config",)
    live: frozenset[str] = field(default=frozenset())
    representative: bool = False


@dataclass(frozen=True)
class TrustMutant:
    """What an attacker or a tired engineer does to trust; `flips` has for each verdict the reason to be told.

    Attributes:
        reloads: tunnels are set up again, both when it is done and when it is undone.
        representative: one of those of `make test`; `make long` has all.
    """

    name: str
    breaks: "Act"
    mends: "Act"
    checks: tuple[str, ...]
    flips: dict[Key, str]
    reloads: bool = False
    representative: bool = False


def chosen(mutants: "Sequence[Mutant | TrustMutant]", subject: str) -> list[Any]:
    """Each mutant as a parameter of a test, counted under its subject, for `make test` or `make long`."""
    marks = {True: pytest.mark.representative, False: pytest.mark.long}
    return [
        pytest.param(
            mutant, id=mutant.name, marks=[marks[mutant.representative], pytest.mark.mutant(subject)]
        )
        for mutant in mutants
    ]


class Bench:
    """The provisioned lab, and what its verification says."""

    def __init__(
        self, service: Service, builds: Sequence[DeviceBuild], transport: LabTransport, folder: Path
    ) -> None:
        self.service, self.plan, self.builds, self.transport = service, service.plan, builds, transport
        self._store = EvidenceStore(folder)
        self._baselines: dict[str, Verdicts] = {}

    def verdicts(self, checks: tuple[str, ...]) -> Verdicts:
        found = [*self._verified(tuple(name for name in checks if name not in TRUST))]
        with fleet(self.transport, len(self.plan.devices)) as devices:
            for name in in_turn(checks):
                if name in TRUST:
                    found += TRUST[name](self, devices)
        return {(item.requirement, str(item.stage), item.subject): item for item in found}

    def _verified(self, checks: tuple[str, ...]) -> tuple[Verdict, ...]:
        if not checks:
            return ()
        adds = partial(self.service.management.adds, self.plan)
        return verify(self.plan, self.builds, self.transport, self.keep, checks=checks, adds=adds).verdicts

    def authorities(self) -> tuple[x509.Certificate, ...]:
        return every(self.service.vault("comparing trust anchors").vault, self.plan.pki)

    def keep(self, name: str, raw: bytes) -> Evidence:
        return self._store.keep(name, raw)

    def baseline(self, checks: tuple[str, ...]) -> Verdicts:
        """What the checks say of the network as provisioned; each is made once, whatever it is combined with.

        By itself a check says what it says in a combination: none goes on beside one that would spoil it, and
        what leaves something behind comes last (`in_turn`).
        """
        for name in in_turn(checks):
            if name not in self._baselines:
                self._baselines[name] = self.verdicts((name,))
        return {key: one for name in in_turn(checks) for key, one in self._baselines[name].items()}

    def settled(self) -> None:
        """Wait until both paths of every site are up, for a tunnel that was set up again."""
        with fleet(self.transport, len(self.plan.devices)) as devices:
            Health(self.plan, devices).wait(30.0)

    def run(self, device: str, commands: tuple[Argv, ...]) -> None:
        for argv in commands:
            self.call(device, argv)

    def call(self, device: str, argv: Argv, stdin: bytes = b"") -> bytes:
        done = self.transport.run(device, argv, stdin=stdin)
        assert done.rc == 0, f"{device}: {argv}: {done.stderr.decode()}"
        return done.stdout


Act = Callable[[Bench], None]


def files(bench: Bench, devices: Fleet) -> Iterator[Verdict]:
    """Check ``config``, of the two devices whose files a mutant of trust may change."""
    those = [build for build in bench.builds if build.device in {"umeda-gw-b", "hub-ce-b"}]
    adds = partial(bench.service.management.adds, bench.plan)
    return configuration.verdicts(bench.plan, those, devices, bench.keep, adds)


TRUST: dict[str, Callable[[Bench, Fleet], Iterator[Verdict]]] = {
    "files": files,
    "associations": lambda bench, devices: trust_sas.verdicts(bench.plan, devices, bench.keep),
    "anchors": lambda bench, devices: trust_anchors.verdicts(
        bench.plan, devices, bench.keep, bench.authorities
    ),
    "certificates": lambda bench, devices: trust_certificates.verdicts(bench.plan, devices, bench.keep),
    "mirrors": lambda bench, devices: trust_mirrors.verdicts(bench.plan, devices, bench.keep),
    "refusals": lambda bench, devices: trust_refusals.verdicts(
        bench.plan, bench.builds, devices, bench.keep, None
    ),
    "xmpp-refusals": lambda bench, devices: xmpp_access.verdicts(
        bench.plan, devices, bench.keep, None, "not made here"
    ),
    "wlan-refusals": lambda bench, devices: wlan_trials.verdicts(
        bench.plan, devices, bench.keep, VaultAuthority(bench.plan, bench.service.vault("trials on the air"))
    ),
    "mms-refusals": lambda bench, devices: mms_access.verdicts(
        bench.plan,
        devices,
        bench.keep,
        VaultAuthority(bench.plan, bench.service.vault("attempts")),
        SystemRandom(),
    ),
    "mms-orders": lambda bench, devices: mms_orders.verdicts(
        bench.plan, devices, bench.transport, bench.keep, mms_orders.drawn(bench.plan, SystemRandom())
    ),
    "rest-refusals": lambda bench, devices: rest_access.verdicts(
        bench.plan,
        devices,
        bench.keep,
        VaultAuthority(bench.plan, bench.service.vault("making the certificates of attempts")),
    ),
    "clear": lambda bench, devices: trust_clear.verdicts(bench.plan, bench.transport, devices, bench.keep),
}
"""Parts of checks ``config`` and ``trust``, which as a whole takes most of a minute.

What must be refused comes after what is only read, as in a whole verification: mirrors are judged by the
newest list, and a trial makes a new one.
"""


def in_turn(checks: Iterable[str]) -> tuple[str, ...]:
    """Return checks in the order in which they are made, and in which the later has the last word."""
    asked = frozenset(checks)
    assert asked <= {*CHECKS, *TRUST}, asked
    return tuple(name for name in (*CHECKS, *TRUST) if name in asked)


def try_mutant(bench: Bench, mutant: Mutant) -> None:
    """It flips what is meant for it and nothing else."""
    before = bench.baseline(mutant.checks)
    assert mutant.flips or mutant.live
    assert unlike("pass", before, mutant.flips) == {}
    bench.run(mutant.device, mutant.breaks)
    try:
        after = bench.verdicts(mutant.checks)
    finally:
        bench.run(mutant.device, mutant.mends)
    flipped = differing(before, after)
    on_paper = {key for key in flipped if key[1] == "config"}
    assert on_paper == mutant.flips, on_paper ^ mutant.flips
    assert {key[0] for key in flipped - on_paper} == mutant.live, flipped - on_paper
    failed = {key for key in flipped if after[key].result == "fail"}
    assert on_paper <= failed, on_paper - failed
    assert {key[0] for key in failed - on_paper} == mutant.live, failed - on_paper


def try_trust_mutant(bench: Bench, mutant: TrustMutant) -> None:
    """It flips what is meant for it and nothing else, and for the reason that is meant."""
    before = bench.baseline(mutant.checks)
    assert unlike("pass", before, mutant.flips) == {}
    mutant.breaks(bench)
    try:
        if mutant.reloads:
            bench.settled()
        after = bench.verdicts(mutant.checks)
    finally:
        mutant.mends(bench)
        if mutant.reloads:
            bench.settled()
    flipped = differing(before, after)
    assert flipped == set(mutant.flips), flipped ^ set(mutant.flips)
    assert unlike("fail", after, mutant.flips) == {}
    other = {key: after[key].reason for key, told in mutant.flips.items() if told not in after[key].reason}
    assert other == {}, other


def unlike(result: str, verdicts: Verdicts, keys: Iterable[Key]) -> dict[Key, str]:
    """Return what the verdicts say that have another result."""
    found = {key: verdicts[key] for key in keys}
    return {key: f"{one.result}: {one.reason}" for key, one in found.items() if one.result != result}


def differing(before: Verdicts, after: Verdicts) -> set[Key]:
    assert after.keys() == before.keys(), after.keys() ^ before.keys()
    return {key for key, verdict in after.items() if verdict.result != before[key].result}
