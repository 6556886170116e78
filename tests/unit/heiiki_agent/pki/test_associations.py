"""IKE SAs re-authenticate when what they rest on is gone, and for nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent_device import Device
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from fake_charon import Answered, FakeCharon, Message
from fake_vault import Authority

from heiiki_agent import vici
from heiiki_agent.pki import associations, daemon, publish
from heiiki_agent.pki.crl import pull
from heiiki_agent.pki.report import status


class Charon:
    """A strongSwan whose SAs are numbers with a state; this end initiated those below 10 and from 100 on."""

    def __init__(self, path: Path) -> None:
        self.sas: dict[int, str] = {}
        self.crls: list[bytes] = []
        self.reauthenticate: Callable[[int], str] = self.replace
        self.served = FakeCharon(path, self._answer)
        self.served.start()

    def replace(self, number: int) -> str:
        """The peer proves itself: a new SA takes the place of the old one."""
        self.sas[number + 100] = self.sas.pop(number)
        return ""

    def stand(self, *numbers: int, state: str = "ESTABLISHED") -> None:
        self.sas |= dict.fromkeys(numbers, state)

    @property
    def numbers(self) -> set[int]:
        return set(self.sas)

    def told(self) -> list[str]:
        told = [f"{name} {message['ike-id']}" for name, message in self.served.asked if "ike-id" in message]
        self.served.asked.clear()
        return told

    def load(self, *pems: str) -> None:
        """Load CRLs in place of those that were there."""
        parsed = (x509.load_pem_x509_crl(pem.encode()) for pem in pems)
        self.crls = [one.public_bytes(serialization.Encoding.DER) for one in parsed]

    def _answer(self, name: str, message: Message) -> Answered:
        if name == "list-certs":
            assert message == {"type": "X509_CRL"}
            return [("list-cert", {"type": "X509_CRL", "data": der}) for der in self.crls], {}
        if name == "list-sas":
            return [("list-sa", {"hub-b": self._listed(*sa)}) for sa in self.sas.items()], {}
        if name in {"load-cert", "flush-certs"}:
            self.crls += [bytes.fromhex(str(message["data"]))] if name == "load-cert" else []
            return [], {"success": "yes"}
        number = int(message["ike-id"])
        if name == "terminate":
            assert message["force"] == "yes"
            del self.sas[number]
            return [], {"success": "yes"}
        assert (name, message["reauth"]) == ("rekey", "yes")
        problem = self.reauthenticate(number)
        return [], {"success": "no", "errmsg": problem} if problem else {"success": "yes"}

    @staticmethod
    def _listed(number: int, state: str) -> Message:
        listed = {"uniqueid": str(number), "state": state}
        return listed if 10 <= number < 100 else listed | {"initiator": "yes"}


@pytest.fixture
def charon(device: Device, monkeypatch: pytest.MonkeyPatch) -> Iterator[Charon]:
    device.configure(associations=True)
    device.enrol()
    device.publish_crls(1)
    pull(device.settings)
    monkeypatch.setattr(vici, "SOCKET", str(device.folder / "charon.vici"))
    charon = Charon(device.folder / "charon.vici")
    yield charon
    charon.served.stop()


@pytest.fixture
def watch(device: Device, charon: Charon, monkeypatch: pytest.MonkeyPatch) -> daemon.Daemon:
    for name in ("PACE_S", "RESPONDER_S", "LIMIT_S", "POLL_S"):
        monkeypatch.setattr(associations, name, 0.0)
    return daemon.Daemon(device.file, device.folder / "state.json")


def _turn(watch: daemon.Daemon) -> None:
    """What the daemon does between two pulls."""
    watch.step()
    watch.compare()
    while watch.go_on() < 60:
        pass


def test_the_serials_that_are_refused_are_those_of_the_lists_that_strongswan_has_loaded(
    device: Device, charon: Charon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those of the lists that came: between the two, a revoked peer is let in."""
    device.publish_crls(2, 0x77)
    pull(device.settings)
    charon.load(device.fake.issuing.crl(1), device.fake.root.crl(1))
    assert status(device.settings)["refused_serials"] == []
    charon.load(device.fake.issuing.crl(2, (0x77, 0x1234)), device.fake.root.crl(1))
    assert status(device.settings)["refused_serials"] == ["12:34", "77"]
    charon.crls = [b"\xff"]
    assert status(device.settings)["refused_serials"] is None
    monkeypatch.setattr(vici, "SOCKET", str(device.folder / "nobody.vici"))
    assert status(device.settings)["refused_serials"] is None


def test_without_strongswan_they_are_those_that_were_told_to_who_uses_them(device: Device) -> None:
    device.enrol()
    device.publish_crls(1, 0x77)
    pull(device.settings)
    assert status(device.settings)["refused_serials"] == ["77"]
    (device.store.folder / "loaded").write_text("another")
    assert status(device.settings)["refused_serials"] is None
    device.configure(revocation=None)
    assert "refused_serials" not in status(device.settings)


