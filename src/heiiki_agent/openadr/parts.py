"""Parts of messages that several services have in common (OpenADR 2.0b, oadr_ei_20b.xsd, oadr_20b.xsd)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from heiiki_agent.openadr.binding import element
from heiiki_agent.openadr.errors import Code

ResponseCode = Annotated[str, r"[0-9]{3}"]
OptType = Literal["optIn", "optOut"]
MarketContext = Annotated[str, r"([A-Za-z][A-Za-z0-9+.-]*:)?[A-Za-z0-9._~/?@!$&'()*+,;=-]*"]
OptReason = Annotated[
    str,
    r"economic|emergency|mustRun|notParticipating|outageRunStatus|overrideStatus|participating|x-\S.*",
]


@dataclass(frozen=True, kw_only=True)
class EiResponse:
    """How a request was taken.

    Attributes:
        code: 200 or an error, as in `Code`.
        request_id: of the request that this answers; empty if it had none.
    """

    code: ResponseCode = element("ei:responseCode", default=Code.OK)
    description: str | None = element("ei:responseDescription", default=None)
    request_id: str = element("pyld:requestID", default="", keep=True)


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device or meter by its master resource identifier (IEC 61968)."""

    mrid: str = element("power:mrid")


@dataclass(frozen=True, kw_only=True)
class Target:
    """To whom something applies; without anything: to the VEN as a whole."""

    devices: tuple[Device, ...] = element("power:endDeviceAsset", default=())
    meters: tuple[Device, ...] = element("power:meterAsset", default=())
    groups: tuple[str, ...] = element("ei:groupID", default=())
    group_names: tuple[str, ...] = element("ei:groupName", default=())
    resources: tuple[str, ...] = element("ei:resourceID", default=())
    vens: tuple[str, ...] = element("ei:venID", default=())
    parties: tuple[str, ...] = element("ei:partyID", default=())


@dataclass(frozen=True, kw_only=True)
class Empty:
    """An element that the schema demands and that holds nothing."""


@dataclass(frozen=True, kw_only=True)
class QualifiedEventId:
    """One version of an event."""

    event_id: str = element("ei:eventID")
    modification: int = element("ei:modificationNumber")


@dataclass(frozen=True, kw_only=True)
class EventResponse:
    """What a VEN does about one version of an event.

    Attributes:
        request_id: of the oadrDistributeEvent that brought it.
    """

    code: ResponseCode = element("ei:responseCode", default=Code.OK)
    description: str | None = element("ei:responseDescription", default=None)
    request_id: str = element("pyld:requestID")
    event: QualifiedEventId = element("ei:qualifiedEventID")
    opt: OptType = element("ei:optType")


@dataclass(frozen=True, kw_only=True)
class Available:
    """A span in which the opt of a schedule holds."""

    start: datetime = element("xcal:properties/xcal:dtstart/xcal:date-time")
    duration: timedelta = element("xcal:properties/xcal:duration/xcal:duration")


@dataclass(frozen=True, kw_only=True)
class Transport:
    """A way that messages take."""

    name: Literal["simpleHttp", "xmpp"] = element("oadr:oadrTransportName")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A profile of OpenADR, and the transports that it is spoken over."""

    name: Literal["2.0a", "2.0b"] = element("oadr:oadrProfileName")
    transports: tuple[Transport, ...] = element("oadr:oadrTransports/oadr:oadrTransport", least=1)


@dataclass(frozen=True, kw_only=True)
class Info:
    """A key and its value (oadrInfo)."""

    key: str = element("oadr:oadrKey")
    value: str = element("oadr:oadrValue")


@dataclass(frozen=True, kw_only=True)
class ServiceInfo:
    """What a VTN says of one of its services (oadrService)."""

    name: Literal["EiEvent", "EiOpt", "EiReport", "EiRegisterParty", "OadrPoll"] = element(
        "oadr:oadrServiceName"
    )
    infos: tuple[Info, ...] = element("oadr:oadrInfo", least=1)


@dataclass(frozen=True, kw_only=True)
class Extension:
    """An extension of a VTN (oadrExtension)."""

    name: str = element("oadr:oadrExtensionName")
    infos: tuple[Info, ...] = element("oadr:oadrInfo", default=())
