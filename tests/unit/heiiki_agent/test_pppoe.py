"""What a device says of its sessions of PPPoE, and of FreeRADIUS."""

import hashlib
import hmac
import json
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from heiiki_agent import pppoe, radius
from heiiki_agent.errors import AgentError

UP = {
    "ifname": "ac0017",
    "flags": ["POINTOPOINT", "UP", "LOWER_UP"],
    "mtu": 1454,
    "master": "s0017",
    "link_type": "ppp",
    "addr_info": [{"family": "inet", "local": "10.80.0.69", "address": "10.80.0.70", "prefixlen": 32}],
}
SECRET = "a" * 40


def test_a_session_that_is_up_has_two_ends_a_size_and_a_vrf() -> None:
    assert pppoe.sessions(["ac0017"], [UP]) == {
        "ac0017": {
            "address": "10.80.0.69",
            "peer": "10.80.0.70",
            "mtu": 1454,
            "vrf": "s0017",
            "kind": "ppp",
        }
    }


@pytest.mark.parametrize("change", [{"flags": ["POINTOPOINT"]}, {"addr_info": []}, {"ifname": "ac0018"}])
def test_what_is_down_without_address_or_not_there_is_no_session(change: dict[str, object]) -> None:
    assert pppoe.sessions(["ac0017"], [UP | change]) == {"ac0017": None}


def test_the_command_prints_what_the_kernel_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pppoe, "_links", lambda: [UP])
    assert pppoe.main(["status", "ac0017", "ac0042"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sessions"]["ac0042"] is None
    assert said["sessions"]["ac0017"]["vrf"] == "s0017"


def test_status_server_is_signed() -> None:
    """RFC 2869 5.14: HMAC-MD5 over the packet with the signature's own octets zero."""
    packet = radius.status_server(SECRET.encode(), 7, bytes(range(16)))
    assert (packet[0], packet[1], int.from_bytes(packet[2:4], "big"), len(packet)) == (12, 7, 38, 38)
    unsigned = packet[:-16] + bytes(16)
    assert packet[-16:] == hmac.new(SECRET.encode(), unsigned, hashlib.md5).digest()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose FreeRADIUS needs a certificate, and has none yet."""
    config, servers = tmp_path / "radiusd.conf", tmp_path / "servers"
    monkeypatch.setattr(radius, "CREDENTIALS", tmp_path / "pki")
    config.write_text(f"ca_file = {tmp_path / 'pki'}/verify.pem\n", encoding="utf-8")
    servers.write_text(f"# both\n127.0.0.1 {SECRET}\n", encoding="utf-8")
    monkeypatch.setattr(radius, "CONFIG", config)
    monkeypatch.setattr(radius, "SERVERS", servers)
    return tmp_path


def answering(reply: Callable[[bytes], bytes]) -> tuple[Thread, int]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))

    def once() -> None:
        with listener:
            asked, sender = listener.recvfrom(4096)
            listener.sendto(reply(asked), sender)

    thread = Thread(target=once)
    thread.start()
    return thread, listener.getsockname()[1]


def test_without_its_certificate_it_waits_and_that_is_no_failure(host: Path) -> None:
    assert radius.proxy() == radius.server("192.0.2.1") == radius.WAITS
    assert host.is_dir()


@pytest.mark.parametrize(("code", "number"), [(2, 0), (3, 0), (2, 1)])
def test_a_proxy_answers_when_it_accepts_the_very_request(
    host: Path, monkeypatch: pytest.MonkeyPatch, code: int, number: int
) -> None:
    (host / "pki").mkdir()
    (host / "pki/verify.pem").write_text("there", encoding="ascii")
    thread, port = answering(lambda asked: bytes((code, (asked[1] + number) % 256, 0, 20)) + bytes(16))
    monkeypatch.setattr(radius, "PORT", port)
    if (code, number) == (2, 0):
        assert radius.proxy() == "answers"
    else:
        with pytest.raises(AgentError, match="answers something else"):
            radius.proxy()
    thread.join()


def test_a_server_that_does_not_listen_is_named(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (host / "pki").mkdir()
    (host / "pki/verify.pem").write_text("there", encoding="ascii")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(radius, "RADSEC_PORT", port)
        assert radius.server("127.0.0.1") == "listens"
    with pytest.raises(AgentError, match=rf"FreeRADIUS at 127\.0\.0\.1:{port} does not listen"):
        radius.server("127.0.0.1")
