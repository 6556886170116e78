"""A Vault server that joins others, or is alone again: what it is told of the members of its cluster."""

import json
import os
from pathlib import Path

import pytest

from heiiki_agent import vault_cluster
from heiiki_agent.errors import AgentError
from heiiki_agent.vault_cluster import Member, settle

ME = Member("vault", "10.15.0.6:8201")


@pytest.fixture(autouse=True)
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "own" / "vault-cluster.json"
    monkeypatch.setattr(vault_cluster, "RECORD", place)
    return place


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """The storage of a server that was started before."""
    (tmp_path / "storage/raft").mkdir(parents=True)
    (tmp_path / "storage/raft/raft.db").write_text("")
    return tmp_path / "storage"


def members(storage: Path) -> list[dict[str, object]] | None:
    file = storage / "raft/peers.json"
    return json.loads(file.read_text()) if file.exists() else None


def settled(member: Member | None, storage: Path) -> list[dict[str, object]] | None:
    """What the server finds at its start, which removes it."""
    settle(member, storage, os.getuid())
    found = members(storage)
    (storage / "raft/peers.json").unlink(missing_ok=True)
    return found


def test_one_server_is_left_alone(storage: Path, record: Path) -> None:
    assert settled(None, storage) is None
    assert not record.exists()


def test_a_server_that_was_alone_becomes_the_first_member_once(storage: Path) -> None:
    assert settled(ME, storage) == [{"id": "vault", "address": "10.15.0.6:8201", "non_voter": False}]
    assert settled(ME, storage) is None


def test_a_run_that_was_cut_off_before_the_start_loses_nothing(storage: Path) -> None:
    settle(ME, storage, os.getuid())
    settle(ME, storage, os.getuid())
    assert members(storage) == [{"id": "vault", "address": "10.15.0.6:8201", "non_voter": False}]


def test_a_member_that_is_to_be_alone_forgets_the_others(storage: Path, record: Path) -> None:
    settled(ME, storage)
    assert settled(None, storage) == [{"id": "vault", "address": "127.0.0.1:8201", "non_voter": False}]
    assert not record.exists()
    assert settled(None, storage) is None


def test_a_new_server_has_nothing_to_change(tmp_path: Path) -> None:
    settle(ME, tmp_path / "none", os.getuid())
    assert not (tmp_path / "none").exists()
    (tmp_path / "begun/raft").mkdir(parents=True)
    vault_cluster.RECORD.unlink()
    settle(ME, tmp_path / "begun", os.getuid())
    assert not any((tmp_path / "begun/raft").iterdir())


@pytest.mark.parametrize("other", [Member("vault", "10.15.0.9:8201"), Member("vault-2", ME.address)])
def test_a_member_that_moves_is_refused(storage: Path, other: Member) -> None:
    settled(ME, storage)
    with pytest.raises(AgentError, match="Go to one server first"):
        settle(other, storage, os.getuid())
    assert members(storage) is None


def test_a_link_of_the_server_leads_root_nowhere(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/raft.db").write_text("")
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage/raft").symlink_to(tmp_path / "etc")
    with pytest.raises(OSError, match="raft"):
        settle(ME, tmp_path / "storage", os.getuid())
    assert not (tmp_path / "etc/peers.json").exists()


def test_what_a_run_that_was_cut_off_left_is_replaced(storage: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("kept")
    (storage / "raft/.peers.json.new").symlink_to(tmp_path / "secret")
    assert settled(ME, storage) is not None
    assert (tmp_path / "secret").read_text() == "kept"
