"""The Vault node: the first certificate and the issued one, who may read what, reload and health."""

import http.server
import json
import os
import pwd
import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from heiiki_agent import config as reader
from heiiki_agent import vault_cluster, vault_node
from heiiki_agent.__main__ import main
from heiiki_agent.errors import AgentError
from heiiki_agent.vault_node import Settings, chosen, health

LOGS = ["log"]
ME = pwd.getpwuid(os.getuid()).pw_name
GOOD = {
    "host": "vault.lab.internal",
    "addresses": ["127.0.0.1", "10.96.3.253"],
    "port": 8200,
    "user": ME,
    "logs": LOGS,
}
CONFIG = Settings("vault.lab.internal", ("127.0.0.1", "10.96.3.253"), 8200, ME, tuple(LOGS))


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node's folders, in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    for name in ("STARTUP", "STATE", "RUN"):
        monkeypatch.setattr(vault_node, name, tmp_path / name.lower())
    for name, file in {
        "KEY": "key.pem",
        "CERTIFICATE": "certificate.pem",
        "PEERS": "peers.pem",
        "ANCHORS": "anchors.pem",
    }.items():
        monkeypatch.setattr(vault_node, name, run / file)
    monkeypatch.setattr(vault_node, "PID", run / "pid")
    monkeypatch.setattr(vault_node, "ISSUED", tmp_path / "pki")
    return tmp_path


def issue(folder: Path, key: str = "KEY\n") -> None:
    """As after an enrolment."""
    (folder / "generations/1").mkdir(parents=True)
    (folder / "current").symlink_to("generations/1")
    for name, text in {"key": key, "certificate": "LEAF\n", "chain": "ISSUING\n"}.items():
        (folder / f"current/{name}.pem").write_text(text)
    (folder / "roots.pem").write_text("ROOT\n")


def test_file_is_read() -> None:
    assert reader.parse(Settings, json.dumps(GOOD), "F") == CONFIG


@pytest.mark.parametrize(
    "change", [{"addresses": []}, {"addresses": ["x"]}, {"port": "x"}, {"user": None, "host": 1}]
)
def test_a_mistake_in_the_file_is_told(change: dict[str, object]) -> None:
    wrong = {**GOOD, **change}
    if change.get("host"):
        del wrong["host"]
    with pytest.raises(AgentError, match=r"^F: "):
        reader.parse(Settings, json.dumps(wrong), "F")


def test_the_first_certificate_bears_the_names_and_no_more_power(places: Path) -> None:
    _, certificate, anchors = chosen(CONFIG)
    assert certificate == anchors
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-text"], input=certificate, capture_output=True, check=True
    ).stdout.decode()
    assert "DNS:vault.lab.internal, IP Address:127.0.0.1, IP Address:10.96.3.253" in said
    assert "CA:FALSE" in said
    assert "TLS Web Server Authentication" in said
    assert "prime256v1" in said


def test_the_first_certificate_stays_while_it_is_good(places: Path) -> None:
    assert chosen(CONFIG) == chosen(CONFIG)


@pytest.mark.parametrize(
    "config",
    [
        Settings("other.lab.internal", CONFIG.addresses, 8200, ME, tuple(LOGS)),
        Settings(CONFIG.host, ("10.0.0.9",), 8200, ME, tuple(LOGS)),
    ],
)
def test_another_name_or_address_replaces_it(places: Path, config: Settings) -> None:
    assert chosen(CONFIG) != chosen(config)


