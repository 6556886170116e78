"""Both programs on loopback: what is taken, what is refused and why, and what a death costs."""

import json
import select
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mms_loopback import DRAS, SITE, Client, World
from open61850.data import IntData
from open61850.mms import DataAccessError, MmsClient
from openadr_loopback import Authority
from waiting import awaited

from heiiki_agent.mms.frames import LIMIT
from heiiki_agent.tls import Credentials, client_context

CONNECT = bytes.fromhex("0300000b06e00000000100")
CONFIRMED, REFUSED = 0xD0, 0x80


def secure(world: World, credentials: Credentials) -> ssl.SSLSocket:
    """A TLS connection to the server, by which it has said something of the certificate."""
    line = socket.create_connection(("127.0.0.1", world.server.port), 5)
    return client_context(credentials).wrap_socket(line, server_hostname=SITE)


def asked(world: World, credentials: Credentials) -> int:
    """Return the kind of COTP that answers a connection request."""
    with secure(world, credentials) as line:
        line.sendall(CONNECT)
        return line.recv(100)[5]


def test_a_set_point_reaches_the_resource_and_its_measurement_comes_back(world: World) -> None:
    assert world.client.set("o-1", -5000.0)["state"] == "done"
    (shown,) = world.client.ask("show")
    assert shown["values"][0] | {"at": ""} == {
        "name": "MMXU1.TotW",
        "value": -5000.0,
        "unit": "W",
        "good": True,
        "at": "",
    }
    assert (shown["set_point_w"], shown["set_point_order"]) == (-5000.0, "o-1")


def test_a_schedule_is_taken_whole(world: World) -> None:
    order = {"order_id": "s-1", "start": "2026-12-01T00:00:00Z", "interval_s": 1800, "powers_w": [1, 2]}
    (entry,) = world.client.ask("order", kind="schedule", order=order)
    assert entry["state"] == "done"
    (line,) = map(json.loads, world.resource.book.read_text().splitlines())
    assert line["what"] == {
        "order_id": "s-1",
        "start": "2026-12-01T00:00:00Z",
        "interval_s": 1800,
        "powers_kw": [0.001, 0.002],
    }


def test_the_same_order_again_is_done_once(world: World) -> None:
    assert world.client.set("o-1", 1000.0) == world.client.set("o-1", 1000.0)
    assert world.resource.done == ["o-1"]


def test_what_the_resource_never_does_is_refused_with_its_cause(world: World) -> None:
    entry = world.client.set("o-1", 500_000.0)
    assert (entry["state"], entry["cause"]) == ("refused", 9)
    assert world.resource.done == []


def test_an_order_waits_for_a_resource_that_is_away(world: World) -> None:
    world.resource.end(signal.SIGKILL)
    entry = world.client.set("o-1", 1000.0, wait_s=1.0)
    assert (entry["state"], entry["reason"]) == ("pending", "the resource does not answer its controller")
    world.resource.start()
    assert world.client.set("o-1", 1000.0, wait_s=30.0)["state"] == "done"


def test_an_order_that_nobody_answers_in_time_expires(world: World) -> None:
    world.server.end(signal.SIGKILL)
    entry = world.client.set("o-1", 1000.0, valid_s=1.0, wait_s=30.0)
    assert entry["state"] == "expired"
    assert entry["reason"].startswith("umeda: [Errno 111] Connect call failed")


def test_an_order_waits_for_a_certificate_as_before_the_device_is_enrolled(world: World) -> None:
    key = world.credentials[DRAS].key
    kept = key.read_bytes()
    key.unlink()
    entry = world.client.set("o-1", 1000.0, wait_s=1.0)
    assert entry["state"] == "pending"
    assert "cannot be used for TLS" in entry["reason"]
    key.write_bytes(kept)
    assert world.client.set("o-1", 1000.0, wait_s=30.0)["state"] == "done"


def test_kills_of_either_end_lose_and_double_nothing(world: World) -> None:
    for number, end in enumerate((world.server, world.client) * 3):
        world.client.set(f"o-{number}", 1000.0 * number, wait_s=0.02)
        end.end(signal.SIGKILL)
        end.start()
        assert world.client.set(f"o-{number}", 1000.0 * number, wait_s=30.0)["state"] == "done"
    assert world.resource.done == [f"o-{number}" for number in range(6)]


def test_an_operators_mistake_is_told(world: World) -> None:
    with pytest.raises(AssertionError, match="power_w: is missing; add it"):
        world.client.ask("order", kind="set", order={"order_id": "o-1"})
    with pytest.raises(AssertionError, match="sites: nara: not controlled from here; use umeda"):
        world.client.ask("order", kind="set", order={"order_id": "o-1", "power_w": 1}, sites=["nara"])
    world.client.set("o-1", 1.0)
    with pytest.raises(AssertionError, match="order o-1 is there already; give another name"):
        world.client.set("o-1", 2.0)


def test_dras_gets_a_connection(world: World) -> None:
    assert asked(world, world.credentials[DRAS]) == CONFIRMED


def test_another_device_of_the_service_gets_none(world: World) -> None:
    assert asked(world, world.authority.issue("namba.example")) == REFUSED
    assert "refused: a certificate for namba.example" in world.server.said


