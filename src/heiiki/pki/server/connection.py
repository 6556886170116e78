"""A session with one server: `hvac` over pinned connections, and one error for whatever goes wrong."""

import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import hvac
import hvac.exceptions
import requests
import requests.adapters
import urllib3
import urllib3.connection
import urllib3.exceptions

from heiiki.errors import HeiikiError, VaultError, VaultFault
from heiiki.pki.server.cluster import LOST
from heiiki.pki.server.cluster import connections as to_server
from heiiki.pki.server.pinned import THREADS, Server

Data = Mapping[str, Any]
T = TypeVar("T")
R = TypeVar("R")

_CONNECT_S = 5.0
_ANSWER_S = 30.0
_ACTIVE_S = 30.0
_LEFT_S = 4.0
"""Seconds after which a server that hangs is left, where another can take over."""
_POLL_S = 0.1
# Tokens, by prefix: OpenBao and Vault, service and batch, old and new; a server may quote one in an error.
_TOKEN = re.compile(r"\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{16,}")


@dataclass(frozen=True, slots=True)
class Health:
    """What a server says of itself to anyone who asks.

    Attributes:
        threshold: how many unseal keys it wants.
    """

    initialised: bool
    sealed: bool
    threshold: int
    version: str


class Vault:
    """A session with one server; safe to use from several threads.

    Every call raises `VaultError` when the server cannot be reached or will not do it; the text says which
    step needs what, and what to do. No token is ever part of it.

    Args:
        server: whom to talk to.
        token: what the session may do; none for what everyone may.
        step: what the calls are for, as text that begins a sentence: ``revoking umeda-gw-b``.
        timeouts: seconds to wait for the connection, and for an answer.
        connections: those of another session with the server.
    """

    def __init__(
        self,
        server: Server,
        *,
        token: str = "",
        step: str = "this step",
        timeouts: tuple[float, float] = (_CONNECT_S, _ANSWER_S),
        connections: requests.Session | None = None,
    ) -> None:
        self.server = server
        self.step = step
        self._timeouts = timeouts
        session = connections or to_server(server)
        # An empty token is given as it is: None would make hvac look for one in the surroundings.
        self._client = hvac.Client(
            url=server.url, token=token, session=session, timeout=timeouts, allow_redirects=False
        )

    def __repr__(self) -> str:
        return f"<Vault {self.server.url}>"

    def with_token(self, token: str) -> "Vault":
        """Return a session over the same connections that may do what `token` may."""
        return self._like(token, self._timeouts)

    def within(self, connect_s: float, answer_s: float) -> "Vault":
        """Return the same session with other times to wait for the connection and for an answer."""
        return self._like(self._client.token or "", (connect_s, answer_s))

    def hurried(self, connect_s: float, answer_s: float) -> "Vault":
        """Return a session for what cannot wait, and may be done twice: a server that hangs is left.

        With one server it is that of `within`.
        """
        if not self.server.others:
            return self.within(connect_s, answer_s)
        connections = to_server(self.server, repeated=True)
        token, timeouts = self._client.token or "", (connect_s, min(answer_s, _LEFT_S))
        return Vault(self.server, token=token, step=self.step, timeouts=timeouts, connections=connections)

    def each_server(self) -> tuple["Vault", ...]:
        """Return a session with each server of the cluster by itself; with one server itself."""
        if not self.server.others:
            return (self,)
        return tuple(Vault(one, step=self.step, timeouts=self._timeouts) for one in self.server.every)

    def _like(self, token: str, timeouts: tuple[float, float]) -> "Vault":
        return Vault(
            self.server, token=token, step=self.step, timeouts=timeouts, connections=self._client.session
        )

    def for_step(self, step: str) -> Self:
        """Name what the following calls are for; returns the session itself."""
        self.step = step
        return self

    def close(self) -> None:
        """Let the connections go, for itself and all that share them."""
        self._client.session.close()

    def health(self) -> Health:
        """Return whether the server is initialised and sealed; needs no token."""
        with self._translated("sys/seal-status"):
            said = self._client.sys.read_seal_status()
        return Health(said["initialized"], said["sealed"], said["t"], said["version"])

    def require_ready(self) -> None:
        """Stop here unless the server is initialised and unsealed; needs no token.

        Raises:
            VaultError: it is not, or cannot be reached.
        """
        health = self.health()
        if not health.initialised:
            raise self._error(_UNINITIALISED)
        if health.sealed:
            raise self._error(_SEALED)

    def await_active(self, within_s: float = _ACTIVE_S) -> None:
        """Wait until the server leads its cluster, or knows who does: a moment after it is unsealed.

        Raises:
            VaultError: not within `within_s` seconds.
        """
        end = time.monotonic() + within_s
        while True:
            with self._translated("sys/health"):
                answer = self._client.sys.read_health_status(method="GET")
            status = answer.get("standby", False) if isinstance(answer, dict) else True
            if not status:
                return
            if time.monotonic() > end:
                raise self._error(_STANDBY)
            time.sleep(_POLL_S)

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the data at `path`, or None when there is nothing."""
        with self._translated(path):
            answer = self._client.read(path)
        return None if answer is None else dict(answer["data"] or {})

    def fields(self, path: str) -> dict[str, Any]:
        """Return an answer that has no ``data``, such as that of ``sys/leader``."""
        with self._translated(path):
            return dict(self._client.adapter.get(f"/v1/{path}"))

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names below `path`; none when there is nothing."""
        with self._translated(path):
            answer = self._client.list(path)
        return () if answer is None else tuple(answer["data"]["keys"])

    def details(self, path: str) -> dict[str, Any]:
        """Return what the server tells of each name below `path`; nothing where it tells none."""
        with self._translated(path):
            answer = self._client.list(path)
        return {} if answer is None else dict(answer["data"].get("key_info") or {})

    def write(self, path: str, data: Data, *, wrap_s: int | None = None) -> dict[str, Any]:
        """Write `data` to `path`, and return the whole answer: empty when the server has nothing to say.

        With `wrap_s` the server keeps its answer for so many seconds, and gives a one-use token for it
        instead.
        """
        with self._translated(path):
            answer = self._client.write_data(path, data=dict(data), wrap_ttl=wrap_s and f"{wrap_s}s")
        return answer if isinstance(answer, dict) else {}

    def delete(self, path: str) -> None:
        """Remove what is at `path`."""
        with self._translated(path):
            self._client.delete(path)

    def send(self, path: str, data: bytes) -> None:
        """Post a document as it is, such as a snapshot."""
        with self._translated(path):
            self._client.adapter.post(f"/v1/{path}", data=data)

    def fetch(self, path: str) -> bytes:
        """Return a document that is not JSON, such as a CRL, as it is."""
        with self._translated(path):
            return bytes(self._client.adapter.get(f"/v1/{path}").content)

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return `work` of every item, in order, with several calls under way at once."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(work, items))

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except VaultError:
            raise
        except (requests.RequestException, HeiikiError, urllib3.exceptions.HTTPError) as error:
            raise self._error(_transport_fault(error, self)) from error
        except hvac.exceptions.VaultError as error:
            raise self._error(self._answer_fault(path, error)) from error

    def error(self, fault: VaultFault, what: str, remedy: str) -> VaultError:
        """Return the error of a step that cannot go on: `what` the server is or does, and the remedy."""
        return VaultError(f"{self.step} needs {self.server}, which {what}; {remedy}", fault)

    def _error(self, found: "_Found") -> VaultError:
        return self.error(found.fault, found.what, found.remedy)

    def _answer_fault(self, path: str, error: hvac.exceptions.VaultError) -> "_Found":
        said = _TOKEN.sub("<token>", " ".join(" ".join(error.errors or [str(error.text or "")]).split()))
        if isinstance(error, hvac.exceptions.Forbidden | hvac.exceptions.Unauthorized):
            return _FORBIDDEN.at(path) if self._token_lives() else _TOKEN_GONE
        if isinstance(error, hvac.exceptions.InvalidPath):
            return _MISSING.at(path)
        if isinstance(error, hvac.exceptions.VaultDown | hvac.exceptions.InternalServerError):
            return self._down(path, said)
        return _REJECTED.at(path, said)

    def _token_lives(self) -> bool:
        try:
            self._client.auth.token.lookup_self()
        except hvac.exceptions.VaultError:
            return False
        return True

    def _down(self, path: str, said: str) -> "_Found":
        health = self.health()
        if not health.initialised:
            return _UNINITIALISED
        if health.sealed:
            return _SEALED
        lost = self.server.others and any(text.decode() in said for text in LOST)
        return _STANDBY if lost or "no active" in said or "standby" in said else _REJECTED.at(path, said)


