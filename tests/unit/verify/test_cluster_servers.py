"""A real cluster of Vault servers, and each mutant of it, as `verify.yml` judges them."""

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import vault_cluster
from three_vaults import VAULTS, with_vaults
from vault_cluster import Cluster

from heiiki.pki.server import members
from heiiki.pki.server.bootstrap import root, unseal
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.reading import Reading
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify import cluster as judging


def verdict(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, sleep: Callable[[float], None] = time.sleep
) -> Verdict:
    """Judge the cluster as `verify.yml` does; the servers' addresses are those here."""
    here = {
        name: re.search(r'cluster_addr = "https://(.*)"', (node.folder / "vault.hcl").read_text())
        for name, node in cluster.nodes.items()
    }
    found = {name: match[1] for name, match in here.items() if match}
    monkeypatch.setattr(judging, "addresses", lambda _plan: found)
    (judged,) = judging.verdicts(
        cluster.plan,
        lambda _name, _data: Evidence("", ""),
        lambda: members.membership(cluster.access(), cluster.plan.pki),
        sleep,
    )
    return judged


def test_a_whole_cluster_passes(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    found = verdict(cluster, monkeypatch)
    assert (found.result, found.measured) == (Result.PASS, 1), found.reason


@pytest.mark.parametrize("lose", ["killed", "held", "sealed", "emptied"])
def test_a_server_that_does_not_serve_fails(
    whole: Cluster, monkeypatch: pytest.MonkeyPatch, lose: str
) -> None:
    node = whole.followers()[0]
    if lose == "held":
        node.signal(signal.SIGSTOP)
    elif lose == "emptied":
        node.lose()
        node.start()
    else:
        node.kill()
        if lose == "sealed":
            node.start()
    found = verdict(whole, monkeypatch)
    assert found.result is Result.FAIL
    assert found.reason.startswith("no more may fail: ")
    assert found.measured == 0


def test_without_a_majority_it_fails(whole: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for node in whole.followers():
        node.kill()
    found = verdict(whole, monkeypatch)
    assert (found.result, found.measured) == (Result.FAIL, -1)
    assert found.reason.startswith("there is no majority, and nothing is revoked or certified: ")


def test_a_foreign_member_fails_and_role_pki_removes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with vault_cluster.running(tmp_path, *VAULTS, "vault-9") as four:
        four.apply()
        foreign = four.nodes.pop("vault-9")
        four.plan = with_vaults()
        found = verdict(four, monkeypatch)
        assert found.result is Result.FAIL
        assert "vault-9 at " in found.reason
        assert "is a member, and not of the plan" in found.reason
        path = "sys/storage/raft/configuration/vault-9"
        assert path in [change.path for change in four.apply(check=True)]
        assert path in [change.path for change in four.apply()]
        assert four.apply() == ()
        foreign.kill()
        assert verdict(four, monkeypatch).result is Result.PASS


def test_a_member_without_a_vote_fails(whole: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = whole.followers()[0]
    with root(whole.access()) as session:
        session.write(members.REMOVE, {"server_id": lost.planned.device})
    lost.lose()
    lost.start()
    way = whole.access()
    [new] = [one for one in members.look(way) if one.is_new]
    members.join(way, new)
    unseal(way)
    # At once: it votes some seconds later.
    found = verdict(whole, monkeypatch, sleep=lambda _: None)
    assert found.result is Result.FAIL
    assert found.reason.startswith(f"no more may fail: {lost.planned.device} does not vote")
    # The next run of role pki has nothing to join, and awaits the vote all the same.
    assert whole.apply() == ()
    with logged_in(whole.access(), AppRole.AUDITOR) as auditor:
        assert members.members(Reading(auditor)) == dict.fromkeys(VAULTS, True)
