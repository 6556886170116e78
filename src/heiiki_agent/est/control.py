"""The operator's side of the program."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from aiohttp import web

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.est.book import Book, Secret, written
from heiiki_agent.est.log_in import LogIns
from heiiki_agent.est.registrar import Registrar
from heiiki_agent.est.server import Server
from heiiki_agent.est.settings import DeviceName
from heiiki_agent.operator_socket import OperatorSocket
from heiiki_agent.pki.x509 import Certificate

TRUST = r"(factory identity|voucher|on first use, by) [^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,198}"
"""Reasons for trusting a device before its first certificate: where it is from, a voucher, or a person."""
_LONGEST_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Order:
    """A secret that is to be kept.

    Attributes:
        digest: SHA-256 of it; the secret itself never comes here before the device brings it.
        trust: why the device is trusted.
        days: for how long it is good.
    """

    device: DeviceName
    digest: Annotated[str, r"[0-9a-f]{64}"]
    trust: Annotated[str, TRUST]
    days: Annotated[int, range(1, _LONGEST_DAYS + 1)]


class Control(OperatorSocket):
    """GET `/devices` and `/log-in`; POST `/secrets`; DELETE `/secrets/DEVICE`."""

    def __init__(self, server: Server, registrar: Registrar, book: Book, log_ins: LogIns) -> None:
        """Work on `book`, in the thread of `server`."""
        self._server, self._registrar, self._book, self._log_ins = server, registrar, book, log_ins
        super().__init__(
            (
                web.get("/devices", self._devices),
                web.get("/log-in", self._log_in),
                web.post("/secrets", self._make),
                web.delete("/secrets/{device}", self._withdraw),
            )
        )

    async def _devices(self, _request: web.Request) -> web.Response:
        return web.json_response(
            await self._server.call(
                lambda: [self._told(device) for device in sorted(self._registrar.devices)]
            )
        )

    async def _log_in(self, _request: web.Request) -> web.Response:
        newest, *_ = await self._server.call(self._log_ins.usable)
        return web.json_response({"certificate": newest.pem()})

    async def _make(self, request: web.Request) -> web.Response:
        order = config.parse(Order, await request.text(), "secret")
        self._known(order.device)
        ends = written(datetime.now(UTC) + timedelta(days=order.days))
        made = await self._server.call(lambda: self._book.make(order.device, order.digest, order.trust, ends))
        return web.json_response(_told(made))

    async def _withdraw(self, request: web.Request) -> web.Response:
        device = request.match_info["device"]
        self._known(device)
        gone = await self._server.call(lambda: self._book.withdraw(device))
        return web.json_response({"device": device, "withdrawn": gone})

    def _known(self, device: str) -> None:
        if device not in self._registrar.devices:
            known = ", ".join(sorted(self._registrar.devices)) or "none"
            raise AgentError(f"{device}: no device that is called so enrols here; known: {known}")

    def _told(self, device: str) -> dict[str, Any]:
        secrets = self._book.secrets(device)
        trust = {one.number: one.trust for one in secrets}
        return {
            "device": device,
            "secrets": [_told(one) for one in secrets],
            "certificates": [
                {
                    "serial": one.serial,
                    "issued": one.issued,
                    "ends": written(Certificate.read(one.pem).not_after),
                    "trust": trust[one.secret] if one.secret else "the device's certificate of then",
                }
                for one in self._book.certificates(device)
            ],
        }


def _told(one: Secret) -> dict[str, Any]:
    """Return what is told of a secret; of its digest nothing."""
    return {
        "device": one.device,
        "number": one.number,
        "trust": one.trust,
        "made": one.made,
        "ends": one.ends,
        "state": one.state,
    }
