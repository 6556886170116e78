"""One association with a site's controller: opened for one purpose, and closed after it.

So an order is given to one whose certificate is good by the newest lists, and no session outlives it.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Annotated, Literal, TypeVar

from open61850.data import BitStringData, IECData, IntData, StructureData, TimestampData
from open61850.mms import MmsClient, MmsError, ObjectName, Origin, operate
from open61850.mms.association import association_request, decode_association_response
from open61850.mms.control import CTL_MODEL_DIRECT_NORMAL, OR_CAT_REMOTE_CONTROL, ControlError
from open61850.mms.transport import IsoConnection, TransportError, connection_request, recv_tpkt, send_tpkt
from open61850.server import IedModel
from open61850.server.model import to_data

from heiiki_agent.errors import AgentError
from heiiki_agent.mms import references as ref
from heiiki_agent.mms.bridge import Bridge
from heiiki_agent.mms.frames import FrameError, refused
from heiiki_agent.mms.orders import Order, Schedule, SetPoint
from heiiki_agent.mms.secured import Secured
from heiiki_agent.tls import Credentials, client_context

CONNECT_S, WHOLE_S = 3.0, 10.0
_COTP_CONFIRM = 0xD0
_UNITS = {33: "Hz", 62: "W", 63: "var", 72: "Wh"}
"""Units by their SIUnit (IEC 61850-7-3)."""
_VALID = 0xC0
"""The two bits of a quality that are zero where a value is good."""
FAILED = (OSError, MmsError, AgentError, ValueError, LookupError)
"""What an association may end with."""
_T = TypeVar("_T")


class AwayError(AgentError):
    """A site cannot be asked, or did not answer: what it did is not known."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report that a site sends by itself.

    Attributes:
        name: its control block.
        every_s: how often, whether something has changed or not; 0: when it has.
    """

    name: Literal["measurement", "event", "schedule"]
    every_s: Annotated[int, range(86_401)] = 0


@dataclass(frozen=True, kw_only=True)
class Site:
    """A controller.

    Attributes:
        name: what the operator calls it.
        certificate_name: the DNS name in its certificate.
        address, port: where it listens.
        model: SCL file of what it offers.
        reports: what it is to send by itself.
    """

    name: str
    certificate_name: str
    address: Annotated[str, IPv4Address]
    port: Annotated[int, range(1, 65_536)]
    model: str
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Value:
    """What a site measures.

    Attributes:
        name: data object.
        good: its quality says so.
        at: when it was measured, UTC.
    """

    name: str
    value: float
    unit: str
    good: bool
    at: str


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How a site's resource is.

    Attributes:
        set_point_w: power that was ordered last, watts.
        set_point_order, schedule_order: the orders; empty: there was none.
    """

    values: tuple[Value, ...]
    set_point_w: float
    set_point_order: str
    schedule_order: str


class Client(MmsClient):
    """The library's client, on a connection that is there already."""

    @classmethod
    def on(cls, line: socket.socket) -> "Client":
        """Associate by `line`.

        Raises:
            TransportError: the other side does not.
        """
        line.settimeout(WHOLE_S)
        send_tpkt(line, connection_request())
        confirm = recv_tpkt(line) or b""
        if refused(confirm):
            raise TransportError("it lets in no one of this name (COTP disconnect request)")
        if len(confirm) < 2 or confirm[1] & 0xF0 != _COTP_CONFIRM:  # noqa: PLR2004 - two bytes
            raise TransportError("it confirmed no connection")
        connection = IsoConnection(line)
        connection.send(association_request())
        answer = connection.recv()
        if answer is None:
            raise TransportError("it closed the connection")
        line.settimeout(None)
        client = cls(connection, request_timeout=WHOLE_S, association=decode_association_response(answer))
        client._start()
        return client


