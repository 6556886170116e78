"""NetBox is asked, by pynetbox, and never changed: only GET is ever sent."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from heiiki.errors import SourceError

VARIABLE = "HEIIKI_NETBOX_TOKEN"
_PAGE = 500
_TIMEOUT_S = 60.0
_OLDEST = (4, 2)
"""Since then a circuit says where it ends by type and object (netbox release notes, v4.2.0)."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answers:
    """What NetBox has, as its REST API answers it.

    Attributes:
        sites: with the tag.
        circuits: of the carriers.
        devices: of the roles.
    """

    sites: tuple[Object, ...]
    circuits: tuple[Object, ...]
    devices: tuple[Object, ...]


def ask(url: str, tag: str, providers: Sequence[str], roles: Sequence[str]) -> Answers:
    """Return what NetBox at `url` has of sites, circuits and devices.

    The token is that of the variable `HEIIKI_NETBOX_TOKEN`; one that may only read is enough.

    Args:
        url: the address of NetBox, such as ``https://netbox.example``.
        tag: slug of the tag of the sites.
        providers: slugs of the carriers.
        roles: slugs of the roles of devices.

    Raises:
        SourceError: it cannot be asked, or it is older than 4.2.
    """
    token = _token()
    _refuse_clear(url)
    with _errors(url):
        api = _api(url, token)
        _refuse_old(url, api.version)
        return Answers(
            _all(api.dcim.sites, tag=tag),
            _all(api.circuits.circuits, provider=list(providers)),
            _all(api.dcim.devices, role=list(roles)),
        )


def _all(endpoint: Any, **filters: Any) -> tuple[Object, ...]:
    return tuple(dict(record) for record in endpoint.filter(limit=_PAGE, **filters))


def _api(url: str, token: str) -> Any:
    try:
        import pynetbox  # noqa: PLC0415 - an extra
        import requests  # noqa: PLC0415 - comes with it
    except ImportError as error:
        raise SourceError("NetBox needs pynetbox: run `pip install heiiki[netbox]`") from error

    class ReadOnly(requests.Session):
        """Sends GET alone, waits for an answer no longer than it must, and takes no log-in from ~/.netrc."""

        def request(self, method: Any, url: Any, *arguments: Any, **more: Any) -> Any:
            if str(method).upper() != "GET":
                raise SourceError(f"{url}: Heiiki does not change NetBox; {method} was not sent")
            more["timeout"] = more.get("timeout") or _TIMEOUT_S
            return super().request(method, url, *arguments, **more)

    api = pynetbox.api(url, token=token)
    api.http_session = ReadOnly()
    api.http_session.auth = lambda request: request  # the header of the token stays as it is
    return api


def _token() -> str:
    if token := os.environ.get(VARIABLE, "").strip():
        return token
    raise SourceError(f"there is no token for NetBox: set {VARIABLE} to one that may read")


def _refuse_clear(url: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise SourceError(f"the address of NetBox holds a log-in: leave it out, and set {VARIABLE}")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise SourceError(f"{url}: the token would travel in clear; write the address with https://")


def _refuse_old(url: str, version: str) -> None:
    numbers = tuple(int(one) for one in version.split(".")[:2] if one.isdigit())
    if numbers < _OLDEST:
        raise SourceError(f"{url}: NetBox {version or 'of unknown version'}; 4.2 or later is understood")


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """Translate what goes wrong between here and NetBox."""
    try:
        yield
    except SourceError:
        raise
    except ValueError as error:
        # An answer that is not JSON, or an address that is none; requests derives its errors from it.
        raise SourceError(f"{url}: does not answer as NetBox does: {error}; check the address") from error
    except OSError as error:
        raise SourceError(f"{url}: cannot be asked: {error}; check address, name and certificate") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "pynetbox":
            raise
        raise SourceError(f"{url}: {error}; check the address, and what the token may read") from error
