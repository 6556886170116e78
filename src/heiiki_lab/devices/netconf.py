"""A session by NETCONF at a simulated Junos: hello, framing, and connections that break (RFC 6242, 4.3)."""

from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

import asyncssh

from heiiki_lab.devices.device import Device
from heiiki_lab.devices.junos_rpc import Answer, JunosRpc, rpc_error

_END = "]]>]]>"
_BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
_JUNOS = "http://xml.juniper.net/junos/23.4R1/junos"
_CAPABILITIES = (
    "urn:ietf:params:netconf:base:1.0",
    "urn:ietf:params:netconf:capability:candidate:1.0",
    "urn:ietf:params:netconf:capability:confirmed-commit:1.0",
    "urn:ietf:params:netconf:capability:validate:1.0",
    "http://xml.juniper.net/netconf/junos/1.0",
    "http://xml.juniper.net/dmi/system/1.0",
)


class Netconf(asyncssh.SSHServerSession[str]):
    """One session of the subsystem `netconf`."""

    def __init__(self, device: Device) -> None:
        """Serve `device`."""
        self._device, self._rpc = device, JunosRpc(device)
        self._received = ""
        self._sent = 0
        self._over = False
        self._cut, device.faults.cut_at = device.faults.cut_at, -1

    @staticmethod
    def offered(device: Device) -> bool:
        """Tell whether the device's configuration lets it be asked for."""
        return "set system services netconf ssh" in device.running.root

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        """Keep the channel."""
        self._channel = chan

    def session_started(self) -> None:
        """Say which capabilities there are."""
        told = "".join(f"<capability>{name}</capability>" for name in _CAPABILITIES)
        self._send(
            f'<hello xmlns="{_BASE}"><capabilities>{told}</capabilities><session-id>1</session-id></hello>'
        )

    def data_received(self, data: str, datatype: asyncssh.DataType) -> None:
        """Take what was sent, message by message."""
        del datatype
        self._received += data
        while _END in self._received and not self._over:
            message, _, self._received = self._received.partition(_END)
            self._take(message.strip())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the device, once."""
        del exc
        if not self._over:
            self._over = True
            self._rpc.lost()

    def _take(self, message: str) -> None:
        try:
            request = ET.fromstring(message.encode())  # noqa: S314 - a simulator on loopback
        except ET.ParseError:
            self._reply(Answer(rpc_error("syntax error"), close=True), {})
            return
        if request.tag != f"{{{_BASE}}}hello":
            self._later(self._rpc.answer(request), dict(request.attrib))

    def _later(self, answer: Answer, attributes: dict[str, str]) -> None:
        """Answer when the device has thought."""
        if delay := self._device.spec.prompt_delay_ms / 1000:
            self._device.later(delay, lambda: self._reply(answer, attributes))
        else:
            self._reply(answer, attributes)

    def _reply(self, answer: Answer, attributes: dict[str, str]) -> None:
        """Send a reply, which has the attributes of its request (RFC 6241, 4.1)."""
        named = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
        self._send(
            f'<rpc-reply xmlns="{_BASE}" xmlns:junos="{_JUNOS}"{named}>\n{answer.content}\n</rpc-reply>'
        )
        if answer.close and not self._over:
            self._over = True
            self._channel.exit(0)

    def _send(self, text: str) -> None:
        """Send a message, in pieces if the device sends such, up to the byte where the connection breaks."""
        if self._over:
            return
        framed = f"{text}\n{_END}\n"
        left = len(framed) if self._cut < 0 else self._cut - self._sent
        self._sent += len(framed)
        step = self._device.faults.piece or len(framed)
        for place in range(0, min(left, len(framed)), step):
            self._channel.write(framed[place : min(place + step, left)])
        if 0 <= self._cut <= self._sent:
            self._over = True
            self._rpc.lost()
            self._channel.get_connection().abort()