class Session:
    """An association that stands."""

    def __init__(self, client: MmsClient, model: IedModel) -> None:
        """Speak by `client` of what `model` has."""
        self._client, self._model = client, model

    def order(self, order: Order) -> int | None:
        """Give an order, and return its answer: None for done, or an additional cause.

        Raises:
            MmsError: there was no answer.
        """
        if isinstance(order, Schedule):
            self._write(order)
        origin = Origin(OR_CAT_REMOTE_CONTROL, order.order_id.encode())
        what, value = _operated(order)
        try:
            operate(self._client, what, value, origin=origin, ctl_model=CTL_MODEL_DIRECT_NORMAL)
        except ControlError as error:
            if error.last_appl_error is None:
                raise
            return error.last_appl_error.add_cause
        return None

    def _write(self, order: Schedule) -> None:
        values = ref.schedule_values(order)
        names = [ref.name(item) for item in values]
        data = [self._typed(name, value) for name, value in zip(names, values.values(), strict=True)]
        for error in self._client.write_many(names, data):
            if error is not None:
                raise error

    def _typed(self, name: ObjectName, value: object) -> IECData:
        node = self._model.node(name)
        if node is None:
            raise MmsError(f"{name} is not in the model")
        return to_data(node.mms_type, value)

    def show(self) -> Shown:
        """Read what the site measures, and what it was ordered last.

        Raises:
            MmsError: there was no answer.
            ValueError: it was none that the model has.
        """
        measured = self._model.data_sets[ref.MEASUREMENT]
        orders = map(ref.name, ("DWGC1$MX$WSpt$mxVal", "DWGC1$MX$WSpt$origin", "FSCH1$ST$EnaReq$origin"))
        *found, power, by, schedule = self._client.read_many([*measured, *orders])
        return Shown(
            values=tuple(self._value(name, one) for name, one in zip(measured, found, strict=True)),
            set_point_w=ref.number(power),
            set_point_order=ref.order_id(by),
            schedule_order=ref.order_id(schedule),
        )

    def _value(self, name: ObjectName, found: object) -> Value:
        if not isinstance(found, StructureData):
            raise ref.NotInModelError(f"{name}: {found}")
        magnitude, quality, moment = found.members[:3]
        if not isinstance(quality, BitStringData) or not isinstance(moment, TimestampData):
            raise ref.NotInModelError(f"{name}: is no measured value")
        node, _, data_object = name.item.split("$")
        unit = self._model.get(ref.name(f"{node}$CF${data_object}$units$SIUnit"))
        return Value(
            name=f"{node}.{data_object}",
            value=ref.number(magnitude),
            unit=_UNITS.get(unit.value, "") if isinstance(unit, IntData) else "",
            good=not quality.value[0] & _VALID,
            at=f"{moment.value:%Y-%m-%dT%H:%M:%SZ}",
        )


def _operated(order: Order) -> tuple[str, IECData | bool]:
    if isinstance(order, SetPoint):
        return ref.SET_POINT, ref.analogue(order.power_w)
    return ref.SCHEDULE, True


async def used(site: Site, model: IedModel, credentials: Credentials, use: Callable[[Session], _T]) -> _T:
    """Associate with a site, have `use` do its work in a thread, and hang up.

    Raises:
        AwayError: it cannot be reached, refuses us, is not who it should be, or did not answer.
    """
    try:
        async with asyncio.timeout(2 * WHOLE_S), bridged(site, credentials) as line:
            return await asyncio.to_thread(_use, line.library, model, use)
    except TimeoutError as error:
        raise AwayError(f"{site.name}: no answer within {2 * WHOLE_S:g} s") from error
    except FAILED as error:
        raise AwayError(f"{site.name}: {cause(error)}") from error


def _use(line: socket.socket, model: IedModel, use: Callable[[Session], _T]) -> _T:
    try:
        client = Client.on(line)
        try:
            return use(Session(client, model))
        finally:
            client.close()
    finally:
        line.close()


@dataclass(frozen=True, slots=True)
class Line:
    """A connection that stands.

    Attributes:
        library: the library's end of it.
        carrying: what carries it; over when it has ended.
    """

    library: socket.socket
    carrying: asyncio.Task[None]


@asynccontextmanager
async def bridged(site: Site, credentials: Credentials) -> AsyncIterator[Line]:
    """Give a new connection; what ended that one is told rather than what followed from it."""
    context = client_context(credentials)
    async with asyncio.timeout(CONNECT_S):
        reader, writer = await asyncio.open_connection(site.address, site.port)
    tcp = writer.get_extra_info("socket")
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(WHOLE_S * 1000))
    secured = Secured(reader, writer, context, site.certificate_name)
    try:
        await secured.handshake()
    except BaseException:
        await secured.close()
        raise
    bridge = Bridge(secured)
    carrying = asyncio.create_task(bridge.carry())
    try:
        yield Line(bridge.library, carrying)
    except (OSError, MmsError) as error:
        await asyncio.wait([carrying], timeout=CONNECT_S)
        ended = carrying.exception() if carrying.done() and not carrying.cancelled() else None
        raise (ended or error) from error
    finally:
        carrying.cancel()
        with suppress(asyncio.CancelledError, OSError, FrameError):
            await carrying


def cause(error: BaseException) -> str:
    """Return what went wrong, as an operator may read it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"
    return str(error) or type(error).__name__
