"""Three Vault servers, for real: they join, and whatever one of them suffers, the service goes on."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import vault_cluster
from three_vaults import VAULTS
from vault_cluster import Cluster, Node, status
from vault_server import make_request

from heiiki.errors import LabError, VaultError, VaultFault
from heiiki.pki import marks
from heiiki.pki.issue import mint, signing_call
from heiiki.pki.revoke import revoke_device
from heiiki.pki.server import members
from heiiki.pki.server.bootstrap import apply
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import credentials, log_in, logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.reading import Reading
from heiiki.pki.server.snapshot import install, settle, take
from heiiki_agent import vault_cluster as settling
from heiiki_agent.pki.settings import Anchors
from heiiki_agent.pki.vault import Server
from heiiki_agent.vault_cluster import Member

Before = Callable[[Mapping[str, Node], Mapping[str, str]], None]

BUSY = 6
"""How much longer all may take on a busy machine."""
REVOCATION_S = 10 * BUSY
"""R-THEFT: all steps of a revocation."""
PULL_S = 20 * BUSY
"""What a device waits for an answer, and a mirror is asked after."""


def test_a_second_run_of_role_pki_changes_nothing(cluster: Cluster) -> None:
    assert cluster.apply() == ()
    assert cluster.apply(check=True) == ()
    assert {status(node) for node in cluster.nodes.values()} == {"active", "standby"}


def voting(cluster: Cluster) -> dict[str, bool]:
    with logged_in(cluster.access(), AppRole.AUDITOR) as auditor:
        return members.members(Reading(auditor))


def test_each_is_a_member_that_votes(cluster: Cluster) -> None:
    assert voting(cluster) == dict.fromkeys(VAULTS, True)
    assert not list(members.problems(cluster.access()))


def issued(cluster: Cluster, device: str) -> bytes:
    """Issue a certificate as a run of `renew.yml` and a device do it together."""
    identity = next(one for one in cluster.plan.identities() if one.device == device)
    with logged_in(cluster.access(), AppRole.ENROLLER) as enroller:
        token = mint(enroller, identity).token
    path, parameters = signing_call(cluster.plan.pki, identity)
    with Server(cluster.endpoints, Anchors(cluster.ca_pems)) as server:
        opened = server.document("POST", "sys/wrapping/unwrap", token, {})
        body = {**parameters, "csr": make_request(identity)}
        return server.call("POST", path, opened["auth"]["client_token"], body)


def pulled(cluster: Cluster) -> bytes:
    """Pull a CRL as a device does."""
    with Server(cluster.endpoints, Anchors(cluster.ca_pems)) as server:
        return server.call("GET", f"{cluster.plan.pki.issuing_mount}/crl/pem")


def revoked(cluster: Cluster, device: str) -> float:
    """Bar a device and revoke its certificates as `revoke.yml` does; returns the seconds it took."""
    identity = next(one for one in cluster.plan.identities() if one.device == device)
    began = time.monotonic()
    with logged_in(cluster.access().hurried(), AppRole.REVOKER) as vault:
        marks.mark(vault, cluster.plan.pki, device)
        assert revoke_device(vault, cluster.plan.pki, identity).serials
    return time.monotonic() - began


def killed(cluster: Cluster) -> None:
    cluster.leader().kill()


def held(cluster: Cluster) -> None:
    cluster.leader().signal(signal.SIGSTOP)


@pytest.mark.parametrize(
    ("lose", "device"), [(killed, "umeda-gw-b"), (held, "sakai-gw-b")], ids=["killed", "held"]
)
def test_without_the_leader_all_goes_on(whole: Cluster, lose: Callable[[Cluster], None], device: str) -> None:
    before = issued(whole, device)
    lose(whole)
    assert revoked(whole, device) < REVOCATION_S
    began = time.monotonic()
    assert b"X509 CRL" in pulled(whole)
    assert time.monotonic() - began < PULL_S
    assert issued(whole, "namba-gw") != before


def test_a_leader_that_hangs_in_the_middle_of_a_revocation_is_left(whole: Cluster) -> None:
    identity = next(one for one in whole.plan.identities() if one.device == "umeda-ce-a")
    issued(whole, "umeda-ce-a")
    with logged_in(whole.access().hurried(), AppRole.REVOKER) as vault:
        vault.names(f"{whole.plan.pki.issuing_mount}/certs")
        held(whole)
        began = time.monotonic()
        marks.mark(vault, whole.plan.pki, "umeda-ce-a")
        assert revoke_device(vault, whole.plan.pki, identity).new
        assert time.monotonic() - began < REVOCATION_S


def test_a_device_passes_over_a_server_that_is_sealed(whole: Cluster) -> None:
    first = whole.nodes["vault"]
    first.kill()
    first.start()
    assert status(first) == "sealed"
    assert b"X509 CRL" in pulled(whole)
    assert issued(whole, "hub-ce-a")
    [told] = members.problems(whole.access())
    assert told.startswith("vault.lab.internal is sealed: ")
    assert [change.path for change in whole.apply()] == ["sys/seal-status of vault.lab.internal"]
    assert whole.apply() == ()


def test_a_server_that_lost_its_storage_is_a_member_again(whole: Cluster) -> None:
    lost = whole.followers()[0]
    lost.lose()
    lost.start()
    assert status(lost) == "new"
    path = f"sys/storage/raft/join at {lost.server.host}"
    assert [change.path for change in whole.apply(check=True)] == [path]
    assert status(lost) == "new"
    assert [change.path for change in whole.apply()] == [path]
    assert voting(whole) == dict.fromkeys(VAULTS, True)


def test_a_run_that_was_cut_off_between_joining_and_unsealing_is_taken_up(whole: Cluster) -> None:
    lost = whole.followers()[1]
    lost.lose()
    lost.start()
    way = whole.access()
    [new] = [one for one in members.look(way) if one.is_new]
    members.join(way, new)
    assert [change.path for change in whole.apply()] == [f"sys/seal-status of {lost.server.host}"]
    assert voting(whole) == dict.fromkeys(VAULTS, True)


def test_with_one_server_gone_role_pki_does_what_it_can_and_tells(whole: Cluster) -> None:
    gone = whole.followers()[0]
    gone.kill()
    assert whole.apply() == ()
    [told] = members.problems(whole.access())
    assert gone.server.url in told


def test_without_a_majority_nothing_is_done_and_the_error_says_why(whole: Cluster) -> None:
    for node in whole.followers():
        node.kill()
    # Again and again: what asks who leads holds no connection of the pool.
    for _ in range(2):
        with pytest.raises(VaultError, match="is a standby that knows no active server") as caught:
            log_in(whole.access(), AppRole.AUDITOR)
        assert caught.value.fault is VaultFault.STANDBY


def test_a_relay_that_finds_no_server_is_passed_over(whole: Cluster) -> None:
    """In a lab the connection is made by the node: what goes wrong there is an error of the lab's."""
    way = whole.access()
    every = [replace(node.server, connect=relay(node)) for node in whole.nodes.values()]
    vault = Vault(replace(every[0], others=tuple(every[1:])))
    assert vault.health().initialised
    whole.leader().kill()
    assert vault.write("auth/approle/login", credentials(way, AppRole.AUDITOR))["auth"]


