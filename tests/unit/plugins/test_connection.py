"""The connection to a node of the lab, over a client that keeps what it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible_collections.heiiki.network.plugins.connection.lab import Connection, Interpreter, as_interpreter

from heiiki.errors import LabError
from heiiki_lab.client import Completed


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/python3",
        "/bin/sh -c '/usr/bin/python3 && sleep 0'",
        "/usr/bin/python3.13",
    ],
)
def test_a_command_that_only_starts_python_goes_to_the_ready_interpreter(command: str) -> None:
    assert as_interpreter(command) == Interpreter(())


def test_its_environment_goes_along() -> None:
    command = "/bin/sh -c 'LANG=C A='\"'\"'b c'\"'\"' /usr/bin/python3 && sleep 0'"
    assert as_interpreter(command) == Interpreter((("LANG", "C"), ("A", "b c")))


@pytest.mark.parametrize(
    "command",
    [
        "/bin/sh -c 'echo ~ && sleep 0'",
        "/usr/bin/python3 /tmp/x.py",
        "cat /usr/bin/python3",
        "",
        "sh -c 'A=b'",
    ],
)
def test_everything_else_is_a_command(command: str) -> None:
    assert as_interpreter(command) is None


@dataclass
class Client:
    calls: list[Any] = field(default_factory=list)
    failure: str = ""

    def _answer(self, call: Any) -> Completed:
        self.calls.append(call)
        if self.failure:
            raise LabError(self.failure)
        return Completed("n", (), 3, b"out", b"err")

    def exec(self, argv: Sequence[str], *, stdin: bytes, timeout: float) -> Completed:
        return self._answer(("exec", list(argv), stdin, timeout))

    def python(self, source: bytes, *, timeout: float, env: Mapping[str, str]) -> Completed:
        return self._answer(("python", source, dict(env), timeout))

    def put(self, path: str, data: bytes, *, mode: int) -> None:
        self._answer(("put", path, data, mode))

    def get(self, path: str) -> bytes:
        self._answer(("get", path))
        return b"data"


class Direct(Connection):
    """The connection without Ansible's own base around it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._connected = True
        self.become = None

    def get_option(self, option: str, hostvars: Any = None) -> Any:  # noqa: ARG002 - as in the base
        return {"node": "n", "state_dir": None, "command_timeout": 300.0}[option]


def test_a_command_runs_in_a_shell() -> None:
    client = Client()
    assert Direct(client).exec_command("echo hi") == (3, b"out", b"err")
    assert client.calls == [("exec", ["/bin/sh", "-c", "echo hi"], b"", 300.0)]


def test_a_piped_module_runs_in_the_ready_interpreter() -> None:
    client = Client()
    Direct(client).exec_command("/bin/sh -c 'A=b /usr/bin/python3 && sleep 0'", in_data=b"print(1)")
    assert client.calls == [("python", b"print(1)", {"A": "b"}, 300.0)]


def test_a_node_out_of_reach_is_unreachable_to_ansible() -> None:
    with pytest.raises(AnsibleConnectionFailure) as caught:
        Direct(Client(failure="n: not up")).exec_command("true")
    assert str(caught.value) == "n: not up"


def test_files_go_both_ways(tmp_path: Path) -> None:
    client = Client()
    (tmp_path / "in").write_bytes(b"x")
    Direct(client).put_file(str(tmp_path / "in"), "/tmp/there")
    Direct(client).fetch_file("/etc/there", str(tmp_path / "out"))
    assert client.calls == [("put", "/tmp/there", b"x", 0o600), ("get", "/etc/there")]
    assert (tmp_path / "out").read_bytes() == b"data"


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(AnsibleFileNotFound):
        Direct(Client()).put_file(str(tmp_path / "none"), "/tmp/there")
