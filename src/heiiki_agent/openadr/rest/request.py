"""Reads a request: its size, its time, its form; what is wrong is said with its place."""

import asyncio
import re
from http import HTTPStatus
from typing import Any

from aiohttp import web

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.https import REQUEST_S
from heiiki_agent.openadr.rest.book import Page
from heiiki_agent.openadr.rest.operations import Asked, Operation
from heiiki_agent.openadr.rest.problems import RefusedError

LIMIT = 65_536
"""Octets that a document may have: one of 1,000 sites with a value a minute for half a day."""
MOST = 100
"""How many items of a list are sent at most."""
KEY = "Idempotency-Key"
"""Names a request for good, so that it counts once however often it comes."""
KEY_FORM = "[A-Za-z0-9._:-]{8,64}"
PATH = re.compile(r"{(\w+)}")
_NUMBER = re.compile(r"[0-9]{1,4}")


async def asked(request: web.Request, operation: Operation) -> Asked:
    """Return what a request asks for.

    Raises:
        RefusedError: it is not as the operation has it.
    """
    page = _page(request, operation)
    if operation.takes is None:
        return Asked(request.match_info, page)
    key = request.headers.get(KEY, "")
    if not re.fullmatch(KEY_FORM, key):
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, f"{KEY}: the header is missing or does not match {KEY_FORM}; add one"
        )
    if request.content_type != "application/json":
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type: is not application/json; send JSON"
        )
    return Asked(request.match_info, page, _parsed(operation.takes, await _read(request)), key)


def _page(request: web.Request, operation: Operation) -> Page:
    known = {"after", "limit"} if operation.paged else set()
    if unknown := sorted(request.query.keys() - known):
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{unknown[0]}: there is no such parameter; remove it")
    limit = request.query.get("limit", str(MOST))
    if not _NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MOST:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"limit: is not a number from 1 to {MOST}")
    if request.query.get("after") == "":
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "after: is empty; name an item of the list, or leave it out"
        )
    return Page(request.query.get("after", ""), int(limit))


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(REQUEST_S):
            return await request.read()
    except TimeoutError as error:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive within {REQUEST_S:g} s; send it again"
        ) from error
    except web.HTTPRequestEntityTooLarge as error:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"a body has at most {LIMIT} octets; send fewer sites or steps",
        ) from error


def _parsed(kind: type, body: bytes) -> Any:
    try:
        return config.parse(kind, body.decode(), "body")
    except AgentError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
    except UnicodeDecodeError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "body: is not UTF-8") from error
    except (ValueError, OverflowError, RecursionError) as error:
        # Numbers of thousands of digits, and lists in lists in lists.
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "body: has a number that is too large, or is nested too deeply"
        ) from error