@dataclass(frozen=True, slots=True)
class _Found:
    """A fault as human-readable text: "which" the server does or is, and what to do about it."""

    fault: VaultFault
    what: str
    remedy: str

    def at(self, path: str, said: str = "") -> "_Found":
        return replace(self, what=self.what.format(path=path, said=said))


_SEALED = _Found(
    VaultFault.SEALED,
    "is sealed",
    "unseal it (`bao operator unseal`, or role pki with pki_unseal) and run this again: nothing was changed",
)
_UNINITIALISED = _Found(
    VaultFault.UNINITIALISED, "is not initialised", "run role pki with pki_initialise, once for the service"
)
_STANDBY = _Found(
    VaultFault.STANDBY,
    "is a standby that knows no active server",
    "see to the other servers of its cluster (`bao operator raft list-peers`) and run this again",
)
_TOKEN_GONE = _Found(
    VaultFault.TOKEN,
    "does not accept the token: it has expired, is used up, was revoked, or was never given out",
    "log in again; where the credentials of an AppRole are refused, role pki makes new ones with pki_unseal",
)
_FORBIDDEN = _Found(
    VaultFault.FORBIDDEN,
    "does not allow this token {path}",
    "use the AppRole made for the purpose; what only set-up may do, role pki does with pki_unseal",
)
_MISSING = _Found(
    VaultFault.MISSING, "has nothing at {path}", "run role pki, which makes what the plan asks for"
)
_REJECTED = _Found(
    VaultFault.REJECTED, "rejects {path}: {said}", "see its log and audit log for the whole request"
)