def no_certificate(_world: World, context: ssl.SSLContext, _folder: Path) -> ssl.SSLContext:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    assert context is not bare
    return bare


def foreign(world: World, context: ssl.SSLContext, folder: Path) -> ssl.SSLContext:
    (folder / "foreign").mkdir()
    other = Authority(folder / "foreign").issue(DRAS)
    context.load_cert_chain(other.certificate, other.key)
    assert world.credentials[DRAS].certificate != other.certificate
    return context


def old_tls(_world: World, context: ssl.SSLContext, _folder: Path) -> ssl.SSLContext:
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("made", "alert"),
    [
        (no_certificate, "CERTIFICATE_REQUIRED"),
        (foreign, "DECRYPT_ERROR"),
        (old_tls, "PROTOCOL_VERSION"),
    ],
)
def test_tls_refuses(
    world: World, tmp_path: Path, made: Callable[[World, ssl.SSLContext, Path], ssl.SSLContext], alert: str
) -> None:
    context = made(world, client_context(world.credentials[DRAS]), tmp_path)
    line = socket.create_connection(("127.0.0.1", world.server.port), 5)
    with pytest.raises(ssl.SSLError) as refused, context.wrap_socket(line, server_hostname=SITE) as secured:
        secured.recv(1)
    assert alert in str(refused.value)


def test_a_revoked_device_is_hung_up_on_and_gets_in_no_more(world: World) -> None:
    with secure(world, world.credentials[DRAS]) as line:
        line.sendall(CONNECT)
        assert line.recv(100)[5] == CONFIRMED
        world.authority.revoke(world.credentials[DRAS].certificate)
        world.server.signal(signal.SIGHUP)
        assert line.recv(1) == b""
    entry = world.client.set("o-1", 1.0, valid_s=1.0)
    assert (entry["state"], entry["reason"]) == ("expired", "umeda: TLS: sslv3 alert certificate revoked")


def test_dras_gives_no_order_to_one_that_is_revoked_or_has_another_name(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Client(tmp_path / "other", world.credentials[DRAS], world.server, "sakai.example")
    try:
        other.start()
        reason = other.set("o-1", 1.0, valid_s=1.0)["reason"]
    finally:
        other.end()
    assert reason.startswith("umeda: its certificate: Hostname mismatch")
    world.authority.revoke(world.credentials[SITE].certificate)
    reason = world.client.set("o-2", 1.0, valid_s=1.0)["reason"]
    assert reason == "umeda: its certificate: certificate revoked"
    assert world.resource.done == []


def part(size: int, *, last: bool) -> bytes:
    return bytes((3, 0)) + (size + 7).to_bytes(2) + bytes((2, 0xF0, 0x80 if last else 0)) + b"\x30" * size


@pytest.mark.parametrize(
    ("bytes_", "said"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "no TPKT: it begins with 47"),
        (CONNECT + part(60_000, last=False) * 2, f"a message above {LIMIT} bytes"),
        (CONNECT + part(60_000, last=True), ""),
        (CONNECT + bytes.fromhex("0300000902f0800d05"), ""),
        (CONNECT + part(3, last=True), ""),
    ],
    ids=["http", "oversize", "nested", "cut off", "no session"],
)
def test_malformed_bytes_end_their_session_and_no_other(world: World, bytes_: bytes, said: str) -> None:
    with secure(world, world.credentials[DRAS]) as line:
        line.sendall(bytes_)
        while line.recv(1000):
            pass
    awaited("the server has said so", lambda: said in world.server.said)
    assert "Traceback" not in world.server.said
    assert world.client.set("o-1", 1.0)["state"] == "done"


@pytest.mark.long
def test_a_slow_peer_is_hung_up_on_while_others_are_served(world: World) -> None:
    with secure(world, world.credentials[DRAS]) as line:
        began = time.monotonic()
        line.sendall(CONNECT[:3])
        assert world.client.set("o-1", 1.0)["state"] == "done"
        assert line.recv(1) == b""
    assert time.monotonic() - began < 30
    said = "a message did not arrive within 5 s"
    awaited("the server has said so", lambda: said in world.server.said)


def test_who_may_control_may_not_change_how_it_is_controlled(world: World) -> None:
    # The library's own client, by a socket that carries TLS for it.
    relay = Relay(world)
    try:
        with MmsClient.connect("127.0.0.1", relay.port) as client, pytest.raises(DataAccessError):
            client.write("DER/DWGC1$CF$WSpt$ctlModel", IntData(0))
    finally:
        relay.close()


class Relay:
    """Takes one connection in clear and carries it to the server by TLS: for a client that has no TLS."""

    def __init__(self, world: World) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._world = world
        threading.Thread(target=self._carry, daemon=True).start()

    def _carry(self) -> None:
        plain, _ = self._listening.accept()
        with plain, secure(self._world, self._world.credentials[DRAS]) as line:
            while True:
                ready = [line] if line.pending() else select.select([plain, line], [], [])[0]
                for one, other in ((plain, line), (line, plain)):
                    if one in ready:
                        data = one.recv(16_384)
                        if not data:
                            return
                        other.sendall(data)

    def close(self) -> None:
        self._listening.close()
