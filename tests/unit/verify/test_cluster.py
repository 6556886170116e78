"""What is told of the cluster of Vault servers: each thing that may be wrong has its own words."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from three_vaults import EXAMPLE, VAULTS, with_vaults

from heiiki.errors import VaultError, VaultFault
from heiiki.intent import load
from heiiki.pki.server.members import Member, Membership, Seen
from heiiki.plan import Plan, build
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import cluster

Keep = Callable[[str, bytes], Evidence]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return with_vaults()


def good() -> Membership:
    seen = tuple(Seen(name, leads=name == "vault-2", version="2.7.2", cluster="c") for name in VAULTS)
    members = tuple(
        Member(name, f"10.15.0.{number}:8201", votes=True, healthy=True)
        for number, name in enumerate(VAULTS, 6)
    )
    return Membership(seen, members)


def seen(name: str, **changed: Any) -> Membership:
    found = good()
    return replace(
        found, seen=tuple(replace(one, **changed) if one.device == name else one for one in found.seen)
    )


def member(name: str, **changed: Any) -> Membership:
    found = good()
    return replace(
        found, members=tuple(replace(one, **changed) if one.name == name else one for one in found.members)
    )


def judged(plan: Plan, kept: Keep, found: Membership) -> Verdict:
    (verdict,) = cluster.verdicts(plan, kept, lambda: found, sleep=lambda _: None)
    assert (verdict.requirement, verdict.subject) == ("R-THEFT", cluster.SUBJECT)
    return verdict


def test_a_cluster_as_planned_passes(plan: Plan, kept: Keep) -> None:
    verdict = judged(plan, kept, good())
    assert verdict.result is Result.PASS
    assert (verdict.measured, verdict.bound) == (1, 1)


FOREIGN = Member("vault-9", "10.15.0.9:8201", votes=True, healthy=True)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (seen("vault-3", problem="vault-3 is sealed"), "no more may fail: vault-3 is sealed"),
        (seen("vault-2", leads=False), "1 more may fail: no server leads, so none answers"),
        (seen("vault", leads=True), "1 more may fail: vault and vault-2 each say that they lead"),
        (
            seen("vault-3", version="2.6.0"),
            "1 more may fail: vault-3 is of version 2.6.0, and others of 2.7.2",
        ),
        (seen("vault", cluster="other"), "1 more may fail: vault is of cluster other, and others of c"),
        (
            replace(good(), members=good().members[:2]),
            "no more may fail: vault-3 is no member",
        ),
        (
            replace(good(), members=(*good().members, FOREIGN)),
            "no more may fail: vault-9 at 10.15.0.9:8201 is a member, and not of the plan",
        ),
        (
            member("vault-3", address="127.0.0.1:8201"),
            "1 more may fail: vault-3 is a member at 127.0.0.1:8201, not 10.15.0.8:8201",
        ),
        (member("vault-3", votes=False), "no more may fail: vault-3 does not vote"),
        (
            member("vault", healthy=False),
            "no more may fail: vault was not heard by the one that leads, or lags behind",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_has_its_words(plan: Plan, kept: Keep, found: Membership, told: str) -> None:
    verdict = judged(plan, kept, found)
    assert (verdict.result, verdict.reason) == (Result.FAIL, told)


def test_without_a_majority_it_fails_though_nobody_tells_the_members(plan: Plan, kept: Keep) -> None:
    lost = tuple(Seen(name, problem=f"{name} is silent") for name in VAULTS[:2])
    found = Membership((*lost, Seen("vault-3", version="2.7.2", cluster="c")), (), "nobody leads")
    verdict = judged(plan, kept, found)
    assert verdict.result is Result.FAIL
    assert verdict.reason.startswith(
        "there is no majority, and nothing is revoked or certified: vault is silent"
    )
    assert verdict.measured == -1


def test_members_that_could_not_be_asked_for_are_unknown(plan: Plan, kept: Keep) -> None:
    verdict = judged(plan, kept, replace(good(), members=(), problem="the log-in was refused"))
    assert (verdict.result, verdict.reason) == (
        Result.UNKNOWN,
        "the members are not known: the log-in was refused",
    )


def test_a_server_that_has_just_come_back_is_asked_again(plan: Plan, kept: Keep) -> None:
    answers = [member("vault", healthy=False), good()]
    slept: list[float] = []
    (verdict,) = cluster.verdicts(plan, kept, lambda: answers.pop(0), sleep=slept.append)
    assert (verdict.result, len(slept)) == (Result.PASS, 1)


def test_what_cannot_be_asked_is_unknown(plan: Plan, kept: Keep) -> None:
    def away() -> Membership:
        raise VaultError("no CA is known", VaultFault.TLS)

    for ask, told in ((None, "no Vault server is known"), (away, "could not be asked: no CA is known")):
        (verdict,) = cluster.verdicts(plan, kept, ask)
        assert verdict.result is Result.UNKNOWN
        assert told in verdict.reason


def test_one_server_has_no_such_verdict(kept: Keep) -> None:
    assert not [*cluster.verdicts(build(load(EXAMPLE)), kept, good)]
    assert not [*cluster.expected(build(load(EXAMPLE)))]
