"""Direct control on the lab: orders reach resources, once; who is revoked is out; bytes that are no MMS."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import awaited

from heiiki.render import mms
from heiiki.transport import Completed
from heiiki.verify.ipsec.test_certificates import Credential, VaultAuthority, signed

from .service import Service

SITES = {"umeda": "umeda-bems", "sakai": "sakai-bems"}
HOLD = """
import json, os, pathlib, socket, ssl, sys
given, own = json.loads({given!r}), pathlib.Path("/etc/heiiki/pki/current")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations("/etc/heiiki/pki/roots.pem")
def read(text):
    number = os.memfd_create("held")
    os.write(number, text.encode())
    return f"/proc/self/fd/{{number}}"
pair = given["pair"] or [(own / one).read_text() for one in ("certificate.pem", "key.pem")]
if not given["pair"]:
    pair[0] += (own / "chain.pem").read_text()
context.load_cert_chain(*map(read, pair))
try:
    with socket.create_connection((given["address"], given["port"]), 10) as plain:
        with context.wrap_socket(plain, server_hostname=given["name"]) as line:
            line.sendall(bytes.fromhex("0300000b06e00000000100"))
            line.sendall(bytes.fromhex(given["more"]) * given["times"])
            first = line.recv(100)
            pathlib.Path("/run/held").touch()
            line.settimeout(240)
            rest = line.recv(100)
            print(first[5], len(rest))
except OSError as error:
    sys.exit(str(error))
"""
"""Associates as far as COTP, says something more, and waits until the server hangs up."""


def held(
    service: Service, site: str, made: Credential | None, more: bytes = b"", times: int = 1
) -> Completed:
    client = service.plan.device("dras").mms_client
    assert client
    place = next(one for one in client.sites if one.name == site)
    given = {
        "address": str(place.address),
        "port": place.port,
        "name": place.certificate_name,
        "pair": [made.certificate, made.key] if made else None,
        "more": more.hex(),
        "times": times,
    }
    program = HOLD.format(given=json.dumps(given))
    return service.transport.run("dras", ("python3", "-"), stdin=program.encode(), timeout=300)


def ordered(service: Service, name: str, power_w: float, wait_s: float) -> dict[str, str]:
    """Order a power of umeda at the client on DRAS, and return what its book says of it."""
    order = {"order_id": name, "power_w": power_w}
    question = {"do": "order", "sites": ["umeda"], "kind": "set", "order": order, "wait_s": wait_s}
    done = service.transport.run("dras", mms.operate(), stdin=json.dumps(question).encode(), timeout=120)
    assert done.rc == 0, done.stderr.decode()
    (entry,) = json.loads(done.stdout)
    return {"name": entry["order_id"], "state": entry["state"]}


def books(service: Service, orders: str) -> tuple[list[str], list[str]]:
    """Return the orders that umeda's controller has answered, and those that its resource has done."""
    found = json.loads(service.run("umeda-bems", *mms.book(orders)))
    assert found["problem"] is None
    return [one["order_id"] for one in found["orders"] if one["answered"]], [
        one["key"] for one in found["done"]
    ]


@pytest.mark.representative
def test_an_operator_sets_schedules_and_reads(service: Service) -> None:
    name = f"test-{time.time_ns()}"
    said = service.heiiki("control", "set", *SITES, "--power", "-7.5", "--order", name)
    assert [line.split()[-1] for line in said.splitlines()] == ["done", "done"]
    shown = service.heiiki("control", "show", *SITES)
    assert shown.count("-7.5 kW") == 4, "measured and ordered, at both sites"
    start = ("--start", "2026-12-01T17:00:00+09:00", "--power", "-5", "--power", "10")
    said = service.heiiki("control", "schedule", "umeda", *start, "--order", f"{name}-s")
    assert "2 × 1800 s from 2026-12-01T08:00:00Z  done" in said
    assert books(service, name) == ([name, f"{name}-s"], [name, f"{name}-s"])
    assert f"{name}-s" in service.heiiki("control", "book", "umeda")


