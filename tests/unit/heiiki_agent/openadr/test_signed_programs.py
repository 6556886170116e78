"""Both programs at security level high, and stock openleadr on the other side."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import openleadr.utils
import pytest
from free_ports import free_port
from openadr_loopback import VTN_NAME, Authority, Battery, LossyProxy, Program, Ven, Vtn, event
from waiting import awaited

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.envelope import envelope
from heiiki_agent.openadr.ven.http import HttpTransport, Place
from heiiki_agent.openadr.ven.model import Unreachable
from heiiki_agent.tls import Credentials

PEER = Path(__file__).parents[3] / "openleadr_peer.py"


@pytest.fixture
def signed_vtn(tmp_path: Path, authority: Authority, running: list[Program]) -> Vtn:
    made = Vtn(tmp_path, authority, ("umeda", "tenma"), security="high")
    running.append(made)
    made.start()
    return made


@pytest.fixture
def battery(tmp_path: Path) -> Iterator[Battery]:
    made = Battery(tmp_path / "umeda-battery.sock")
    yield made
    made.close()


@contextmanager
def stock(tmp_path: Path, role: str, port: int, own: Credentials, peer: Credentials) -> Iterator[Path]:
    """Run stock openleadr, which knows its peer by a fingerprint; give the file of what it says."""
    fingerprint = openleadr.utils.certificate_fingerprint(peer.certificate.read_text())
    files = map(str, (own.certificate, own.key, own.trust))
    said = tmp_path / f"stock-{role}.jsonl"
    with said.open("wb") as out, said.with_suffix(".log").open("wb") as log:
        command = [sys.executable, str(PEER), role, str(port), *files, fingerprint]
        process = subprocess.Popen(command, stdout=out, stderr=log)
    try:
        yield said
    finally:
        process.kill()
        process.wait()


def said(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]


def test_what_is_sent_again_is_signed_again_with_the_same_request_id(
    tmp_path: Path, authority: Authority, signed_vtn: Vtn, battery: Battery, running: list[Program]
) -> None:
    credentials = authority.issue("umeda.example")
    lost = {0: "question", 1: "answer"}
    proxy = LossyProxy(
        signed_vtn.credentials, credentials, signed_vtn.port, lambda _kind, number: lost.get(number, "")
    )
    ven = Ven(tmp_path, credentials, proxy.port, "umeda", security="high")
    running.append(ven)
    ven.start()
    signed_vtn.operate("POST", "/DRAS/events", event("e-1", "umeda"))
    awaited("it is answered", lambda: signed_vtn.show("e-1") == {"umeda": ("optIn", True)})
    awaited("it is done", lambda: battery.book == ["e-1/0/perform/0"])
    assert ven.end() == 0
    nonces, sent = _nonces_of_request(proxy.bodies)
    assert len(nonces) == len(set(nonces)), "no signature is used twice"
    assert max(map(len, sent.values())) > 1, "a message was sent again"
    assert proxy.lost["oadrCreatedEvent", "answer"] == 1
    proxy.close()


def _nonces_of_request(bodies: list[bytes]) -> tuple[list[bytes], dict[bytes, list[bytes]]]:
    """Return the nonce of each message, and those of each request by its requestID."""
    nonces, sent = [], defaultdict(list)
    for body in bodies:
        (nonce,) = re.findall(rb"nonce>([^<]+)<", body)
        nonces.append(nonce)
        for request in re.findall(rb"requestID[^>]*>([^<]+)<", body)[:1]:
            sent[request].append(nonce)
    return nonces, sent


def test_a_message_without_a_signature_is_refused_and_the_answer_is_signed(
    authority: Authority, signed_vtn: Vtn
) -> None:
    place = Place(name=VTN_NAME, address="127.0.0.1", port=signed_vtn.port)
    credentials = authority.issue("umeda.example")
    registration = encode(m.CreatePartyRegistration(request_id="r-1", pull=True, signature=True))
    line = HttpTransport(place, credentials)
    answer = line.exchange("EiRegisterParty", registration)
    refused = decode(answer)
    assert isinstance(refused, m.Response)
    assert (refused.response.code, b"SignatureValue" in answer) == ("463", True)
    assert "has no ds:Signature" in refused.response.description
    line.close()
    line = HttpTransport(place, credentials, envelope("high"))
    taken = decode(line.exchange("EiRegisterParty", registration))
    assert isinstance(taken, m.CreatedPartyRegistration)
    assert taken.ven_id == "umeda"
    line.close()


def test_an_answer_without_a_signature_is_none(authority: Authority, vtn: Vtn) -> None:
    place = Place(name=VTN_NAME, address="127.0.0.1", port=vtn.port)
    line = HttpTransport(place, authority.issue("umeda.example"), envelope("high"))
    registration = encode(m.CreatePartyRegistration(request_id="r-1", pull=True, signature=True))
    with pytest.raises(Unreachable, match="the answer: ds:Signature: has no ds:Signature"):
        line.exchange("EiRegisterParty", registration)


def test_the_signature_of_another_ven_is_refused(authority: Authority, signed_vtn: Vtn) -> None:
    """Over a connection of its own a VEN hands in what another signed."""
    umeda, tenma = authority.issue("umeda.example"), authority.issue("tenma.example")
    signer = envelope("high")
    signer.renew(tenma)
    line = HttpTransport(Place(name=VTN_NAME, address="127.0.0.1", port=signed_vtn.port), umeda)
    answer = decode(line.exchange("OadrPoll", signer.sealed(encode(m.Poll(ven_id="tenma")))))
    assert isinstance(answer, m.Response)
    assert answer.response.code == "463"
    assert "another certificate than that of the connection" in answer.response.description
    line.close()


def test_a_stock_ven_that_signs_and_verifies(tmp_path: Path, authority: Authority, signed_vtn: Vtn) -> None:
    own = authority.issue("umeda.example")
    with stock(tmp_path, "ven", signed_vtn.port, own, signed_vtn.credentials) as file:
        awaited("it is registered", lambda: {"ven_id": "umeda"} in said(file))
        status, text = signed_vtn.operate("POST", "/DRAS/events", event("e-1", "umeda"))
        assert status == HTTPStatus.OK, text
        awaited("it answers", lambda: signed_vtn.show("e-1") == {"umeda": ("optIn", True)})


def test_a_stock_vtn_that_verifies_and_signs(
    tmp_path: Path, authority: Authority, battery: Battery, running: list[Program]
) -> None:
    port, own = free_port(), authority.issue("umeda.example")
    with stock(tmp_path, "vtn", port, authority.issue(VTN_NAME), own) as file:
        ven = Ven(tmp_path, own, port, "umeda", security="high")
        running.append(ven)
        ven.start()
        awaited("it answers", lambda: {"ven_id": "ven-1", "event": "e-1", "opt": "optIn"} in said(file))
        awaited("the event is done", lambda: battery.book == ["e-1/0/perform/0"])
        assert ven.end() == 0
