"""The end of a run: its token is revoked once, by the process that began it, whatever became of the run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.heiiki.network.plugins.plugin_utils import run_end
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import run_name, shared

from heiiki.errors import VaultError, VaultFault


class Server:
    """A session with the server, which notes what was revoked; or one that is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.revoked: list[str] = []

    def with_token(self, token: str) -> Any:
        def write(path: str, _data: dict[str, str]) -> None:
            assert path == "auth/token/revoke-self"
            if self.away:
                raise VaultError("does not answer", VaultFault.TIMEOUT)
            self.revoked.append(token)

        return SimpleNamespace(write=write)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    access = SimpleNamespace(vault=made)
    access.hurried = lambda: access
    monkeypatch.setattr(run_end, "opened", lambda _service: SimpleNamespace(vault=lambda _step: access))
    return made


def test_the_token_is_revoked_and_what_was_shared_removed(tmp_path: Path, server: Server) -> None:
    shared(tmp_path, "service", lambda: {"token": "mine"}, os.getpid())
    other = tmp_path / "1-1.service.json"
    other.write_text(json.dumps({"token": "theirs"}))
    run_end.end(Path("service"), tmp_path, os.getpid())
    assert server.revoked == ["mine"]
    assert list(tmp_path.glob("*.json")) == [other]
    run_end.end(Path("service"), tmp_path, os.getpid())
    assert server.revoked == ["mine"]


def test_a_process_that_was_forked_ends_nothing(tmp_path: Path, server: Server) -> None:
    shared(tmp_path, "service", lambda: {"token": "mine"}, os.getppid())
    run_end.end(Path("service"), tmp_path, os.getppid())
    assert server.revoked == []
    assert (tmp_path / f"{run_name(os.getppid())}.service.json").exists()


@pytest.mark.parametrize("token", ["", "mine"])
def test_a_run_without_a_token_or_a_server_ends_all_the_same(
    tmp_path: Path, server: Server, token: str
) -> None:
    server.away = True
    shared(tmp_path, "service", lambda: {"token": token}, os.getpid())
    run_end.end(Path("service"), tmp_path, os.getpid())
    assert not list(tmp_path.glob("*.json"))


def test_it_is_done_when_the_process_ends(tmp_path: Path) -> None:
    program = (
        "import os, pathlib\n"
        "from ansible_collections.heiiki.network.plugins.plugin_utils import run_end\n"
        f"run_end.end = lambda *given: pathlib.Path({str(tmp_path / 'told')!r}).write_text(repr(given[2]))\n"
        f"run_end.revoke_at_end(pathlib.Path('.'), pathlib.Path({str(tmp_path)!r}))\n"
        "print(os.getpid())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (tmp_path / "told").read_text() == done.stdout.strip()
