"""Who gets a certificate: for a secret once, or for the certificate of now; under the plan's names alone.

One thread works here. A key that has a certificate gets the same one again and never a second, so that an
answer may be lost. What came of a request whose answer from the Vault server was lost, the server is asked.
"""

import logging
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from heiiki_agent.errors import ServerError
from heiiki_agent.est.authority import Session, Standing, UnsignedError, key_digest
from heiiki_agent.est.book import Book, Kept, Secret, written
from heiiki_agent.est.messages import pem_of
from heiiki_agent.est.refusals import Refused, not_here, unauthorised
from heiiki_agent.est.settings import DeviceSettings
from heiiki_agent.pki.request import problems
from heiiki_agent.pki.x509 import Certificate

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
_REPEATED = timedelta(days=1)
"""How long the answer to a request is given again: afterwards a device is to make a new key."""
_LIFTS = "only the step that enrols a replacement (enrol.yml) lifts it"
_NO_SECRET = "the secret is not known, or not this device's; have one made (heiiki est secret)"  # noqa: S105


class Sessions(Protocol):
    """The way to the CA."""

    def session(self) -> AbstractContextManager[Session]:
        """Give a log-in."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a device that has proved who it is.

    Attributes:
        secret: by which it did; None: by its present certificate.
    """

    device: DeviceSettings
    request: x509.CertificateSigningRequest
    key: str
    secret: Secret | None

    @property
    def secret_number(self) -> int | None:
        """Number of the secret."""
        return self.secret.number if self.secret else None


