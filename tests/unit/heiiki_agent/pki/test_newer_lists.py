"""strongSwan takes newer CRLs without forgetting what it has; all else it forgets and loads again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_device import Device
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from fake_charon import Answered, FakeCharon, Message
from fake_vault import Authority

from heiiki_agent import vici
from heiiki_agent.errors import AgentError
from heiiki_agent.pki import publish
from heiiki_agent.pki.crl import pull
from heiiki_agent.pki.report import status

OK = {"success": "yes"}


class Charon:
    """strongSwan's credentials: of each issuer the newest list, and a cache of those that were verified.

    The cache comes first when a list is looked for (libstrongswan, credential_manager.c), so that one which
    was verified with is believed until it is flushed.
    """

    def __init__(self, path: Path) -> None:
        self.lists: dict[str, x509.CertificateRevocationList] = {}
        self.verified: dict[str, x509.CertificateRevocationList] = {}
        self.refuses = ""
        self._path = path
        self.start()

    def start(self) -> None:
        self.served = FakeCharon(self._path, self._answer)
        self.served.start()

    def stop(self) -> None:
        self.served.stop()
        self._path.unlink()

    def load(self, found: x509.CertificateRevocationList) -> None:
        issuer = found.issuer.rfc4514_string()
        old = self.lists.get(issuer)
        if old is None or number(found) > number(old):
            self.lists[issuer] = found

    def accepts(self, serial: int) -> bool:
        """Tell whether a peer with this certificate is let in, and remember what that was decided by."""
        self.verified = self.lists | self.verified
        return all(
            one.get_revoked_certificate_by_serial_number(serial) is None for one in self.verified.values()
        )

    def asked(self, *names: str) -> list[str]:
        return [name for name, _ in self.served.asked if name in names]

    def _answer(self, name: str, message: Message) -> Answered:
        if name == "load-cert":
            if self.refuses:
                return [], {"success": "no", "errmsg": self.refuses}
            assert message["type"] == "X509_CRL"
            self.load(x509.load_der_x509_crl(bytes.fromhex(message["data"])))
            return [], OK
        if name == "flush-certs":
            assert message == {"type": "X509_CRL"}
            self.verified.clear()
            return [], OK
        assert name == "list-certs"
        ders = [one.public_bytes(serialization.Encoding.DER) for one in self.lists.values()]
        return [("list-cert", {"type": "X509_CRL", "data": der}) for der in ders], {}


def number(found: x509.CertificateRevocationList) -> int:
    return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


@pytest.fixture
def charon(device: Device, monkeypatch: pytest.MonkeyPatch) -> Iterator[Charon]:
    """A device whose strongSwan has loaded list 1 of each CA, and has verified peers with them."""
    device.configure(associations=True)
    device.enrol()
    device.publish_crls(1)
    made = Charon(device.folder / "charon.vici")
    monkeypatch.setattr(vici, "SOCKET", str(device.folder / "charon.vici"))
    pull(device.settings)
    for item in device.store.lists():
        made.load(item.parsed)
    assert made.accepts(77)
    device.told.unlink()
    made.served.asked.clear()
    yield made
    made.stop()


def test_a_newer_list_is_taken_and_nothing_is_forgotten(device: Device, charon: Charon) -> None:
    device.publish_crls(2, 77)
    pull(device.settings)
    assert not charon.accepts(77), "the list that was verified with before is believed no more"
    assert device.told_times() == 0
    assert status(device.settings)["loaded"]
    assert charon.asked("load-cert", "flush-certs")[-1] == "flush-certs", "after the last list"


def test_what_is_there_already_is_loaded_once(device: Device, charon: Charon) -> None:
    device.publish_crls(2)
    pull(device.settings)
    charon.served.asked.clear()
    pull(device.settings)
    assert charon.asked("load-cert") == []
    assert device.told_times() == 0


def test_a_new_ca_has_everything_loaded_again(device: Device, charon: Charon) -> None:
    new = Authority("Test Issuing 2", device.fake.root)
    device.fake.crls["pki-issuing"]["n"] = (new, new.crl(1))
    pull(device.settings)
    assert device.told_times() == 1
    del device.fake.crls["pki-issuing"]["n"]
    pull(device.settings)
    assert device.told_times() == 2, "a retired CA, and its list, are to be forgotten"
    assert charon.asked("load-cert") == []


def test_a_new_certificate_has_everything_loaded_again(device: Device, charon: Charon) -> None:
    device.enrol()
    publish.reload(device.settings)
    assert device.told_times() == 1
    assert charon.asked("load-cert") == []


@pytest.mark.parametrize("before", ["", "9f86d081", "9f86d081 60303ae2", "9f86d081 60303ae2 fd61a03a"])
def test_where_it_is_not_known_what_else_is_new_everything_is_loaded_again(
    device: Device, charon: Charon, before: str
) -> None:
    """As after an update of this program, or a run that was cut off."""
    (device.store.folder / "loaded").write_text(before, encoding="utf-8")
    device.publish_crls(2)
    pull(device.settings)
    assert device.told_times() == 1
    assert charon.asked("load-cert") == []


def test_a_list_that_the_daemon_does_not_take_for_newer_has_everything_loaded_again(
    device: Device, charon: Charon
) -> None:
    """As where somebody gave it a list of a higher number by hand: it keeps that one, and says nothing."""
    charon.load(x509.load_pem_x509_crl(device.fake.issuing.crl(99).encode()))
    device.publish_crls(2, 77)
    pull(device.settings)
    assert charon.asked("load-cert") != []
    assert device.told_times() == 1


def test_a_list_that_the_daemon_refuses_has_everything_loaded_again(device: Device, charon: Charon) -> None:
    charon.refuses = "parsing X509_CRL certificate failed"
    device.publish_crls(2)
    pull(device.settings)
    assert device.told_times() == 1


def test_a_list_longer_than_a_message_has_everything_loaded_again(device: Device, charon: Charon) -> None:
    """VICI has 16 bits for the length of a value."""
    device.publish_crls(2, *range(1 << 60, (1 << 60) + 2500))
    pull(device.settings)
    assert device.told_times() == 1


def test_a_daemon_that_is_away_is_told_by_the_next_pull(device: Device, charon: Charon) -> None:
    charon.stop()
    device.publish_crls(2, 77)
    with pytest.raises(AgentError, match=r"charon.vici: .*see whether strongswan runs$"):
        pull(device.settings)
    assert not status(device.settings)["loaded"]
    charon.start()
    pull(device.settings)
    assert status(device.settings)["loaded"]
    assert not charon.accepts(77)