def test_associations_re_authenticate_once_and_not_for_a_crl_that_is_merely_newer(
    device: Device, charon: Charon, watch: daemon.Daemon
) -> None:
    charon.stand(1, 2, 3)
    charon.stand(4, state="CONNECTING")
    assert status(device.settings)["authenticated"] is False
    _turn(watch)
    assert sorted(charon.told()) == [f"rekey {number}" for number in (1, 2, 3)]
    assert charon.numbers == {101, 102, 103, 4}
    assert status(device.settings)["authenticated"] is True
    for number in (1, 2, 3):
        device.publish_crls(number)
        _turn(watch)
    assert charon.told() == []
    device.publish_crls(4, 77)
    _turn(watch)
    assert len(charon.told()) == 3
    device.publish_crls(5, 77)
    _turn(watch)
    device.publish_crls(6)
    _turn(watch)
    assert charon.told() == [], "a serial number that is no longer named had expired"


def test_a_new_certificate_and_a_ca_that_is_gone_have_associations_re_authenticate(
    device: Device, charon: Charon, watch: daemon.Daemon
) -> None:
    _turn(watch)
    charon.stand(1)
    device.enrol()
    watch.compare()
    assert watch.go_on() == float("inf"), "strongSwan has not loaded it yet"
    publish.reload(device.settings)
    _turn(watch)
    assert charon.told() == ["rekey 1"]
    new = Authority("Test Issuing", device.fake.root)
    device.fake.crls["pki-issuing"]["n"] = (new, new.crl(1))
    _turn(watch)
    assert charon.told() == [], "one CA more ends no association"
    del device.fake.crls["pki-issuing"]["n"]
    _turn(watch)
    assert charon.told() == ["rekey 101"]


def test_the_initiator_re_authenticates_first_and_the_responder_looks_whether_it_did(
    charon: Charon, watch: daemon.Daemon
) -> None:
    charon.stand(10, 11, 5)
    watch.step()
    watch.compare()
    watch.go_on()
    assert charon.told() == ["rekey 5"]
    watch.go_on()
    charon.replace(10)
    while watch.go_on() < 60:
        pass
    assert charon.told() == ["rekey 11"]
    assert charon.numbers == {105, 110, 111}


def test_an_association_whose_peer_does_not_prove_itself_is_closed(
    device: Device, charon: Charon, watch: daemon.Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    charon.stand(1, 2)
    charon.reauthenticate = lambda number: "" if number == 2 else charon.replace(number)
    _turn(watch)
    assert charon.numbers == {101}
    assert charon.told()[-1] == "terminate 2"
    assert "IKE SA 2 did not re-authenticate within 0 s: it is closed" in caplog.text


def test_an_association_that_went_by_itself_is_no_failure(
    device: Device, charon: Charon, watch: daemon.Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    charon.stand(1)
    charon.reauthenticate = lambda number: f"no SA {charon.sas.pop(number)}"
    _turn(watch)
    assert status(device.settings)["authenticated"] is True
    assert "did not re-authenticate" not in caplog.text


def test_what_fails_is_logged_and_tried_again(
    device: Device,
    charon: Charon,
    watch: daemon.Daemon,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charon.stand(1)
    good = vici.SOCKET
    monkeypatch.setattr(vici, "SOCKET", "/nowhere/charon.vici")
    _turn(watch)
    assert status(device.settings)["authenticated"] is False
    assert (
        "IKE SAs did not re-authenticate, it is tried again: /nowhere/charon.vici: "
        "[Errno 2] No such file or directory: see whether strongswan runs" in caplog.text
    )
    monkeypatch.setattr(vici, "SOCKET", good)
    charon.reauthenticate = lambda _: "refused"
    _turn(watch)
    assert "IKE SA 1 did not re-authenticate: refused" in caplog.text
    assert charon.numbers == set()
    assert status(device.settings)["authenticated"] is True


def test_a_signal_takes_no_time_from_a_peer_that_was_asked(
    charon: Charon, watch: daemon.Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(associations, "POLL_S", 30.0)
    monkeypatch.setattr(associations, "LIMIT_S", 30.0)
    charon.stand(1)
    charon.reauthenticate = lambda _: ""
    watch.step()
    watch.compare()
    while watch.go_on() < 1:
        pass
    watch.step()
    watch.compare()
    assert 25 < watch.go_on() <= 30
    assert charon.numbers == {1}


def test_a_revocation_in_the_middle_begins_again(
    device: Device, charon: Charon, watch: daemon.Daemon
) -> None:
    charon.stand(1, 2)
    watch.step()
    watch.compare()
    watch.go_on()
    device.publish_crls(2, 77)
    _turn(watch)
    told = charon.told()
    assert len(told) == 3, "one, and then both"
    assert charon.numbers in ({102, 201}, {101, 202})


def test_a_connection_is_begun_again_that_has_no_association_not_even_one_that_is_being_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    standing = {"hub-a": {"state": "CONNECTING", "uniqueid": "1"}}
    said = {"hub-b": {"success": "yes"}, "edge": {"success": "no", "errmsg": "no such connection"}}

    def answer(name: str, message: Message) -> Answered:
        return ([("list-sa", standing)], {}) if name == "list-sas" else ([], said[str(message["ike"])])

    served = FakeCharon(tmp_path / "charon.vici", answer)
    served.start()
    monkeypatch.setattr(vici, "SOCKET", str(tmp_path / "charon.vici"))
    try:
        assert associations.begun_without(("hub-a", "hub-b", "edge")) == ("hub-b", "edge")
    finally:
        served.stop()
    begun = [message for name, message in served.asked if name == "initiate"]
    assert [(one["ike"], one["child"], one["timeout"]) for one in begun] == [
        ("hub-b", "hub-b", "-1"),
        ("edge", "edge", "-1"),
    ]
    assert caplog.messages == ["edge has no IKE SA and cannot be begun: no such connection"]
