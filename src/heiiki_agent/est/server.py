"""EST on the network: HTTPS with the service's own certificate, and the device's where it has one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from aiohttp import BasicAuth, web
from cryptography import x509

from heiiki_agent.errors import AgentError
from heiiki_agent.est import messages
from heiiki_agent.est.places import PREFIX
from heiiki_agent.est.refusals import Refused, not_here, unauthorised
from heiiki_agent.est.registrar import Registrar
from heiiki_agent.est.settings import Settings
from heiiki_agent.https import REQUEST_S, Https
from heiiki_agent.limits import Rate
from heiiki_agent.pki.request import LIMIT
from heiiki_agent.pki.x509 import Certificate, certificates
from heiiki_agent.tls import AsyncioContext

log = logging.getLogger(__name__)

_KEEP_ALIVE_S = 30.0
_MOST_WAITING = 16
"""Requests that wait for the one thread at most: with a Vault server that hangs each would wait in vain."""
_NOT_OFFERED = {
    "serverkeygen": "keys are made on the device and never leave it",
    "fullcmc": "simple requests are enough here",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")


class Server:
    """The registration authority and its sockets."""

    def __init__(self, settings: Settings, registrar: Registrar) -> None:
        """Serve what `registrar` decides, once it is open."""
        self._settings, self._registrar = settings, registrar
        self._rate = Rate(settings.requests_per_s, settings.burst)
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._waiting = 0
        self._cas: tuple[Certificate, ...] = ()
        self.problem = "it does not listen yet"
        self._sockets = [
            Https(self._application(), address, settings.port, _KEEP_ALIVE_S)
            for address in settings.addresses
        ]

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=2 * LIMIT, middlewares=[self._guarded])
        router = application.router
        router.add_get(f"{PREFIX}/cacerts", self._cacerts)
        router.add_get(f"{PREFIX}/csrattrs", self._csrattrs)
        router.add_post(f"{PREFIX}/simpleenroll", self._first)
        router.add_post(f"{PREFIX}/simplereenroll", self._again)
        for operation in _NOT_OFFERED:
            router.add_route("*", f"{PREFIX}/{operation}", self._not_offered)
        return application

    async def open(self) -> None:
        """Listen, with the certificate and the revocation lists that are there now.

        Files that cannot be used are noted as a problem: one that listens goes on with those of before.

        Raises:
            AgentError: an address cannot be listened on.
        """
        try:
            tls = AsyncioContext.asking(self._settings.credentials)
            self._cas = _authorities(self._settings)
        except AgentError as error:
            self.problem = str(error)
            log.error("%s", error)  # noqa: TRY400 - the text says it all
            return
        for one in self._sockets:
            await one.open(tls)
        self.problem = ""

    async def close(self) -> None:
        """Hang up, and end the thread."""
        for one in self._sockets:
            await one.close()
        self._thread.shutdown()

    async def call(self, work: Callable[[], T]) -> T:
        """Do something with the state, in the thread that works on it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _cacerts(self, _request: web.Request) -> web.Response:
        """The CAs in use, roots and those below, old and new ones during a rotation (RFC 7030 4.1)."""
        return _answered(messages.certificates(self._cas), messages.CERTIFICATES_TYPE)

    async def _csrattrs(self, _request: web.Request) -> web.Response:
        return _answered(messages.attributes(), messages.ATTRIBUTES_TYPE)

    async def _not_offered(self, request: web.Request) -> web.Response:
        operation = request.path.rpartition("/")[2]
        raise Refused(HTTPStatus.NOT_IMPLEMENTED, f"{operation} is not offered: {_NOT_OFFERED[operation]}")

    async def _first(self, request: web.Request) -> web.Response:
        user, secret = _credentials(request)
        wanted = await _request(request)
        return await self._enrolled(request, lambda: self._registrar.first(user, secret, wanted))

    async def _again(self, request: web.Request) -> web.Response:
        ssl_object = request.get_extra_info("ssl_object")
        der = ssl_object.getpeercert(binary_form=True) if ssl_object else None
        if der is None:
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "show the device's present certificate in TLS; without one, use simpleenroll with a secret",
            )
        shown = Certificate.read_der(der)
        wanted = await _request(request)
        return await self._enrolled(
            request, lambda: self._registrar.again(shown.names.dns, shown.spki, wanted)
        )

    async def _enrolled(self, request: web.Request, work: Callable[[], Certificate]) -> web.Response:
        """Answer with a certificate, once it is kept; in time, whatever the Vault server does."""
        if self._waiting >= _MOST_WAITING:
            raise not_here("too many devices are waiting for the CA; come again later")
        self._waiting += 1
        task = asyncio.ensure_future(self.call(work))
        task.add_done_callback(self._ended)
        try:
            made = await asyncio.wait_for(asyncio.shield(task), self._settings.vault.answer_s)
        except TimeoutError as error:
            raise not_here(
                "the CA has not answered in time; send the same request again, it is answered once"
            ) from error
        log.info(
            "%s from %s: certificate %s for %s, until %s",
            *(request.path.rpartition("/")[2], request.remote, made.serial, made.names.dns[0]),
            made.not_after.isoformat(),
        )
        return _answered(messages.certificates([made]), messages.CERTIFICATES_TYPE)

    def _ended(self, task: "asyncio.Future[Certificate]") -> None:
        self._waiting -= 1
        if not task.cancelled():
            task.exception()  # a device that has gone was told nothing of it

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Let each address ask so often; what goes wrong is said in a sentence, and tells nothing secret."""
        try:
            self._admit(request.remote or "")
            return await handler(request)
        except Refused as error:
            return _refused(request, error)
        except AgentError as error:
            log.error("the Vault server does not serve: %s", error)  # noqa: TRY400 - the text says it all
            return _refused(request, not_here("the CA does not answer; come again later"))
        except web.HTTPException as error:
            return _refused(request, _routed(error))
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return _refused(
                request, Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "failed here; come again later", 60)
            )

    def _admit(self, address: str) -> None:
        if wait := self._rate.wait_s(address):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, f"too many requests; ask again in {wait} s", wait)


def _authorities(settings: Settings) -> tuple[Certificate, ...]:
    try:
        known = certificates(settings.credentials.trust.read_text(encoding="ascii"))
        return tuple(one for one in known if one.ca)
    except (OSError, ValueError) as error:
        raise AgentError(f"{settings.credentials.trust}: holds no CA certificates: {error}") from error


def _credentials(request: web.Request) -> tuple[str, str]:
    """Return name and secret of a device (RFC 7617)."""
    header = request.headers.get("Authorization", "")
    try:
        found = BasicAuth.decode(header, encoding="utf-8")
    except ValueError as error:
        raise unauthorised("show the device's name and its secret (HTTP Basic)") from error
    return found.login, found.password


async def _request(request: web.Request) -> x509.CertificateSigningRequest:
    """Return the certificate request that an enrolment brings."""
    if request.content_type != messages.REQUEST_TYPE:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send the certificate request as {messages.REQUEST_TYPE}"
        )
    try:
        async with asyncio.timeout(REQUEST_S):
            body = await request.read()
    except TimeoutError as error:
        raise Refused(
            HTTPStatus.REQUEST_TIMEOUT, f"the request did not arrive within {REQUEST_S:g} s"
        ) from error
    found = messages.read_request(body)
    messages.check_binding(found, _binding(request))
    return found


def _binding(request: web.Request) -> bytes | None:
    """Return ``tls-unique`` of the connection; TLS 1.3 has none."""
    ssl_object = request.get_extra_info("ssl_object")
    if ssl_object is None or ssl_object.version() == "TLSv1.3":
        return None
    found: bytes | None = ssl_object.get_channel_binding("tls-unique")
    return found


def _routed(error: web.HTTPException) -> Refused:
    if isinstance(error, web.HTTPMethodNotAllowed):
        methods = ", ".join(sorted(error.allowed_methods))
        return Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{error.method} is not for this path; use {methods}")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {LIMIT} octets")
    return Refused(
        HTTPStatus(error.status), f"there is nothing at this path; the operations are below {PREFIX}/"
    )


def _answered(body: bytes, kind: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": kind, "Cache-Control": "no-store"})


def _refused(request: web.Request, error: Refused) -> web.Response:
    operation = request.path.rpartition("/")[2] if request.path.startswith(PREFIX) else "elsewhere"
    log.warning("%s from %s: %s: %s", operation, request.remote, error.status.value, error.text)
    headers = {"Cache-Control": "no-store"}
    if error.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Basic realm="certificate enrolment", charset="UTF-8"'
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return web.Response(status=error.status, text=f"{error.text}\n", headers=headers)