def _transport_fault(error: Exception, vault: Vault) -> _Found:
    connect_s, answer_s = vault._timeouts  # noqa: SLF001  # the same module
    if isinstance(error, requests.exceptions.SSLError):
        hosts = " or ".join(one.host for one in vault.server.every)
        return _Found(
            VaultFault.TLS,
            f"shows a certificate that cannot be trusted: {_tls_reason(error)}",
            f"its certificate must bear {hosts} and come from the CA kept for it "
            "(VAULT_CACERT, or secret vault/ca); if neither was changed on purpose, this may be an attack",
        )
    if isinstance(error, requests.exceptions.ReadTimeout):
        what = f"does not answer within {answer_s:g} s"
        return _Found(VaultFault.TIMEOUT, what, "see whether it is overloaded, then run this again")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        what = f"cannot be reached within {connect_s:g} s"
        return _Found(
            VaultFault.TIMEOUT, what, "see to the network and its packet filters, then run this again"
        )
    return _Found(
        VaultFault.UNREACHABLE,
        f"cannot be reached: {_reason(error)}",
        "see whether the server runs and VAULT_ADDR, where set, is right; then run this again",
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        inner = getattr(error, "reason", None) or next(
            (a for a in error.args if isinstance(a, Exception)), None
        )
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__


def _tls_reason(error: Exception) -> str:
    for inner in _chain(error):
        if isinstance(inner, ssl.SSLCertVerificationError):
            return str(inner.verify_message)
    return _reason(error)


def _reason(error: Exception) -> str:
    """Return the innermost cause: the outer ones repeat the address and name classes of urllib3."""
    *_, last = _chain(error)
    if isinstance(last, OSError) and last.strerror:
        return last.strerror
    return str(last)