def test_a_first_certificate_that_ends_soon_is_replaced(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = chosen(CONFIG)
    monkeypatch.setattr(vault_node, "RENEW_BEFORE", timedelta(days=8))
    assert chosen(CONFIG) != before


def test_a_pair_torn_apart_is_replaced(places: Path) -> None:
    chosen(CONFIG)
    (places / "startup/key.pem").write_text("half a k")
    key, _, _ = chosen(CONFIG)
    assert b"half" not in key


def test_the_issued_certificate_goes_before_the_first(places: Path) -> None:
    issue(places / "pki")
    assert chosen(CONFIG) == (b"KEY\n", b"LEAF\nISSUING\n", b"ROOT\n")
    assert not (places / "startup").exists()


def test_what_the_server_reads_is_for_it_alone(places: Path) -> None:
    main(["vault-node", "prepare", str(config_file(places))])
    modes = {path.name: path.stat().st_mode & 0o777 for path in (places / "run").iterdir()}
    assert modes == {"key.pem": 0o400, "certificate.pem": 0o444, "anchors.pem": 0o444}
    assert (places / "state").stat().st_mode & 0o777 == 0o700
    assert (places / "log").stat().st_mode & 0o777 == 0o750
    assert (places / "startup").stat().st_mode & 0o777 == 0o700
    assert (places / "startup/key.pem").stat().st_mode & 0o777 == 0o600


def test_a_member_of_a_cluster_can_read_what_vouches_for_the_others(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_cluster, "RECORD", places / "cluster.json")
    issue(places / "pki")
    vault_node.prepare(replace(CONFIG, cluster=vault_cluster.Member("vault", "10.15.0.6:8201")))
    assert (places / "run/peers.pem").read_bytes() == b"ROOT\n"
    assert (places / "run/peers.pem").stat().st_mode & 0o777 == 0o444


def config_file(places: Path) -> Path:
    file = places / "vault_server.json"
    file.write_text(json.dumps(GOOD))
    return file


def test_no_such_user_is_told(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = places / "vault_server.json"
    file.write_text(json.dumps({**GOOD, "user": "nobody-here"}))
    assert main(["vault-node", "prepare", str(file)]) == 1
    assert capsys.readouterr().err == "the node has no user nobody-here: role vault_server makes it\n"


def test_a_reload_puts_the_issued_certificate_in_place_and_tells_the_server(places: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _frame: heard.append(number))
    try:
        vault_node.prepare(CONFIG)
        issue(places / "pki")
        (places / "run/pid").write_text(str(os.getpid()))
        vault_node.reload(CONFIG)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == [signal.SIGHUP]
    assert (places / "run/certificate.pem").read_bytes() == b"LEAF\nISSUING\n"
    assert (places / "run/anchors.pem").read_bytes() == b"ROOT\n"


@pytest.mark.parametrize("number", ["", "x", "4194305"])
def test_a_reload_of_nothing_is_told(places: Path, number: str) -> None:
    vault_node.prepare(CONFIG)
    (places / "run/pid").write_text(number)
    with pytest.raises(AgentError, match=r"names no running server .* start heiiki-vault"):
        vault_node.reload(CONFIG)


@pytest.mark.skipif(os.getuid() != 0, reason="starts a process of another user")
def test_a_number_that_somebody_else_bears_is_left_alone(places: Path) -> None:
    vault_node.prepare(CONFIG)
    with subprocess.Popen(["sleep", "60"], user="nobody") as other:
        (places / "run/pid").write_text(str(other.pid))
        with pytest.raises(AgentError, match="which is not the server's"):
            vault_node.reload(CONFIG)
        assert other.poll() is None
        other.kill()


class Answers(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def api(places: Path) -> Iterator[int]:
    """A server with the first certificate, on 127.0.0.1; gives its port."""
    vault_node.prepare(CONFIG)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(places / "run/certificate.pem", places / "run/key.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def at(port: int) -> Settings:
    return Settings(CONFIG.host, CONFIG.addresses, port, ME, tuple(LOGS))


def test_a_server_that_answers_is_healthy_sealed_or_not(places: Path, api: int) -> None:
    assert health(at(api)) == vault_node.HEALTH


def test_another_answer_is_not_healthy(places: Path, api: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answers, "status", 500)
    with pytest.raises(AgentError, match=r"^https://127.0.0.1:.* answers 500: "):
        health(at(api))


def test_a_certificate_that_nobody_vouches_for_is_not_healthy(places: Path, api: int) -> None:
    vault_node.make_startup(CONFIG, places / "else")
    (places / "else/certificate.pem").replace(places / "run/anchors.pem")
    with pytest.raises(AgentError, match=r"does not answer: .*self-signed certificate"):
        health(at(api))


def test_silence_is_not_healthy(places: Path) -> None:
    vault_node.prepare(CONFIG)
    with pytest.raises(AgentError, match=r"does not answer: .*refused"):
        health(at(1))
