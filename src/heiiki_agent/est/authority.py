"""The Vault server as the registration authority asks it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

from heiiki_agent.errors import AgentError, ServerError
from heiiki_agent.est.log_in import LogIn, LogIns
from heiiki_agent.est.places import LOG_IN
from heiiki_agent.est.settings import DeviceSettings, VaultSettings
from heiiki_agent.pki.request import signing_parameters
from heiiki_agent.pki.settings import Anchors
from heiiki_agent.pki.vault import Server
from heiiki_agent.pki.x509 import Certificate, blocks

_LOGIN = "auth/cert/login"
_NOT_KNOWN = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN})
"""What a server answers to a certificate that it does not know."""


class UnsignedError(ServerError):
    """The server has refused to sign: there is no certificate."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the CA says of a device.

    Attributes:
        marked: the device is revoked there: its role has no name to sign.
        revoked: since when its newest certificate is revoked; None: it is not, or there is none.
    """

    marked: bool
    revoked: datetime | None


def key_digest(spki: bytes) -> str:
    """Return what a public key is known by."""
    return sha256(spki).hexdigest()


class Session:
    """A log-in, for what one device asks.

    Attributes:
        token: secret; ends within two minutes.
    """

    def __init__(self, server: Server, mount: str) -> None:
        """Log in.

        Raises:
            ServerError: no server serves, or it does not know the certificate that is shown.
        """
        self._server, self._mount = server, mount
        found = server.document("POST", _LOGIN, body={"name": LOG_IN})
        self.token = str(found["auth"]["client_token"])

    def standing(self, device: DeviceSettings) -> Standing:
        """Return whether a device is revoked: by its mark, or by its newest certificate.

        Raises:
            ServerError: the server does not say.
        """
        role = self._read(f"roles/{device.device}")
        if role is None or not role.get("allowed_domains"):
            return Standing(marked=True, revoked=None)
        told = (self._read(f"cert/{serial}") for serial in self._newest(device))
        since = max((int(one["revocation_time"]) for one in told if one), default=0)
        return Standing(marked=False, revoked=datetime.fromtimestamp(since, UTC) if since else None)

    def made(self, device: DeviceSettings, key: str) -> Certificate | None:
        """Return the certificate of a device with a key, if the CA has made one.

        Raises:
            ServerError: the server does not say.
        """
        for serial, _ in self._issued(device):
            told = self._read(f"cert/{serial}")
            found = Certificate.read(told["certificate"]) if told else None
            if found and key_digest(found.spki) == key:
                return found
        return None

    def sign(self, device: DeviceSettings, csr: str) -> Certificate:
        """Return the certificate for a request, under the plan's names.

        Raises:
            UnsignedError: the server refuses.
            ServerError: whether it has signed is not known.
        """
        body = {**signing_parameters(device.names), "csr": csr, "format": "pem"}
        try:
            path = f"{self._mount}/sign/{device.device}"
            found = self._server.document("POST", path, self.token, body)["data"]
            return Certificate.read(found["certificate"])
        except ServerError as error:
            if error.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
                raise UnsignedError(str(error), error.status) from error
            raise

    def _newest(self, device: DeviceSettings) -> list[str]:
        """Return the serial of a device's newest certificate; several when they began in the same second."""
        found = self._issued(device)
        latest = max((begins for _, begins in found), default="")
        return [serial for serial, begins in found if begins == latest]

    def _issued(self, device: DeviceSettings) -> list[tuple[str, str]]:
        """Return serial and beginning of each certificate of a device that the CA keeps."""
        names = set(device.dns)
        found = self._list("certs/detailed").get("key_info") or {}
        if found:
            return [
                (serial, str(told["not_before"]))
                for serial, told in found.items()
                if names & set(told.get("dns_names") or ())
            ]
        # A server without that list (HashiCorp Vault) is asked for each.
        read = ((serial, self._read(f"cert/{serial}")) for serial in self._list("certs").get("keys") or ())
        parsed = ((serial, Certificate.read(told["certificate"])) for serial, told in read if told)
        return [(serial, one.not_before.isoformat()) for serial, one in parsed if names & set(one.names.dns)]

    def _list(self, path: str) -> dict[str, Any]:
        return self._asked("LIST", path) or {}

    def _read(self, path: str) -> dict[str, Any] | None:
        return self._asked("GET", path)

    def _asked(self, method: str, path: str) -> dict[str, Any] | None:
        """Return the data of an answer; None where there is nothing."""
        try:
            found = self._server.document(method, f"{self._mount}/{path}", self.token)
        except ServerError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return dict(found["data"])


class Authority:
    """The way to the CA; a session for each device that asks."""

    def __init__(self, settings: VaultSettings, trust: Path, log_ins: LogIns) -> None:
        """Ask the servers of `settings`, whose certificates come from CAs in `trust`; nothing is sent yet."""
        self._settings, self._trust, self._log_ins = settings, trust, log_ins

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a log-in.

        Raises:
            ServerError: no server serves, or none takes a certificate of this program.
            AgentError: a file cannot be used.
        """
        try:
            anchors = Anchors(tuple(blocks(self._trust.read_text(encoding="ascii"), "CERTIFICATE")))
        except OSError as error:
            raise AgentError(f"{self._trust}: cannot be read: {error}") from error
        newest, *former = self._log_ins.usable()
        with ExitStack() as stack:
            yield self._logged_in(stack, anchors, newest, former[:1])

    def _logged_in(self, stack: ExitStack, anchors: Anchors, one: LogIn, former: Sequence[LogIn]) -> Session:
        """Return a session by a certificate, or by the former one while the newest is not known there."""
        shown = one.certificate, one.key
        server = stack.enter_context(Server(self._settings.servers, anchors, shown=shown))
        try:
            return Session(server, self._settings.mount)
        except ServerError as error:
            if not former or error.status not in _NOT_KNOWN:
                raise
        return self._logged_in(stack, anchors, former[0], former[1:])
