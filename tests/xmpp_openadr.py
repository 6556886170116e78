"""OpenADR over a real prosody: the VTN, VENs, and a stock client of slixmpp whose iq are written by hand."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from openadr_loopback import VTN_NAME, Program, Ven, Vtn
from slixmpp import ClientXMPP, Iq
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath
from xmpp_world import DOMAIN, Authority, Prosody, jid

from heiiki.plan.model import DeviceClass, Identity
from heiiki_agent.openadr.names import OADR
from heiiki_agent.tls import Credentials, client_context

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


class Issuer:
    """Issues what both transports ask for: a DNS name and a JID in one certificate."""

    def __init__(self, authority: Authority, server: Prosody) -> None:
        self._authority, self._files = authority, server.credentials

    def issue(self, name: str) -> Credentials:
        device = name.partition(".")[0]
        who = Identity(device=device, kind=DeviceClass.EMS, dns=(name,), uris=(), jids=(jid(device),))
        made = self._authority.issue(who)
        trust, lists = self._files / "trust.pem", self._files / "verify.pem"
        return Credentials(certificate=made.file, key=made.key, trust=trust, crls=lists)


class Service:
    """A VTN and its VENs at an XMPP server."""

    def __init__(self, folder: Path, server: Prosody, vens: tuple[str, ...], *others: Prosody) -> None:
        self.folder, self.server, self._others = folder, server, others
        self.issuer = Issuer(server.authority, server)
        self.vtn = Vtn(folder, self.issuer, vens, xmpp=self._settings("dras"))  # type: ignore[arg-type]
        self.programs: list[Program] = [self.vtn]

    def _settings(self, device: str) -> dict[str, Any]:
        places = [{"address": "127.0.0.1", "port": one.port} for one in (self.server, *self._others)]
        return {"domain": DOMAIN, "servers": places, "jid": jid(device)}

    def ven(self, name: str, http_port: int | None = None, xmpp_port: int | None = None) -> Ven:
        """Return a VEN that is not started; by default its ways lead to the VTN and to the server."""
        port = self.vtn.port if http_port is None else http_port
        xmpp = {**self._settings(name), "vtn": jid("dras")}
        if xmpp_port is not None:
            xmpp["servers"] = [{"address": "127.0.0.1", "port": xmpp_port}]
        made = Ven(self.folder, self.issuer.issue(f"{name}.example"), port, name, xmpp=xmpp)
        self.programs.append(made)
        return made

    def stock(self, name: str, resource: str = "ven") -> "Stock":
        """Return a client of stock slixmpp with a certificate for `name`."""
        address = VTN_NAME if name == "dras" else f"{name}.example"
        return Stock(f"{jid(name)}/{resource}", self.issuer.issue(address), self.server.port)


class Stock(ClientXMPP):
    """slixmpp as its documentation has it; what it is asked stands in `asked`."""

    def __init__(self, name: str, credentials: Credentials, port: int) -> None:
        super().__init__(name, "", sasl_mech="EXTERNAL")
        self.credentials["authzid"] = self.requested_jid.bare
        self._tls, self._port = client_context(credentials), port
        self.asked: list[Element] = []
        self.raw = b""
        self.result = "<oadrNothing xmlns='urn:heiiki:test'/>"
        self.register_plugin("xep_0030")
        wanted = MatchXPath(f"{{jabber:client}}iq/{{{OADR}}}oadrPayload")
        self.register_handler(Callback("payloads", wanted, self._came))

    def get_ssl_context(self) -> Any:
        return self._tls

    def data_received(self, data: Any) -> None:
        self.raw += data
        super().data_received(data)

    async def __aenter__(self) -> Self:
        self.connect("127.0.0.1", self._port)
        await self.wait_until("session_start", 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect(1)
        if self._run_out_filters is not None:
            self._run_out_filters.cancel()

    async def ask(self, payload: str, to: str = f"{jid('dras')}/vtn", kind: str = "set") -> Iq:
        """Send an iq that is written by hand, and return what answers it."""
        number = self.new_id()
        answer: asyncio.Future[Iq] = asyncio.get_running_loop().create_future()
        wanted = MatchXPath("{jabber:client}iq")

        def take(found: Iq) -> None:
            if found["id"] == number and found["type"] in {"result", "error"} and not answer.done():
                answer.set_result(found)

        self.register_handler(Callback(number, wanted, take))
        self.send_raw(f"<iq type='{kind}' id='{number}' to='{to}'>{payload}</iq>")
        try:
            async with asyncio.timeout(20):
                return await answer
        finally:
            self.remove_handler(number)

    def _came(self, iq: Iq) -> None:
        if iq["type"] == "set":
            self.asked.append(iq.xml[0])
            self.send_raw(f"<iq type='result' id='{iq['id']}' to='{iq['from']}'>{self.result}</iq>")
