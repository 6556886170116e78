"""Both programs over TLS on loopback: losses, kill -9, certificates, and bad input."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import pytest
from free_ports import free_port
from openadr_loopback import VTN_NAME, Authority, Battery, LossyProxy, Program, Ven, Vtn, event
from waiting import awaited

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import LIMIT, decode, encode
from heiiki_agent.openadr.ven.http import HttpTransport, Place
from heiiki_agent.openadr.ven.model import Unreachable
from heiiki_agent.tls import Credentials

Connect = Callable[[str], HttpTransport]


@pytest.fixture
def connect(vtn: Vtn, authority: Authority) -> Iterator[Connect]:
    """Make connections with a certificate for a name."""
    made: list[HttpTransport] = []

    def connected(name: str) -> HttpTransport:
        place = Place(name=VTN_NAME, address="127.0.0.1", port=vtn.port)
        made.append(HttpTransport(place, authority.issue(name)))
        return made[-1]

    yield connected
    for one in made:
        one.close()


def reports(folder: Path) -> tuple[int, int]:
    """Return how many reports the VTN has, and how many different ones."""
    with closing(sqlite3.connect(folder / "vtn.sqlite")) as database:
        (row,) = database.execute("SELECT count(*), count(DISTINCT digest) FROM report")
    return int(row[0]), int(row[1])


def test_nothing_is_lost_on_a_line_that_loses_one_exchange_of_each_kind(
    tmp_path: Path, authority: Authority, vtn: Vtn, running: list[Program]
) -> None:
    credentials = authority.issue("umeda.example")
    lost = {0: "question", 1: "answer"}
    proxy = LossyProxy(
        authority.issue(VTN_NAME), credentials, vtn.port, lambda _kind, number: lost.get(number, "")
    )
    battery, ven = Battery(tmp_path / "umeda-battery.sock"), Ven(tmp_path, credentials, proxy.port, "umeda")
    running.append(ven)
    ven.start()
    names = ["e-1", "e-2", "e-3"]
    for name in names:
        vtn.operate("POST", "/DRAS/events", event(name, "umeda"))
    awaited(
        "every event is answered",
        lambda: [vtn.show(name) for name in names] == [{"umeda": ("optIn", True)}] * 3,
    )
    awaited("reports come", lambda: reports(tmp_path)[0] >= 4)
    awaited("every event is done", lambda: len(battery.book) == 3)
    assert sorted(battery.book) == [f"{name}/0/perform/0" for name in names]
    kinds = ("oadrCreatePartyRegistration", "oadrRegisterReport", "oadrCreatedReport", "oadrPoll")
    assert {
        (kind, what) for kind in (*kinds, "oadrCreatedEvent", "oadrUpdateReport") for what in lost.values()
    } == set(proxy.lost)
    assert ven.end() == 0
    count, different = reports(tmp_path)
    assert count == different
    proxy.close()
    battery.close()


def test_nothing_is_lost_or_doubled_when_either_end_is_killed(
    tmp_path: Path, authority: Authority, vtn: Vtn, running: list[Program]
) -> None:
    battery = Battery(tmp_path / "umeda-battery.sock")
    ven = Ven(tmp_path, authority.issue("umeda.example"), vtn.port, "umeda")
    running.append(ven)
    ven.start()
    names = [f"e-{number}" for number in range(4)]
    for number, name in enumerate(names):
        status, text = vtn.operate("POST", "/DRAS/events", event(name, "umeda"))
        assert status == HTTPStatus.OK, text
        killed: Program = (vtn, ven)[number % 2]
        assert killed.end(signal.SIGKILL) == -signal.SIGKILL
        killed.start()
        awaited("the event is answered", lambda name=name: vtn.show(name) == {"umeda": ("optIn", True)})  # type: ignore[misc]
    awaited("every event is done", lambda: len(battery.book) == len(names))
    assert battery.book == [f"{name}/0/perform/0" for name in names]
    awaited("reports come", lambda: reports(tmp_path)[0] >= 1)
    count, different = reports(tmp_path)
    assert count == different
    battery.close()


def test_who_speaks_is_who_the_certificate_says(connect: Connect) -> None:
    line = connect("umeda.example")
    registration = encode(m.CreatePartyRegistration(request_id="r-1", pull=True))
    answer = decode(line.exchange("EiRegisterParty", registration))
    assert isinstance(answer, m.CreatedPartyRegistration)
    assert answer.ven_id == "umeda"
    forged = decode(line.exchange("OadrPoll", encode(m.Poll(ven_id="tenma"))))
    assert isinstance(forged, m.Response)
    assert forged.response.code == "463"
    unknown = decode(connect("other.example").exchange("OadrPoll", encode(m.Poll(ven_id="umeda"))))
    assert isinstance(unknown, m.Response)
    assert unknown.response.code == "463"


def test_a_certificate_of_another_ca_gets_no_connection(
    vtn: Vtn, authority: Authority, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    foreign = Authority(folder).issue("umeda.example")
    mixed = type(foreign)(certificate=foreign.certificate, key=foreign.key, trust=authority.folder / "ca.pem")
    line = HttpTransport(Place(name=VTN_NAME, address="127.0.0.1", port=vtn.port), mixed)
    with pytest.raises(Unreachable):
        line.exchange("OadrPoll", encode(m.Poll(ven_id="umeda")))


def test_a_revoked_certificate_loses_its_connection_at_once(
    vtn: Vtn, authority: Authority, connect: Connect
) -> None:
    line, other = connect("umeda.example"), connect("tenma.example")
    poll = encode(m.Poll(ven_id="umeda"))
    assert isinstance(decode(line.exchange("OadrPoll", poll)), m.RequestReregistration)
    authority.revoke(authority.folder / "umeda.example.pem")
    assert vtn.process
    vtn.process.send_signal(signal.SIGHUP)

    def refused() -> bool:
        try:
            line.exchange("OadrPoll", poll)
        except Unreachable:
            return True
        return False

    awaited("the revoked VEN is refused", refused)
    tenma = encode(m.Poll(ven_id="tenma"))

    def served() -> bool:
        try:
            return isinstance(decode(other.exchange("OadrPoll", tenma)), m.RequestReregistration)
        except Unreachable:
            return False

    awaited("the other VEN is served", served)
    assert refused()


def test_a_vtn_of_another_name_is_not_spoken_with(vtn: Vtn, authority: Authority) -> None:
    place = Place(name="other.example", address="127.0.0.1", port=vtn.port)
    line = HttpTransport(place, authority.issue("umeda.example"))
    with pytest.raises(Unreachable, match="certificate verify failed"):
        line.exchange("OadrPoll", encode(m.Poll(ven_id="umeda")))


def test_a_message_above_the_limit_is_told_so(connect: Connect) -> None:
    answer = decode(connect("umeda.example").exchange("OadrPoll", b" " * (LIMIT + 1)))
    assert isinstance(answer, m.Response)
    assert answer.response.description == f"a message has at most {LIMIT} bytes"


@pytest.mark.parametrize(
    ("method", "path", "document", "status", "text"),
    [
        ("POST", "/OTHER/events", event("e-1", "umeda"), 400, "VTN OTHER is not known; use DRAS"),
        (
            "POST",
            "/DRAS/events",
            event("e-1", "namba"),
            409,
            "vens: namba: not known to this VTN; see its configuration",
        ),
        (
            "POST",
            "/DRAS/events",
            {**event("e-1", "umeda"), "stop": 1},
            400,
            "order: stop: is not known here; remove it",
        ),
        ("DELETE", "/DRAS/events/e-9", None, 409, "event e-9 is not known; list the events"),
        (
            "PUT",
            "/DRAS/events/e-2",
            event("e-1", "umeda"),
            400,
            "order: event_id: is not e-2, which the address names",
        ),
    ],
)
def test_an_operators_mistake_is_told(
    vtn: Vtn, method: str, path: str, document: object, status: int, text: str
) -> None:
    assert vtn.operate(method, path, document) == (status, text)


def test_an_operator_orders_modifies_and_cancels(vtn: Vtn) -> None:
    order = event("e-1", "umeda")
    for method, path, document, modification, state in (
        ("POST", "/DRAS/events", order, 0, "far"),
        ("PUT", "/DRAS/events/e-1", {**order, "duration": "PT2H"}, 1, "far"),
        ("DELETE", "/DRAS/events/e-1", None, 2, "cancelled"),
    ):
        status, text = vtn.operate(method, path, document)
        assert status == HTTPStatus.OK, text
        shown = json.loads(text)
        assert (shown["modification"], shown["status"]) == (modification, state)
    _, text = vtn.operate("GET", "/DRAS/events")
    assert [one["event_id"] for one in json.loads(text)] == ["e-1"]
    assert json.loads(vtn.operate("GET", "/health")[1]) == {"DRAS": {"vens": 2, "registered": 0}}
    assert vtn.socket.stat().st_mode & 0o777 == 0o600


def test_two_esps_on_one_host_share_nothing(
    tmp_path: Path, authority: Authority, running: list[Program]
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = Authority(folder)
    made = Vtn(tmp_path, authority, ("umeda",))
    document = json.loads(made.config.read_text())
    port = free_port()
    files = {name: str(file) for name, file in vars(other.issue(VTN_NAME)).items()}
    document["vtns"].append(
        document["vtns"][0]
        | {"vtn_id": "OTHER", "port": port, "database": str(folder / "vtn.sqlite"), "credentials": files}
    )
    made.config.write_text(json.dumps(document))
    running.append(made)
    made.start()
    poll = encode(m.Poll(ven_id="umeda"))
    for place, allowed, foreign in ((made.port, authority, other), (port, other, authority)):
        served = HttpTransport(
            Place(name=VTN_NAME, address="127.0.0.1", port=place), allowed.issue("umeda.example")
        )
        assert isinstance(decode(served.exchange("OadrPoll", poll)), m.RequestReregistration)
        served.close()
        own, theirs = foreign.issue("umeda.example"), allowed.folder / "ca.pem"
        mixed = Credentials(certificate=own.certificate, key=own.key, trust=theirs)
        refused = HttpTransport(Place(name=VTN_NAME, address="127.0.0.1", port=place), mixed)
        with pytest.raises(Unreachable):
            refused.exchange("OadrPoll", poll)
    made.operate("POST", "/DRAS/events", event("e-1", "umeda"))
    assert made.operate("GET", "/OTHER/events") == (HTTPStatus.OK, "[]")
    assert made.end() == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"vtn_id": "dras"}, "vtns[0].vtn_id: is wrong: 'dras' does not match [A-Z0-9][A-Z0-9_.-]{0,63}"),
        ({"vens": []}, "vtns[0].vens: is wrong: give at least 1"),
        (
            {"vens": [{"ven_id": "umeda", "certificate_name": name} for name in ("a", "b")]},
            "vtns[0]: is wrong: umeda is there twice",
        ),
    ],
)
def test_a_configuration_that_is_wrong_is_told_with_its_place(
    tmp_path: Path, authority: Authority, changes: dict[str, object], problem: str
) -> None:
    made = Vtn(tmp_path, authority, ("umeda",))
    document = json.loads(made.config.read_text())
    document["vtns"][0] |= changes
    made.config.write_text(json.dumps(document))
    command = [sys.executable, "-m", "heiiki_agent.openadr", "vtn", str(made.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"{made.config}: {problem}\n")
