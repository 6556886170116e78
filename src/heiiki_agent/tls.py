"""TLS between service programs: each end shows a certificate, and a revoked one is refused (IEC 62351-3)."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from heiiki_agent.errors import AgentError

_Context = TypeVar("_Context", bound=ssl.SSLContext)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Files of one end, PEM.

    Attributes:
        certificate: its own certificate, and the CAs below the root.
        key: the private key of it.
        trust: the root, and the CAs that issue.
        crls: revocation lists of every CA of the chain; none: revocation is not examined.
    """

    certificate: Path
    key: Path
    trust: Path
    crls: Path | None = None


class AsyncioContext(ssl.SSLContext):
    """What a server of asyncio listens with; it tells a peer why it is refused.

    Attributes:
        superseded: there are other credentials now: a handshake that began with these comes to nothing.
    """

    superseded = False

    @classmethod
    def of(cls, credentials: Credentials) -> Self:
        """Return one that a peer without a valid certificate gets no connection from.

        Raises:
            AgentError: a file cannot be used.
        """
        context = _demanding(cls(ssl.PROTOCOL_TLS_SERVER), credentials)
        context.sslobject_class = _Telling
        return context

    @classmethod
    def asking(cls, credentials: Credentials) -> Self:
        """Return one that a peer without a certificate gets a connection from, and one with a bad one none.

        Raises:
            AgentError: a file cannot be used.
        """
        context = cls.of(credentials)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


def server_context(credentials: Credentials) -> ssl.SSLContext:
    """Return what a server listens with: a peer without a valid certificate gets no connection.

    Raises:
        AgentError: a file cannot be used.
    """
    return _demanding(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), credentials)


def client_context(credentials: Credentials) -> ssl.SSLContext:
    """Return what a client connects with.

    Raises:
        AgentError: a file cannot be used.
    """
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), credentials)


class _Telling(ssl.SSLObject):
    """A connection whose peer is told by an alert why it is refused (RFC 8446 6.2).

    asyncio closes a connection whose handshake failed with the alert unsent. Here it waits for the peer as if
    the handshake went on, which sends what there is; it ends as any handshake of which nothing comes.
    """

    _refused = False

    def do_handshake(self) -> None:
        """Go on with the handshake; after its failure wait for the peer to hang up."""
        if not self._refused:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError:
                self._refused = True
            else:
                self._current()
                return
        raise ssl.SSLWantReadError

    def _current(self) -> None:
        """Hang up on a peer that was judged by lists of before."""
        if isinstance(self.context, AsyncioContext) and self.context.superseded:
            raise ssl.SSLError("its credentials have been renewed meanwhile")


def _demanding(context: _Context, credentials: Credentials) -> _Context:
    """Have a server ask for a certificate."""
    _loaded(context, credentials).verify_mode = ssl.CERT_REQUIRED
    return context


def _loaded(context: _Context, credentials: Credentials) -> _Context:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(credentials.certificate, credentials.key)
        context.load_verify_locations(credentials.trust)
        if credentials.crls:
            context.load_verify_locations(credentials.crls)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(file) for file in vars(credentials).values() if file)
        raise AgentError(
            f"{files}: cannot be used for TLS: {error}; see that the device is enrolled"
        ) from error
    return context
