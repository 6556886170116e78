"""The operator's side of a service's registration authority: secrets made, listed, withdrawn on its host.

It listens for its operator on a socket that only root may open. What it refuses it says in a sentence, which
is passed on. A secret is made here, and its digest alone goes there.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, Plan
from heiiki.render import est
from heiiki.transport import Transport, output

_TIMEOUT_S = 30.0
_OCTETS = 20
"""Random octets of a secret: 160 bits cannot be guessed, and one digest is enough to keep."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret for a device's first certificate.

    Attributes:
        text: the secret itself, shown once; empty when it is not known.
        trust: why the device is trusted before its first certificate.
        made, ends: since when and until when (UTC).
        state: `open`, `used` or `withdrawn`.
    """

    device: str
    trust: str
    made: str
    ends: str
    state: str
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Given:
    """A certificate that a device was given.

    Attributes:
        issued, ends: since when and until when (UTC).
        trust: what it was given for.
    """

    serial: str
    issued: str
    ends: str
    trust: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device that may enrol by EST, and what it has had."""

    device: str
    secrets: tuple[Secret, ...]
    certificates: tuple[Given, ...]


class Desk:
    """What an operator does at the registration authority of a service."""

    def __init__(self, plan: Plan, transport: Transport) -> None:
        """Ask the registration authority of `plan`.

        Raises:
            HeiikiError: there is none.
        """
        self._transport, self._host = transport, server(plan)

    def log_in(self) -> str:
        """Return the certificate by which it logs in at the Vault server, PEM.

        Raises:
            HeiikiError: it does not answer.
        """
        return str(self._asked("GET", "/log-in")["certificate"])

    def make(self, device: str, trust: str, days: int) -> Secret:
        """Make a secret of a device; one that was not used is withdrawn by it.

        Raises:
            HeiikiError: it does not answer, or refuses.
        """
        text = secrets.token_urlsafe(_OCTETS)
        digest = hashlib.sha256(text.encode()).hexdigest()
        order = {"device": device, "digest": digest, "trust": trust, "days": days}
        return _secret(self._asked("POST", "/secrets", order), text)

    def withdraw(self, device: str) -> bool:
        """Have no secret of a device be good any more; tells whether one was.

        Raises:
            HeiikiError: it does not answer, or does not know the device.
        """
        return bool(self._asked("DELETE", f"/secrets/{device}")["withdrawn"])

    def devices(self) -> tuple[Enrolled, ...]:
        """Return every device that may enrol.

        Raises:
            HeiikiError: it does not answer.
        """
        return tuple(map(_enrolled, self._asked("GET", "/devices")))

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        stdin = json.dumps(body).encode() if body is not None else b""
        return json.loads(
            output(self._transport, self._host.name, est.operate(method, path), stdin, _TIMEOUT_S)
        )


def server(plan: Plan) -> Device:
    """Return the host of the registration authority.

    Raises:
        HeiikiError: there is none.
    """
    found = next((device for device in plan.managed() if device.est is not None), None)
    if found is None:
        raise HeiikiError(
            f"service {plan.service} has no registration authority: write `enrolment: est` in service.yml "
            "and run site.yml; while its DRAS is revoked, it has none"
        )
    return found


def _secret(told: Mapping[str, Any], text: str = "") -> Secret:
    return Secret(told["device"], told["trust"], told["made"], told["ends"], told["state"], text)


def _enrolled(told: Mapping[str, Any]) -> Enrolled:
    given = (Given(one["serial"], one["issued"], one["ends"], one["trust"]) for one in told["certificates"])
    return Enrolled(told["device"], tuple(map(_secret, told["secrets"])), tuple(given))
