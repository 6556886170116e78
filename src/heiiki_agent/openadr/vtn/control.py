"""The operator's side of the program."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.vtn.doubled.exchange import NotServingError
from heiiki_agent.openadr.vtn.operator import OrderError, parse, written
from heiiki_agent.openadr.vtn.server import Server
from heiiki_agent.operator_socket import OperatorSocket


class Control(OperatorSocket):
    """Events of a VTN, its second host, and how it is.

    GET and POST `/VTN/events`; GET, PUT and DELETE `/VTN/events/EVENT`; POST `/VTN/takeover`; GET `/health`.
    """

    def __init__(self, servers: Mapping[str, Server]) -> None:
        """Work on `servers`, by their vtnID."""
        self._servers = servers
        super().__init__(
            (
                web.get("/health", self._health),
                web.post("/{vtn}/takeover", self._take_over),
                web.get("/{vtn}/events", self._list),
                web.post("/{vtn}/events", self._order),
                web.get("/{vtn}/events/{event}", self._show),
                web.put("/{vtn}/events/{event}", self._modify),
                web.delete("/{vtn}/events/{event}", self._cancel),
            ),
            conflict=(OrderError, NotServingError),
        )

    def _server(self, request: web.Request) -> Server:
        name = request.match_info["vtn"]
        if name not in self._servers:
            raise AgentError(f"VTN {name} is not known; use {', '.join(self._servers)}")
        return self._servers[name]

    async def _health(self, _request: web.Request) -> web.Response:
        states: dict[str, dict[str, Any]] = {}
        for name, server in self._servers.items():
            registered = await server.desk.apart(server.operator.registered)
            states[name] = {"vens": len(server.settings.vens), "registered": registered}
            if server.host is not None:
                states[name]["doubled"] = asdict(server.host.node.state())
        return web.json_response(states)

    async def _take_over(self, request: web.Request) -> web.Response:
        server = self._server(request)
        await server.take_over()
        assert server.host is not None  # noqa: S101  # it has taken over
        return web.json_response(asdict(server.host.node.state()))

    async def _list(self, request: web.Request) -> web.Response:
        server = self._server(request)
        return _json(written(await server.desk.call(server.operator.events)))

    async def _order(self, request: web.Request) -> web.Response:
        server, order = self._server(request), parse(await request.text(), "order")
        await server.desk.call(lambda: server.operator.order(order))
        return await self._state(server, order.event_id)

    async def _show(self, request: web.Request) -> web.Response:
        return await self._state(self._server(request), request.match_info["event"])

    async def _modify(self, request: web.Request) -> web.Response:
        server, order = self._server(request), parse(await request.text(), "order")
        if order.event_id != request.match_info["event"]:
            raise AgentError(
                f"order: event_id: is not {request.match_info['event']}, which the address names"
            )
        await server.desk.call(lambda: server.operator.modify(order))
        return await self._state(server, order.event_id)

    async def _cancel(self, request: web.Request) -> web.Response:
        server, event_id = self._server(request), request.match_info["event"]
        await server.desk.call(lambda: server.operator.cancel(event_id))
        return await self._state(server, event_id)

    async def _state(self, server: Server, event_id: str) -> web.Response:
        state = await server.desk.call(lambda: server.operator.show(event_id))
        (document,) = json.loads(written((state,)))
        if server.host is not None:
            document["standby"] = server.host.node.state().problem
        return _json(json.dumps(document))


def _json(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")
