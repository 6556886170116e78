"""What came of a request whose answer from the CA was lost: the CA is asked, and signs once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from est_world import CISCO, VOUCHER, EstWorld

from heiiki_agent import config
from heiiki_agent.database import Database
from heiiki_agent.errors import ServerError
from heiiki_agent.est.authority import Authority, Session
from heiiki_agent.est.book import Book, digest
from heiiki_agent.est.log_in import LogIns
from heiiki_agent.est.refusals import Refused
from heiiki_agent.est.registrar import Registrar
from heiiki_agent.est.schema import SCHEMA
from heiiki_agent.est.settings import DeviceSettings, Settings
from heiiki_agent.pki.x509 import Certificate

SECRET = "a secret of a test"  # noqa: S105


class LosingSession:
    """A log-in whose answers to `sign` are lost: before the CA has signed, or after it."""

    def __init__(self, session: Session, *, after: bool) -> None:
        self._session, self._after = session, after
        self.standing, self.made = session.standing, session.made

    def sign(self, device: DeviceSettings, csr: str) -> Certificate:
        if self._after:
            self._session.sign(device, csr)
        raise ServerError("the answer was lost")


class Losing:
    """A way to the CA that loses answers to `sign` until it is mended."""

    def __init__(self, authority: Authority) -> None:
        self._authority, self.loses = authority, "after"

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self._authority.session() as session:
            if not self.loses:
                yield session
            else:
                yield LosingSession(session, after=self.loses == "after")  # type: ignore[misc]


@pytest.fixture
def losing(world: EstWorld) -> Losing:
    settings = config.read(Settings, world.config)
    log_ins = LogIns(settings.log_in, settings.host)
    return Losing(Authority(settings.vault, settings.credentials.trust, log_ins))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = Book(Database(tmp_path / "book.sqlite", SCHEMA), lambda: datetime.now(UTC))
    made.make(CISCO, digest(SECRET), VOUCHER, "2099-01-01T00:00:00Z")
    yield made
    made.close()


@pytest.fixture
def registrar(world: EstWorld, book: Book, losing: Losing) -> Registrar:
    return Registrar(config.read(Settings, world.config).devices, book, losing, 10)


def request(der: bytes) -> x509.CertificateSigningRequest:
    return x509.load_der_x509_csr(der)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_ca_signs_once_whatever_became_of_its_answer(
    world: EstWorld, registrar: Registrar, losing: Losing, when: str
) -> None:
    device, before = world.device(CISCO), world.issued(CISCO)
    asked = request(device.request())
    losing.loses = when
    with pytest.raises(ServerError):
        registrar.first(CISCO, SECRET, asked)
    losing.loses = ""
    made = registrar.first(CISCO, SECRET, asked)
    assert made.parsed.public_key() == device.key.public_key()
    assert world.issued(CISCO) == before + 1


def test_a_secret_goes_to_another_key_only_where_the_first_has_no_certificate(
    world: EstWorld, registrar: Registrar, losing: Losing
) -> None:
    losing.loses, before = "before", world.issued(CISCO)
    with pytest.raises(ServerError):
        registrar.first(CISCO, SECRET, request(world.device(CISCO).request()))
    losing.loses = ""
    # The device has started again, with another key, and nothing was signed for the first.
    assert registrar.first(CISCO, SECRET, request(world.device(CISCO).request()))
    assert world.issued(CISCO) == before + 1


def test_a_secret_whose_certificate_was_lost_on_the_way_is_used(
    world: EstWorld, registrar: Registrar, losing: Losing, book: Book
) -> None:
    losing.loses = "after"
    first = request(world.device(CISCO).request())
    with pytest.raises(ServerError):
        registrar.first(CISCO, SECRET, first)
    losing.loses, before = "", world.issued(CISCO)
    with pytest.raises(Refused, match="the secret was used for another key") as caught:
        registrar.first(CISCO, SECRET, request(world.device(CISCO).request()))
    assert caught.value.status == 401
    assert world.issued(CISCO) == before
    # Who has the first key still gets its certificate.
    assert registrar.first(CISCO, SECRET, first).parsed.public_key() == first.public_key()
    assert [one.state for one in book.secrets(CISCO)] == ["used"]


def test_secrets_of_devices_that_are_gone_from_the_plan_are_withdrawn(
    world: EstWorld, book: Book, losing: Losing
) -> None:
    others = [one for one in config.read(Settings, world.config).devices if one.device != CISCO]
    Registrar(others, book, losing, 10)
    assert [one.state for one in book.secrets(CISCO)] == ["withdrawn"]


def test_a_key_makes_way_for_another_after_a_day(world: EstWorld, losing: Losing, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    database = Database(tmp_path / "aged.sqlite", SCHEMA)
    aged = Book(database, lambda: now)
    aged.make(CISCO, digest(SECRET), VOUCHER, "2099-01-01T00:00:00Z")
    registrar = Registrar(config.read(Settings, world.config).devices, aged, losing, 10)
    losing.loses, asked = "", request(world.device(CISCO).request())
    made = registrar.first(CISCO, SECRET, asked)
    now += timedelta(hours=23)
    assert registrar.first(CISCO, SECRET, asked).sha256 == made.sha256
    now += timedelta(hours=2)
    with pytest.raises(Refused, match=r"has a certificate since .*: make a new key"):
        registrar.first(CISCO, SECRET, asked)
    aged.close()
