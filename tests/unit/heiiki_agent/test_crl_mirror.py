"""The mirror of CRLs: one document, as it is at the moment, whatever a client does."""

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from heiiki_agent import crl_mirror
from heiiki_agent.crl_mirror import PATH, Mirror


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with Mirror(tmp_path / "crl.pem", 0, "127.0.0.1") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(mirror: Mirror, path: str = PATH, method: str = "GET") -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", mirror.server_address[1], timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    found = answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    connection.close()
    return found


def test_it_gives_the_lists_as_they_are_now(mirror: Mirror) -> None:
    assert asked(mirror)[0] == 503
    for content in (b"first", b"second, and longer"):
        mirror.file.write_bytes(content)
        status, body, headers = asked(mirror)
        assert (status, body) == (200, content)
        assert headers["server"] == "heiiki"


@pytest.mark.parametrize("path", ["/", "/../crl.pem", "/etc/passwd", "/crl.pem?x", "/crl.pem/.."])
def test_it_gives_nothing_else(mirror: Mirror, path: str) -> None:
    mirror.file.write_bytes(b"lists")
    mirror.file.with_name("key.pem").write_bytes(b"secret")
    assert asked(mirror, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "CONNECT"])
def test_it_takes_nothing(mirror: Mirror, method: str) -> None:
    mirror.file.write_bytes(b"lists")
    assert asked(mirror, method=method)[0] == 501


def test_connections_that_say_nothing_are_bounded_and_closed(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.file.write_bytes(b"lists")
    monkeypatch.setattr(crl_mirror._Handler, "timeout", 0.5)
    where = ("127.0.0.1", mirror.server_address[1])
    held = [socket.create_connection(where, 10) for _ in range(crl_mirror.AT_ONCE + 1)]
    # The one beyond the bound is closed at once, the others when they have been silent for long enough.
    assert held[-1].recv(1) == b""
    assert [one.recv(1) for one in held[:-1]] == [b""] * crl_mirror.AT_ONCE
    for one in held:
        one.close()
    assert asked(mirror)[1] == b"lists"


def test_a_client_that_goes_away_leaves_no_trace(mirror: Mirror, capfd: pytest.CaptureFixture[str]) -> None:
    mirror.file.write_bytes(b"x" * (8 << 20))
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", mirror.server_address[1]), 10) as one:
            one.sendall(f"GET {PATH} HTTP/1.0\r\n\r\n".encode())
            one.recv(1)
    assert asked(mirror)[0] == 200
    assert capfd.readouterr() == ("", "")
