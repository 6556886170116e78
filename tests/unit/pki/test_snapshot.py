"""Snapshots of a real server: whole or refused, nothing readable in them, and put back where they belong."""

import gzip
import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from vault_server import SetUpVault, running_vault, set_up_vault, unsealed_vault

from heiiki.errors import SnapshotError
from heiiki.pki.server.bootstrap import INIT
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import access, can_log_in, logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.snapshot import PATH, examine, install, settle, take
from heiiki.plan.model import Plan

KEY = "465b5ce8b199b49faa5f0a2ee238a6bc"


@pytest.fixture(scope="module")
def made(lab_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUpVault]:
    folder = tmp_path_factory.mktemp("server")
    with unsealed_vault(folder) as running, set_up_vault(running, lab_plan, folder / "state") as found:
        yield found


@pytest.fixture(scope="module")
def snapshot(made: SetUpVault) -> bytes:
    with logged_in(made.access, AppRole.SECRET_WRITER) as writer:
        writer.write("kv/data/sim/1", {"data": {"k": KEY}})
    with logged_in(made.access, AppRole.SNAPSHOT) as session:
        return take(session)


def test_neither_a_secret_nor_an_unseal_key_can_be_read_in_it(made: SetUpVault, snapshot: bytes) -> None:
    plain = gzip.decompress(snapshot)
    fields = made.access.store.fields(INIT)
    assert b"sys/policy/device" in plain, "nothing can be found in it: the search proves nothing"
    assert KEY.encode() not in plain
    assert not [one for name, one in fields.items() if name.startswith("key-") and one.encode() in plain]


def changed(data: bytes, name: str, content: bytes | None) -> bytes:
    """Return a snapshot with another content of a part; None: without it."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as before,
        tarfile.open(fileobj=out, mode="w:gz") as after,
    ):
        for member in before:
            stream = before.extractfile(member)
            assert stream is not None
            text = stream.read() if member.name != name else content
            if text is not None:
                member.size = len(text)
                after.addfile(member, io.BytesIO(text))
    return out.getvalue()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda _: b"", "is no whole snapshot of raft storage"),
        (lambda _: b"\x00" * 100, "is no whole snapshot"),
        (lambda data: data[: len(data) // 2], "is no whole snapshot"),
        (lambda _: gzip.compress(b"text"), "is no whole snapshot"),
        (lambda data: changed(data, "state.bin", b"x"), "is damaged at state.bin"),
        (lambda data: changed(data, "state.bin", None), "is damaged at state.bin"),
        (lambda data: changed(data, "SHA256SUMS", b""), "is damaged at meta.json, state.bin"),
        (lambda data: changed(data, "SHA256SUMS", None), "is no whole snapshot"),
        (lambda data: changed(data, "SHA256SUMS", b"one-word\n"), "is no whole snapshot"),
    ],
)
def test_one_that_is_not_whole_is_refused(
    snapshot: bytes, spoil: Callable[[bytes], bytes], told: str
) -> None:
    examine(snapshot, "mine")
    with pytest.raises(SnapshotError, match=told) as caught:
        examine(spoil(snapshot), "mine")
    assert str(caught.value).startswith("mine ")
    assert str(caught.value).endswith("; take another")


def test_another_servers_is_refused_and_changes_nothing(
    snapshot: bytes, lab_plan: Plan, tmp_path: Path
) -> None:
    with unsealed_vault(tmp_path) as running, set_up_vault(running, lab_plan, tmp_path / "state") as other:
        with pytest.raises(SnapshotError, match="of a server with other unseal keys than"):
            install(other.access, snapshot)
        assert other.problems() == ()


def test_nothing_goes_on_before_the_server_has_put_it_in_place(
    lab_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, read = Vault.send, Vault.read
    late: list[tuple[Vault, bytes]] = []
    asked: list[str] = []

    def put_off(session: Vault, _path: str, data: bytes) -> None:
        """Answer as a busy server does: the snapshot is accepted, and not in place yet."""
        late.append((session, data))

    def answer(session: Vault, path: str) -> dict[str, Any] | None:
        asked.append(path)
        if len(asked) == 3:
            writer, data = late.pop()
            send(writer, PATH, data)
        return read(session, path)

    with unsealed_vault(tmp_path) as running, set_up_vault(running, lab_plan, tmp_path / "state") as own:
        with logged_in(own.access, AppRole.SNAPSHOT) as session:
            data = take(session)
        with logged_in(own.access, AppRole.SECRET_WRITER) as writer:
            writer.write("kv/data/sim/1", {"data": {"k": KEY}})
        with monkeypatch.context() as slow:
            slow.setattr(Vault, "send", put_off)
            slow.setattr(Vault, "read", answer)
            install(own.access, data)
        settle(own.access)
        assert asked == ["auth/token/lookup-self"] * len(asked)
        assert len(asked) >= 3
        assert running.root.read("kv/data/sim/1") is None


def test_an_empty_server_takes_it_and_has_the_former_unseal_keys(lab_plan: Plan, tmp_path: Path) -> None:
    with (
        unsealed_vault(tmp_path) as running,
        set_up_vault(running, lab_plan, tmp_path / "state") as lost,
        logged_in(lost.access, AppRole.SNAPSHOT) as session,
    ):
        data, store = take(session), lost.access.store
        keys = store.fields(INIT)
    shutil.rmtree(tmp_path / "raft")
    with running_vault(tmp_path) as running:
        empty = access(lab_plan.pki, store, {"VAULT_ADDR": running.server.url})
        install(empty, data)
        settle(empty)
        assert store.fields(INIT) == keys
        assert can_log_in(empty, AppRole.CONFIGURATOR)