class Registrar:
    """Answers requests for certificates."""

    def __init__(
        self, devices: Collection[DeviceSettings], book: Book, authority: Sessions, per_day: int
    ) -> None:
        """Serve `devices`; secrets of others are good no more."""
        self._book, self._authority, self._per_day = book, authority, per_day
        self.devices: Mapping[str, DeviceSettings] = {one.device: one for one in devices}
        self._by_name = {name: one for one in devices for name in (one.device, one.dns[0])}
        for device in book.withdraw_others(self.devices):
            log.warning("%s is no device that enrols here any more: its secret is withdrawn", device)

    def first(self, user: str, said: str, request: x509.CertificateSigningRequest) -> Certificate:
        """Return the certificate of a device that shows its secret (RFC 7030 4.2.1).

        Raises:
            Refused: it gets none.
            ServerError: the CA does not serve.
        """
        device = self._by_name.get(user)
        secret = self._book.secret(device.device, said) if device else None
        if device is None or secret is None:
            raise unauthorised(_NO_SECRET)
        asked = self._asked(device, request, secret)
        _refuse_spent(secret, asked.key, self._book.now())
        return self._certificate(asked)

    def again(
        self, names: Collection[str], shown: bytes, request: x509.CertificateSigningRequest
    ) -> Certificate:
        """Return the next certificate of a device that shows its present one (RFC 7030 4.2.2).

        Args:
            names: DNS names of the certificate that it shows.
            shown: the key of that certificate (SubjectPublicKeyInfo).
            request: for the next.

        Raises:
            Refused: it gets none.
            ServerError: the CA does not serve.
        """
        found = [one for one in self.devices.values() if one.dns[0] in names]
        if len(found) != 1:
            raise Refused(HTTPStatus.FORBIDDEN, "the certificate shown is of no device that enrols here")
        asked = self._asked(found[0], request, None)
        if asked.key == key_digest(shown):
            raise _old_key("is that of the certificate shown")
        return self._certificate(asked)

    def review(self) -> tuple[str, ...]:
        """Withdraw the secrets of devices that were revoked since; returns whose.

        Raises:
            ServerError: the CA does not serve.
        """
        gone = []
        for name in self._book.waiting():
            secret = self._book.open_secret(name)
            with self._authority.session() as session:
                if secret and (why := _barred(session.standing(self.devices[name]), secret)):
                    log.warning("%s: %s: its secret is withdrawn", name, why)
                    self._book.withdraw(name)
                    gone.append(name)
        return tuple(gone)

    def _asked(
        self, device: DeviceSettings, request: x509.CertificateSigningRequest, secret: Secret | None
    ) -> Asked:
        """Hold a request to the plan."""
        try:
            wrong = problems(request, device.names)
            spki = request.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        except ValueError as error:
            raise Refused(
                HTTPStatus.BAD_REQUEST, f"the request cannot be read ({error}); make it again"
            ) from error
        if wrong:
            raise Refused(
                HTTPStatus.BAD_REQUEST,
                f"{device.device}: the request {'; it '.join(wrong)}; nothing was signed. Ask for "
                f"CN={device.dns[0]} with a key on P-256, and for no extension but the plan's names",
            )
        return Asked(device, request, key_digest(spki), secret)

    def _certificate(self, asked: Asked) -> Certificate:
        kept = self._book.kept(asked.key)
        if kept and (kept.device != asked.device.device or kept.secret != asked.secret_number):
            raise _old_key("has been used before")
        if kept and kept.issued and kept.issued < self._book.before(_REPEATED):
            raise _old_key(f"has a certificate since {kept.issued}")
        with self._authority.session() as session:
            self._refuse_barred(session, asked)
            if kept and kept.issued:
                return Certificate.read(kept.pem)
            return self._issued(session, asked, kept)

    def _refuse_barred(self, session: Session, asked: Asked) -> None:
        """Stop for a device that is revoked at the CA; a secret that was made before is good no more."""
        if not (why := _barred(session.standing(asked.device), asked.secret)):
            return
        if self._book.withdraw(asked.device.device):
            log.warning("%s: its secret is withdrawn", asked.device.device)
        raise Refused(HTTPStatus.FORBIDDEN, f"{asked.device.device} {why}; {_LIFTS}")

    def _issued(self, session: Session, asked: Asked, kept: Kept | None) -> Certificate:
        """Have the CA sign, once: what was asked for before may have been signed already."""
        made = session.made(asked.device, asked.key) if kept else None
        if kept is None:
            self._settle(session, asked)
            self._refuse_many(asked.device.device)
            self._book.begin(asked.key, asked.device.device, asked.secret_number)
        if made is None:
            made = self._signed(session, asked)
        self._book.finish(asked.key, made)
        return made

    def _settle(self, session: Session, asked: Asked) -> None:
        """Find out what came of the other key that a secret was used for, if it was."""
        other = self._book.kept(asked.secret.key) if asked.secret and asked.secret.key else None
        if other is None or other.issued:
            return
        if (made := session.made(asked.device, other.key)) is not None:
            self._book.finish(other.key, made)
            raise _used()
        self._book.forget(other.key)

    def _refuse_many(self, device: str) -> None:
        if self._book.count(device, _DAY) >= self._per_day:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{device} was given {self._per_day} certificates within a day; ask again tomorrow",
                int(_DAY.total_seconds()),
            )

    def _signed(self, session: Session, asked: Asked) -> Certificate:
        try:
            made = session.sign(asked.device, pem_of(asked.request))
        except UnsignedError as error:
            self._book.forget(asked.key)
            log.error("%s: the Vault server signs nothing: %s", asked.device.device, error)  # noqa: TRY400
            raise not_here("the CA does not sign for this device now; come again later") from error
        if key_digest(made.spki) != asked.key:
            raise ServerError(f"{asked.device.device}: the certificate that came is for another key")
        return made


def _refuse_spent(secret: Secret, key: str, now: str) -> None:
    """Stop for a secret that is good no more; the holder of it may know why."""
    if secret.state == "withdrawn":
        raise unauthorised("the secret was withdrawn; have a new one made (heiiki est secret)")
    if secret.ends <= now:
        raise unauthorised(
            f"the secret was good until {secret.ends}; have a new one made (heiiki est secret)"
        )
    if secret.state == "used" and secret.key != key:
        raise _used()


def _used() -> Refused:
    return unauthorised(
        "the secret was used for another key: it is good for one certificate. If that was not this device, "
        "revoke it; have a new one made (heiiki est secret)"
    )


def _old_key(why: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, f"the key of the request {why}: make a new key, and a new request")


def _barred(standing: Standing, secret: Secret | None) -> str:
    """Return why a device gets no certificate; a secret that was made after its revocation is a new start."""
    if standing.marked:
        return "is revoked at the CA"
    if standing.revoked and (secret is None or secret.made <= written(standing.revoked)):
        return f"has a certificate that was revoked on {written(standing.revoked)}, its newest"
    return ""
