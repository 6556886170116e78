"""One contract, every way to a device: lab agents and OpenSSH, each with a stand-in for the far end."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, ClassVar

import pytest
from waiting import awaited

from heiiki.errors import LabError, TransportError
from heiiki.transport import SshHost, SshTransport, Transport, host_key_options
from heiiki_lab import transport as lab_module
from heiiki_lab.transport import LabTransport

FAKE_SSH = """#!{python}
import os, sys
if os.environ.get("FAKE_SSH_DOWN"):
    sys.stderr.write("ssh: connect to host: Connection refused\\n")
    sys.exit(255)
if "-O" in sys.argv:
    sys.exit(0)
os.execvp("sh", ["sh", "-c", sys.argv[-1]])
"""


class FakeNode:
    """A node whose agent runs programs here."""

    every: ClassVar[list["FakeNode"]] = []

    def __init__(self, path: Path) -> None:
        self.node = path.stem
        self.closed = False
        self.every.append(self)

    def exec(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0) -> Any:
        try:
            done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.node}: {argv[0]} did not end in time") from error
        return type("Done", (), {"rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr})

    def python(self, source: bytes, *, argv: Sequence[str] = (), timeout: float = 120.0) -> Any:
        return self.exec([sys.executable, "-", *argv], stdin=source, timeout=timeout)

    def spawn(self, argv: Sequence[str]) -> int:
        return subprocess.Popen(argv).wait()

    def close(self) -> None:
        self.closed = True


def lab(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Transport:
    (folder / "nodes").mkdir()
    (folder / "nodes" / "here.sock").touch()
    monkeypatch.setattr(lab_module, "NodeClient", FakeNode)
    monkeypatch.setattr(FakeNode, "every", [])
    return LabTransport(folder)


def ssh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Transport:
    program = folder / "ssh"
    program.write_text(FAKE_SSH.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return SshTransport({"here": SshHost("192.0.2.1")})


@pytest.fixture(params=[lab, ssh], ids=["lab", "ssh"])
def transport(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    make: Callable[[Path, pytest.MonkeyPatch], Transport] = request.param
    made = make(tmp_path, monkeypatch)
    yield made
    made.close()


def test_output_and_status_come_back_as_they_are(transport: Transport) -> None:
    done = transport.run("here", ("sh", "-c", "printf 'a\\377'; echo b >&2; exit 3"))
    assert (done.rc, done.stdout, done.stderr) == (3, b"a\xff", b"b\n")
    assert done.text == "a\ufffd"


def test_arguments_are_not_looked_at_by_a_shell(transport: Transport) -> None:
    assert transport.run("here", ("printf", "%s|", "a b", "$HOME", "'", "*")).stdout == b"a b|$HOME|'|*|"


def test_standard_input_is_passed(transport: Transport) -> None:
    assert transport.run("here", ("cat",), stdin=b"\0x").stdout == b"\0x"


def test_python_reads_its_program_from_standard_input(transport: Transport) -> None:
    done = transport.run(
        "here", ("python3", "-", "x"), stdin=b"import json, sys; print(json.dumps(sys.argv[1:]))"
    )
    assert json.loads(done.stdout) == ["x"]


def test_an_unknown_device_is_an_error_that_names_it(transport: Transport) -> None:
    with pytest.raises(TransportError, match="nowhere"):
        transport.run("nowhere", ("true",))


def test_spawn_starts_the_program(transport: Transport, tmp_path: Path) -> None:
    transport.spawn("here", ("touch", str(tmp_path / "made")))
    awaited("the program has run", (tmp_path / "made").exists)


def test_a_program_that_takes_too_long_is_given_up(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heiiki.transport.ssh._CONNECT_S", 0)
    with pytest.raises(TransportError, match="did not end"):
        transport.run("here", ("sleep", "3600"), timeout=0.2)


def test_a_refused_connection_is_an_error_not_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SSH_DOWN", "1")
    made = ssh(tmp_path, monkeypatch)
    with pytest.raises(TransportError, match=r"here: no SSH connection to 192\.0\.2\.1: .*refused"):
        made.run("here", ("true",))
    made.close()


def test_ssh_never_asks_and_shares_one_connection() -> None:
    made = SshTransport({"here": SshHost("192.0.2.1", "operator", 2222, options=("-F", "config"))})
    words = made._ssh("here")
    made.close()
    assert words[-1] == "operator@192.0.2.1"
    assert "BatchMode=yes" in words
    assert "ControlMaster=auto" in words
    assert words[words.index("-F") + 1] == "config"
    assert words[words.index("-p") + 1] == "2222"


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ((), "StrictHostKeyChecking=yes"),
        (("-o", "StrictHostKeyChecking=no"), "StrictHostKeyChecking=no"),
    ],
)
def test_an_unknown_host_key_is_refused_unless_a_person_says_otherwise(
    given: tuple[str, ...], counts: str
) -> None:
    made = SshTransport({"here": SshHost("192.0.2.1", options=given)})
    words = made._ssh("here")
    made.close()
    # Of two values ssh takes the first.
    assert next(word for word in words if word.startswith("StrictHostKeyChecking=")) == counts
    assert "UpdateHostKeys=no" in words
    assert "ForwardAgent=no" in words


def test_keys_of_a_service_stand_in_one_file() -> None:
    words = host_key_options("/srv/my service/known_hosts")
    assert 'UserKnownHostsFile="/srv/my service/known_hosts"' in words
    assert "GlobalKnownHostsFile=none" in words


def test_a_user_who_is_not_root_becomes_root_without_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[list[str]] = []

    def run(argv: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        said.append(argv)
        return subprocess.CompletedProcess(argv, 0, b"", b"")

    monkeypatch.setattr(subprocess, "run", run)
    with SshTransport(
        {"here": SshHost("192.0.2.1", "ops", become=("sudo", "--non-interactive", "--"))}
    ) as made:
        made.run("here", ("vtysh", "-c", "show version"))
        made.spawn("here", ("sleep", "1"))
    first, second = (argv[-1] for argv in said[:2])
    assert first == "sudo --non-interactive -- vtysh -c 'show version'"
    assert second.startswith("sudo --non-interactive -- sh -c ")


def test_the_lab_transport_keeps_a_connection_for_whoever_is_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lab(tmp_path, monkeypatch)
    for _ in range(20):
        one = Thread(target=made.run, args=("here", ("true",)))
        one.start()
        one.join()
    assert len(FakeNode.every) == 1, "a thread that ended leaves none behind"
    together = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(FakeNode, "spawn", lambda *_: together.wait())
        for done in [pool.submit(made.spawn, "here", ("true",)) for _ in range(2)]:
            done.result(10.0)
    assert len(FakeNode.every) == 2, "two at once have one each"
    made.close()
    assert all(one.closed for one in FakeNode.every)


def test_the_lab_transport_drops_its_connections_on_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lab(tmp_path, monkeypatch)
    made.run("here", ("true",))
    with pytest.raises(TransportError):
        made.run("here", ("sleep", "3600"), timeout=0.1)
    assert [one.closed for one in FakeNode.every] == [True]
    made.run("here", ("true",))
    assert [one.closed for one in FakeNode.every] == [True, False]
    made.close()
