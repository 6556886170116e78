"""The agent and its PID 1 as ordinary processes of this machine: all that needs no namespaces."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import awaited

from heiiki.errors import LabError
from heiiki_lab.client import NodeClient

SOURCE = Path(__file__).parents[3] / "src"
PROGRAM = """
import socket, sys
from heiiki_lab.agent.node import fork_agent
from heiiki_lab.agent.server import Agent
from heiiki_lab.agent.fork_server import ForkServer
from heiiki_lab.agent.preload import preload
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
preload()
agent = fork_agent(lambda control: Agent("trial", listener, control))
print(agent[1], flush=True)
ForkServer(*agent).run()
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeClient]:
    path = tmp_path_factory.mktemp("agent") / "trial.sock"
    command = [sys.executable, "-c", PROGRAM, str(path)]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        agent = int(process.stdout.readline())
        with NodeClient(path) as client:
            yield client
        os.kill(agent, signal.SIGKILL)
        assert process.wait(60) == 0, "PID 1 outlives its agent"


def test_exec_keeps_both_streams_apart(node: NodeClient) -> None:
    done = node.exec(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"in")
    assert (done.rc, done.stdout, done.stderr) == (3, b"in", b"oops\n")


def test_exec_has_the_environment_and_folder_asked_for(node: NodeClient, tmp_path: Path) -> None:
    assert node.run(["sh", "-c", "echo $FOO $HOME; pwd"], env={"FOO": "bar"}, cwd=str(tmp_path)) == (
        f"bar /root\n{tmp_path}\n"
    )


def test_a_signal_shows_as_a_negative_code(node: NodeClient) -> None:
    assert node.exec(["sh", "-c", "kill -9 $$"]).rc == -9


def test_large_input_and_output_pass_whole(node: NodeClient) -> None:
    data = os.urandom(3 << 20)
    assert node.exec(["cat"], stdin=data).stdout == data


def test_a_daemon_left_behind_does_not_hold_the_call(node: NodeClient) -> None:
    pid = int(node.run(["sh", "-c", "sleep 3600 & echo $!"]))
    os.kill(pid, signal.SIGKILL)


