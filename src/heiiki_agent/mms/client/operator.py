"""The operator's socket: a line of JSON for each question, one for its answer."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.mms.client.desk import Desk
from heiiki_agent.mms.client.reports import Listening
from heiiki_agent.mms.client.session import AwayError, Shown
from heiiki_agent.mms.orders import parsed

LONGEST = 65_536
_MOST = 1000


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A question.

    Attributes:
        do: `order` gives one and waits, `show` asks sites how they are, `book` reads what was ordered,
            `reports` says when their reports came, `interrogate` has them report now and says when that was.
        sites: whom; none: all, where that is asked of the book.
        kind, order: as in the book.
        valid_s: for how long an order is given again while it is not answered.
        wait_s: how long its answers are waited for.
        most: entries of the book.
    """

    do: Literal["order", "show", "book", "reports", "interrogate"]
    sites: tuple[str, ...] = ()
    kind: Literal["set", "schedule"] = "set"
    order: Any = None
    valid_s: float = 60.0
    wait_s: float = 15.0
    most: Annotated[int, range(1, _MOST + 1)] = 100


class Operator:
    """Answers on a socket that only its owner, and root, may open."""

    def __init__(self, desk: Desk, show: Callable[[str], Awaitable[Shown]], listening: Listening) -> None:
        """Order at `desk`, have `show` look at a site, and `listening` say what sites have reported."""
        self._desk, self._show, self._listening_to = desk, show, listening
        self._listening: asyncio.Server | None = None

    async def open(self, path: Path) -> None:
        """Listen on `path`."""
        before = os.umask(0o177)
        try:
            self._listening = await asyncio.start_unix_server(self._came, path, limit=LONGEST)
        finally:
            os.umask(before)

    def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.close()

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = config.parse(Ask, (await reader.readline()).decode(), "request")
            answer: Mapping[str, Any] = {"answer": await self._answer(question)}
        except (AgentError, ValueError) as error:
            answer = {"error": str(error)}
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    async def _answer(self, ask: Ask) -> Sequence[Mapping[str, Any]]:
        if ask.do == "show":
            return list(await asyncio.gather(*(self._shown(site) for site in ask.sites)))
        if ask.do == "book":
            found = [one for site in ask.sites or ("",) for one in self._desk.book(site, ask.most)]
            return [asdict(one) for one in found]
        if ask.do == "reports":
            return self._listening_to.told(ask.sites)
        if ask.do == "interrogate":
            return await self._listening_to.interrogated(ask.sites)
        order = parsed(ask.kind, json.dumps(ask.order), "order")
        self._desk.take(order, ask.sites, ask.valid_s)
        return [asdict(one) for one in await self._desk.settled(order.order_id, ask.wait_s)]

    async def _shown(self, site: str) -> dict[str, Any]:
        try:
            return {"site": site, "problem": None, **asdict(await self._show(site))}
        except AwayError as error:
            return {"site": site, "problem": str(error)}
