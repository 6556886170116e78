"""A real server whose audit logs cannot be written: while one of them can, it revokes."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from vault_server import RunningVault, unsealed_vault
from waiting import awaited

from heiiki.errors import VaultError

LOGS = ("audit.log", "audit-2.log")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    with unsealed_vault(tmp_path_factory.mktemp("vault")) as server:
        server.root.write("sys/mounts/pki", {"type": "pki"})
        server.root.write("pki/root/generate/internal", {"common_name": "Test", "key_type": "ec"})
        server.root.write("pki/roles/any", {"allow_any_name": True, "key_type": "ec"})
        yield server


def reopened(running: RunningVault) -> None:
    """As after a rotation; the server says when it is at it."""
    log, said = running.folder / "server.log", "audit: reloading file audit backend: path=memory/"
    before = log.read_text().count(said)
    running.process.send_signal(signal.SIGHUP)
    awaited("the logs are opened again", lambda: log.read_text().count(said) > before)


@contextmanager
def broken(running: RunningVault, *names: str) -> Iterator[None]:
    """Have each of these logs be where nothing can be written."""
    for name in names:
        (running.folder / name).unlink()
        (running.folder / name).symlink_to(running.folder / "no-such-volume" / name)
    reopened(running)
    try:
        yield
    finally:
        for name in names:
            (running.folder / name).unlink()
        reopened(running)


def issued(running: RunningVault) -> str:
    made: dict[str, Any] = running.root.write("pki/issue/any", {"common_name": "gateway", "ttl": "1h"})
    return str(made["data"]["serial_number"])


def revoked(running: RunningVault, serial: str) -> bool:
    said: dict[str, Any] = running.root.write("pki/revoke", {"serial_number": serial})
    return bool(said["data"]["revocation_time"])


@pytest.mark.parametrize("lost", LOGS)
def test_one_log_that_cannot_be_written_does_not_keep_the_server_from_revoking(
    running: RunningVault, lost: str
) -> None:
    serial = issued(running)
    (other,) = set(LOGS) - {lost}
    before = (running.folder / other).stat().st_size
    with broken(running, lost):
        assert revoked(running, serial)
        added = (running.folder / other).read_bytes()[before:]
        assert b'"path":"pki/revoke"' in added, "the other log has it"


def test_without_any_log_nothing_is_answered_and_a_volume_that_is_back_mends_it(
    running: RunningVault,
) -> None:
    serial = issued(running)
    with broken(running, *LOGS), pytest.raises(VaultError):
        revoked(running, serial)
    assert revoked(running, serial)