@pytest.mark.representative
def test_sites_report_by_themselves_and_an_order_is_an_event(service: Service) -> None:
    awaited("both sites are heard", lambda: _heard(service, "measurement") == set(SITES))
    assert ordered(service, f"event-{time.time_ns()}", 1000.0, 30.0)["state"] == "done"
    awaited("the order is reported", lambda: "umeda" in _heard(service, "event"))


def _heard(service: Service, report: str) -> set[str]:
    """Return the sites that are heard, and of which such a report has come."""
    question = json.dumps({"do": "reports", "sites": list(SITES)}).encode()
    done = service.transport.run("dras", mms.operate(), stdin=question, timeout=60)
    assert done.rc == 0, done.stderr.decode()
    return {
        one["site"]
        for one in json.loads(done.stdout)
        if one["problem"] is None and any(kind["name"] == report and kind["times"] for kind in one["reports"])
    }


@pytest.mark.representative
def test_kills_of_either_end_lose_and_double_nothing(service: Service) -> None:
    prefix = f"kill-{time.time_ns()}-"
    names = [f"{prefix}{number}" for number in range(4)]
    ends = (("umeda-bems", "heiiki-mms-server"), ("dras", "heiiki-mms-client"))
    for number, name in enumerate(names):
        device, unit = ends[number % 2]
        ordered(service, name, 1000.0 * number, 0.0)
        service.run(device, "systemctl", "kill", "--signal=KILL", unit)
        awaited(f"{name} is done", lambda name=name, number=number: _is_done(service, name, number))
    assert books(service, prefix) == (names, names)


def _is_done(service: Service, name: str, number: int) -> bool:
    """Give it again, which changes nothing, until it is done; the client may be starting again."""
    try:
        return ordered(service, name, 1000.0 * number, 5.0)["state"] == "done"
    except AssertionError:
        return False


@pytest.mark.representative
def test_who_is_revoked_loses_its_session_and_gets_none(
    service: Service, record_property: Callable[[str, object], None]
) -> None:
    authority = VaultAuthority(service.plan, service.access)
    identity = service.plan.device("dras").identity
    assert identity
    made = signed(authority, identity, "10m")
    # A device is revoked when its newest certificate is, and this one is to lose another certificate only.
    signed(authority, identity, "10m")
    service.run("dras", "rm", "-f", "/run/held")
    with ThreadPoolExecutor(1) as pool:
        stolen = pool.submit(held, service, "umeda", made)
        awaited(
            "the session stands", lambda: service.transport.run("dras", ("test", "-e", "/run/held")).rc == 0
        )
        began = time.monotonic()
        authority.revoke(made.certificate)
        service.pull("umeda-bems")
        assert stolen.result().stdout == b"208 0\n"
        record_property("session_ended_s", round(time.monotonic() - began, 2))
    refused = held(service, "umeda", made)
    assert refused.rc == 1
    assert "certificate revoked" in refused.stderr.decode()
    assert ordered(service, f"after-{time.time_ns()}", 0.0, 30.0)["state"] == "done"


@pytest.mark.representative
@pytest.mark.parametrize(
    ("more", "times"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 1),
        (bytes((3, 0, 0xEA, 0x67, 2, 0xF0, 0)) + bytes(60_000), 2),
        (bytes((3, 0, 0xEA, 0x67, 2, 0xF0, 0x80)) + b"\x30" * 60_000, 1),
    ],
    ids=["no MMS", "too long", "nested"],
)
def test_malformed_bytes_end_their_session_alone(service: Service, more: bytes, times: int) -> None:
    began = service.run("umeda-bems", "systemctl", "show", "-P", "MainPID", "heiiki-mms-server")
    assert held(service, "umeda", None, more, times).rc in {0, 1}
    assert ordered(service, f"bytes-{time.time_ns()}", 0.0, 30.0)["state"] == "done"
    assert service.run("umeda-bems", "systemctl", "show", "-P", "MainPID", "heiiki-mms-server") == began