def test_a_program_that_takes_too_long_is_killed(node: NodeClient, tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; sleep 60"
    with pytest.raises(LabError, match=r"trial: sh -c .* did not end within 2 s and was killed"):
        node.exec(["sh", "-c", script], timeout=2)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_program_whose_client_goes_away_is_killed(node: NodeClient, tmp_path: Path) -> None:
    with node.stream(["sh", "-c", f"echo $$ > {tmp_path}/pid; echo up; sleep 60"]) as stream:
        assert stream.recv(10) == ("stdout", b"up\n")
    assert gone(int((tmp_path / "pid").read_text()))


def gone(pid: int) -> bool:
    return awaited(f"process {pid} is gone", lambda: not is_there(pid))


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_such_program_and_no_such_folder_are_errors(node: NodeClient) -> None:
    with pytest.raises(LabError, match=r"^trial: No such file or directory: no-such-program$"):
        node.exec(["no-such-program"])
    with pytest.raises(LabError, match=r"^trial: No such file or directory: /no/such/folder$"):
        node.exec(["true"], cwd="/no/such/folder")


def test_run_tells_what_failed_and_why(node: NodeClient) -> None:
    with pytest.raises(LabError, match=r"^trial: `sh -c echo broken >&2; exit 4` ended with 4: broken$"):
        node.run(["sh", "-c", "echo broken >&2; exit 4"])


def test_python_runs_as_main_with_arguments_and_input(node: NodeClient) -> None:
    source = "import sys\nprint(__name__, sys.argv[1:], sys.stdin.read())\nsys.exit(5)"
    done = node.python(source, argv=["one", "two"], stdin=b"text")
    assert (done.rc, done.stdout) == (5, b"__main__ ['one', 'two'] text\n")


@pytest.mark.parametrize(
    ("source", "code", "complaint"),
    [
        ("pass", 0, ""),
        ("raise SystemExit", 0, ""),
        ("import sys; sys.exit('no')", 1, "no\n"),
        ("1/0", 1, "ZeroDivisionError: division by zero\n"),
        ("no such syntax", 1, "SyntaxError: invalid syntax\n"),
    ],
)
def test_python_ends_as_an_interpreter_would(
    node: NodeClient, source: str, code: int, complaint: str
) -> None:
    done = node.python(source)
    assert (done.rc, done.stdout) == (code, b"")
    assert done.stderr.decode().endswith(complaint)
    assert "fork_server" not in done.stderr.decode()


def test_python_children_share_nothing(node: NodeClient) -> None:
    node.python("import sys, os; sys.modules['leak'] = sys; os.environ['LEAK'] = '1'").check()
    assert node.python("import sys, os; print('leak' in sys.modules, 'LEAK' in os.environ)").text == (
        "False False\n"
    )


def test_what_python_registers_for_its_exit_is_done(node: NodeClient, tmp_path: Path) -> None:
    source = f"import atexit, pathlib; atexit.register(pathlib.Path({str(tmp_path / 'x')!r}).touch)"
    node.python(source).check()
    assert (tmp_path / "x").exists()


def test_put_writes_in_one_step_with_mode_and_owner(node: NodeClient, tmp_path: Path) -> None:
    path = tmp_path / "deep/file"
    with pytest.raises(LabError, match="FileNotFoundError"):
        node.put(str(path), b"x")
    node.put(str(path), b"one", mode=0o600, parents=True)
    node.put(str(path), b"two", mode=0o640)
    assert (node.get(str(path)), path.stat().st_mode & 0o777) == (b"two", 0o640)
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(LabError, match="owner nobody-here"):
        node.put(str(path), b"three", owner="nobody-here")


def test_get_of_nothing_is_an_error(node: NodeClient) -> None:
    with pytest.raises(LabError, match=r"trial: FileNotFoundError: .*/no/such/file"):
        node.get("/no/such/file")


def test_a_spawned_program_lives_on_and_logs(node: NodeClient, tmp_path: Path) -> None:
    log = tmp_path / "log/out"
    pid = node.spawn(["sh", "-c", "echo hello; exec sleep 60"], log=str(log))
    assert os.getsid(pid) == pid
    awaited("it says hello", lambda: log.exists() and log.read_text() == "hello\n")
    os.kill(pid, signal.SIGKILL)
    assert gone(pid), "PID 1 reaps what it spawned"


def test_a_stream_goes_both_ways(node: NodeClient) -> None:
    with node.stream(["cat"]) as stream:
        stream.send(b"to and fro")
        assert stream.recv(10) == ("stdout", b"to and fro")
        stream.close_stdin()
        assert stream.recv(10) is None
        assert stream.rc == 0


def test_pumping_carries_more_than_any_pipe_holds(node: NodeClient, tmp_path: Path) -> None:
    data = os.urandom(2 << 20)
    (tmp_path / "in").write_bytes(data)
    command = [sys.executable, "-m", "heiiki_lab.client", str(node._path), "--", "sh", "-c", "cat; exit 9"]
    with subprocess.Popen(["cat", tmp_path / "in"], stdout=subprocess.PIPE) as feeder:
        environment = os.environ | {"PYTHONPATH": str(SOURCE)}
        done = subprocess.run(
            command, stdin=feeder.stdout, capture_output=True, env=environment, timeout=60, check=False
        )
    assert (done.returncode, done.stdout, done.stderr) == (9, data, b"")


def test_a_stream_of_nothing_is_an_error(node: NodeClient) -> None:
    with pytest.raises(LabError, match="No such file or directory: no-such-program"):
        node.stream(["no-such-program"])


@pytest.fixture
def echo() -> Iterator[int]:
    """Port of a service that sends back all it gets, until the end of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve_echo, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive(), "the connection outlives its client"


def _serve_echo(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        while data := connection.recv(1 << 16):
            connection.sendall(data)


def test_a_connection_through_a_node_carries_bytes_both_ways(node: NodeClient, echo: int) -> None:
    data = os.urandom(1 << 20)
    with node.connect("127.0.0.1", echo) as connection:
        assert connection.gettimeout() is None
        threading.Thread(target=connection.sendall, args=(data,)).start()
        with connection.makefile("rb") as incoming:
            assert incoming.read(len(data)) == data


def test_a_service_that_hangs_up_ends_the_connection(node: NodeClient) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        node.connect("127.0.0.1", listener.getsockname()[1]) as connection,
    ):
        far, _ = listener.accept()
        far.sendall(b"last words")
        far.close()
        with connection.makefile("rb") as incoming:
            assert incoming.read() == b"last words"


def test_a_port_where_nobody_listens_is_an_error(node: NodeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(LabError, match=rf"^trial: 127\.0\.0\.1 port {port}: .*[Cc]onnection refused"):
        node.connect("127.0.0.1", port)


def test_a_port_that_is_none_is_an_error(node: NodeClient) -> None:
    with pytest.raises(LabError, match=r"^trial: 127\.0\.0\.1 port 70000: "):
        node.connect("127.0.0.1", 70000)


def test_many_clients_at_once(node: NodeClient) -> None:
    streams = [node.stream(["cat"]) for _ in range(12)]
    for number, stream in enumerate(streams):
        stream.send(b"%d" % number)
    assert [stream.recv(10) for stream in streams] == [("stdout", b"%d" % n) for n in range(12)]
    for stream in streams:
        stream.close()


def test_an_unknown_operation_is_refused(node: NodeClient) -> None:
    with pytest.raises(LabError, match="has no operation 'dance'"):
        node._call({"op": "dance"})


def test_killing_everything_is_refused_outside_a_node(node: NodeClient) -> None:
    with pytest.raises(LabError, match="is no node of its own"):
        node.kill_all()
