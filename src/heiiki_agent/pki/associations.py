"""IKE SAs, and what they rest on: certificates, CAs and revocation lists.

Rekeying an IKE SA verifies no certificate, so a running SA outlives the certificates that it began with. They
are re-authenticated (RFC 7296 2.8.3), one after another, when the device's own certificate was replaced, when
a CRL names more certificates than before, or when a CA is gone; never because a CRL is merely newer.
`authenticated` remembers what the running SAs rest on.
"""

import json
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from heiiki_agent import files, vici
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.x509 import RevocationList

AUTHENTICATED = "authenticated"
PACE_S = 0.05
RESPONDER_S = 3.0
LIMIT_S = 30.0
POLL_S = 2.0
_CLOSE_MS = 2000

_log = logging.getLogger("credentials")


@dataclass(frozen=True, slots=True)
class Basis:
    """What authentication rests on.

    Attributes:
        certificate: digest of the device's own.
        authorities: digests of the CAs that vouch for peers.
        revoked: certificates that are revoked: CA and serial number.
    """

    certificate: str
    authorities: frozenset[str]
    revoked: frozenset[str]

    @classmethod
    def of(cls, store: Store) -> Self:
        """Return what there is now."""
        own = [item.sha256 for item in store.certificates("current/certificate.pem")]
        revoked = (f"{one.authority[:16]} {serial}" for one in store.lists() for serial in one.serials)
        return cls("".join(own), frozenset(item.sha256 for item in store.authorities()), frozenset(revoked))

    @classmethod
    def kept(cls, store: Store) -> Self | None:
        """Return what the running IKE SAs rest on; None when that is not known."""
        try:
            found = json.loads(store.read(AUTHENTICATED))
            return cls(found["certificate"], frozenset(found["authorities"]), frozenset(found["revoked"]))
        except (ValueError, KeyError, TypeError):
            return None

    def keep(self, store: Store) -> None:
        """Write that the running IKE SAs rest on this."""
        document = {"authorities": sorted(self.authorities), "revoked": sorted(self.revoked)}
        files.write(store.folder / AUTHENTICATED, json.dumps({"certificate": self.certificate, **document}))

    def holds(self, before: "Basis | None") -> bool:
        """Return whether every SA that was authenticated under `before` would still authenticate."""
        return (
            before is not None
            and self.certificate == before.certificate
            and self.authorities >= before.authorities
            and self.revoked <= before.revoked
        )


def loaded_lists() -> list[RevocationList]:
    """Return the CRLs that strongSwan has loaded, which are those that it verifies peers with.

    Raises:
        AgentError: strongSwan does not answer, or what it answers is no CRL.
    """
    with session() as daemon:
        return listed(daemon)


def listed(daemon: vici.Session) -> list[RevocationList]:
    """Return the CRLs that strongSwan has loaded.

    Raises:
        AgentError: what it answers is no CRL.
    """
    told = daemon.streamed("list-certs", "list-cert", {"type": "X509_CRL"})
    try:
        return [RevocationList.read_der(bytes.fromhex(one["data"])) for one in told]
    except (ValueError, KeyError) as error:
        raise AgentError(
            f"{vici.SOCKET}: a list that strongSwan has loaded cannot be read: {error}"
        ) from error


def reauthenticate(store: Store, basis: Basis) -> Iterator[float]:
    """Re-authenticate every IKE SA on `basis`, one a step; yields the seconds to wait before the next step.

    The new one stands before the old one goes (make before break). One whose peer cannot prove itself, or
    does not answer, is closed `LIMIT_S` after the last.

    Raises:
        AgentError: strongSwan does not answer; `basis` is not kept, so it is tried again.
    """
    old = _associations()
    # Both ends may learn of the same CRL at once, and both beginning costs a packet: the initiator begins.
    yield from _begun(number for number, initiator in old.items() if initiator)
    if not all(old.values()):
        yield RESPONDER_S
    there = _associations()
    yield from _begun(number for number, initiator in old.items() if not initiator and number in there)
    end = time.monotonic() + LIMIT_S
    while (left := old.keys() & _associations().keys()) and time.monotonic() < end:
        yield POLL_S
    for number in left:
        _log.error("IKE SA %s did not re-authenticate within %.0f s: it is closed", number, LIMIT_S)
        order = {"ike-id": number, "force": "yes", "timeout": _CLOSE_MS}
        if problem := _command("terminate", order):
            raise AgentError(f"IKE SA {number} cannot be closed: {problem}")
    basis.keep(store)
    _log.info("%d IKE SAs were re-authenticated", len(old))


def begun_without(names: Iterable[str]) -> tuple[str, ...]:
    """Begin each connection that has no IKE SA, not even one that is being made; returns which.

    Raises:
        AgentError: strongSwan does not answer.
    """
    with session() as daemon:
        told = daemon.streamed("list-sas", "list-sa")
    there = {name for event in told for name in event}
    gone = tuple(name for name in names if name not in there)
    for name in gone:
        if problem := _command("initiate", {"ike": name, "child": name, "timeout": -1}):
            _log.error("%s has no IKE SA and cannot be begun: %s", name, problem)
    return gone


def _begun(numbers: Iterable[str]) -> Iterator[float]:
    for number in numbers:
        problem = _command("rekey", {"ike-id": number, "reauth": "yes"})
        if problem and number in _associations():
            _log.error("IKE SA %s did not re-authenticate: %s", number, problem)
        yield PACE_S


def _associations() -> dict[str, bool]:
    """Return the numbers of the IKE SAs that stand, and whether this end initiated each.

    Raises:
        AgentError: strongSwan does not answer.
    """
    with session() as daemon:
        told = daemon.streamed("list-sas", "list-sa")
    found = [association for event in told for association in event.values()]
    standing = (one for one in found if one["state"] in {"ESTABLISHED", "REKEYING"})
    return {one["uniqueid"]: one.get("initiator") == "yes" for one in standing}


def _command(name: str, order: dict[str, Any]) -> str:
    """Give strongSwan a command; returns what went wrong."""
    with session() as daemon:
        answer = daemon.request(name, order)
    return "" if answer.get("success") == "yes" else str(answer.get("errmsg") or "refused")


@contextmanager
def session() -> Iterator[vici.Session]:
    """Speak to strongSwan.

    Raises:
        AgentError: it does not answer.
    """
    try:
        with vici.Session() as daemon:
            yield daemon
    except OSError as error:
        raise AgentError(f"{vici.SOCKET}: {error}: see whether strongswan runs") from error