def relay(node: Node) -> Callable[[], socket.socket]:
    def connect() -> socket.socket:
        if node.process is None:
            raise LabError(f"{node.planned.device}: nothing listens")
        return socket.create_connection(("127.0.0.1", int(node.server.url.rpartition(":")[2])))

    return connect


def test_a_cluster_is_not_begun_while_a_server_is_silent(tmp_path: Path) -> None:
    with vault_cluster.running(tmp_path) as fresh:
        fresh.nodes["vault-3"].kill()
        with pytest.raises(VaultError, match=r"cannot begin a cluster while vault-3\.lab\.internal does not"):
            fresh.apply()
        assert {status(node) for node in fresh.nodes.values()} == {"new", "silent"}


def test_a_part_of_the_servers_is_not_set_up(cluster: Cluster) -> None:
    way = cluster.access({"VAULT_ADDR": cluster.nodes["vault"].server.url})
    with pytest.raises(VaultError, match="is 1 of the 3 that the plan has; set VAULT_ADDR to the addresses"):
        apply(way, cluster.plan, unsealing=True)


def moved(former: Cluster, folder: Path, monkeypatch: pytest.MonkeyPatch, *, alone: bool) -> Before:
    """Return what brings the first server's storage, and the controller's state, from a former cluster.

    The node's own program does what it does before each start.
    """
    shutil.copytree(former.folder / "state", folder / "state")

    def before(nodes: Mapping[str, Node], addresses: Mapping[str, str]) -> None:
        storage = nodes["vault"].folder / "raft"
        shutil.copytree(former.nodes["vault"].folder / "raft", storage)
        monkeypatch.setattr(settling, "ALONE", addresses["vault"])
        member = None if alone else Member("vault", addresses["vault"])
        settling.settle(member, storage, os.getuid())

    return before


def test_one_server_becomes_three_and_three_become_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "RECORD", tmp_path / "record.json")
    one, three, again = (tmp_path / name for name in ("one", "three", "again"))
    with vault_cluster.running(one, "vault") as alone:
        alone.apply()
        assert alone.apply() == ()
        assert issued(alone, "umeda-gw-b")
    with vault_cluster.running(
        three, *VAULTS, before=moved(alone, three, monkeypatch, alone=False)
    ) as cluster:
        done = [change.path for change in cluster.apply()]
        assert done[0] == "sys/seal-status of vault.lab.internal"
        assert done[-2:] == [f"sys/storage/raft/join at {name}.lab.internal" for name in VAULTS[1:]]
        assert cluster.apply() == ()
        assert voting(cluster) == dict.fromkeys(VAULTS, True)
        cluster.nodes["vault"].kill()
        assert revoked(cluster, "umeda-gw-b") < REVOCATION_S
        cluster.nodes["vault"].start()
        cluster.apply()
    with vault_cluster.running(again, "vault", before=moved(cluster, again, monkeypatch, alone=True)) as last:
        last.apply()
        assert last.apply() == ()
        with logged_in(last.access(), AppRole.ENROLLER) as enroller:
            assert marks.is_marked(enroller, last.plan.pki, "umeda-gw-b")


def test_a_snapshot_is_taken_and_put_back_by_the_one_that_leads(whole: Cluster) -> None:
    with logged_in(whole.access(), AppRole.SNAPSHOT) as session:
        data = take(session)
    issued(whole, "dras")
    revoked(whole, "dras")
    install(whole.access(), data)
    settle(whole.access())
    with logged_in(whole.access(), AppRole.ENROLLER) as enroller:
        assert not marks.is_marked(enroller, whole.plan.pki, "dras")
    held(whole)
    with logged_in(whole.access(), AppRole.ENROLLER) as enroller:
        assert not marks.is_marked(enroller, whole.plan.pki, "dras")
