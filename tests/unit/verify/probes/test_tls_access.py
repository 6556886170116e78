"""Whom a server of TLS lets in, tried at a real one that goes by a list."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from openadr_loopback import Authority

from heiiki.verify.probes import tls_access
from heiiki_agent import tls_attempt

SERVER = "server.example"


class Place:
    """A server that reads its list at each connection; it is told of the revocation after two of them."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority(folder)
        self._own = self._authority.issue(SERVER)
        self.stolen, self.device = self._authority.issue("stolen"), self._authority.issue("device")
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                if self.connections > 2:
                    self._authority.revoke(self.stolen.certificate)
                with suppress(OSError), self._context().wrap_socket(connection, server_side=True) as line:
                    line.recv(1)

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._own.certificate, self._own.key)
        context.verify_mode, context.verify_flags = ssl.CERT_REQUIRED, ssl.VERIFY_CRL_CHECK_LEAF
        context.load_verify_locations(self._own.trust)
        context.load_verify_locations(self._own.crls)
        return context

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = Place(tmp_path)
    monkeypatch.setattr(tls_attempt, "_TRUST", made.device.trust)
    monkeypatch.setattr(tls_attempt, "_OWN", tmp_path)
    (tmp_path / "certificate.pem").write_text(made.device.certificate.read_text())
    (tmp_path / "chain.pem").write_text("")
    (tmp_path / "key.pem").write_text(made.device.key.read_text())
    yield made
    made.close()


def question(place: Place, port: int, **more: Any) -> dict[str, Any]:
    shown = {"certificate": place.stolen.certificate.read_text(), "key": place.stolen.key.read_text()}
    there = {"device": "dras", "name": SERVER, "address": "127.0.0.1", "port": port}
    return {"places": [there], "attempts": [{"name": "stolen", **shown}], **more}


def test_it_is_tried_until_the_server_knows_of_the_revocation(place: Place) -> None:
    came = tls_access.main(question(place, place.port, seconds=60.0))["attempts"]
    where = [f"dras by {version}" for version in tls_attempt.VERSIONS]
    assert list(came["stolen"]) == list(came["again"]) == where
    for one in came["stolen"].values():
        assert one["stage"] == "tls"
        assert one["cause"].endswith("alert certificate revoked")
    assert list(came["again"].values()) == [{"taken": "client"}] * 2
    assert place.connections == 6, "twice let in, twice refused, and the device itself"


def test_without_a_time_it_is_tried_once(place: Place) -> None:
    came = tls_access.main(question(place, place.port))["attempts"]
    assert list(came["stolen"].values()) == [{"taken": "client"}] * 2
    assert place.connections == 4


def test_where_nobody_listens_it_ends_at_the_connection(place: Place) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        came = tls_access.main(question(place, silent.getsockname()[1]))["attempts"]
    assert {one["stage"] for one in (*came["stolen"].values(), *came["again"].values())} == {"connect"}
