"""The messages of OpenADR 2.0b by pull and by XMPP (schema oadr_20b.xsd), and which service takes which."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from heiiki_agent.openadr.binding import element
from heiiki_agent.openadr.events import Event
from heiiki_agent.openadr.parts import (
    Available,
    EiResponse,
    EventResponse,
    Extension,
    MarketContext,
    OptReason,
    OptType,
    Profile,
    QualifiedEventId,
    ServiceInfo,
    Target,
)
from heiiki_agent.openadr.reports import Report, ReportRequest

Transport = Literal["simpleHttp", "xmpp"]
"""oadrTransportName."""


class Message:
    """What stands in an oadrSignedObject: an element of its own name in the namespace of OpenADR."""

    NAME: ClassVar[str]

    def __init_subclass__(cls, **options: object) -> None:
        """Name the element after the class: `Poll` is `oadrPoll`."""
        super().__init_subclass__(**options)
        cls.NAME = f"oadr{cls.__name__}"


@dataclass(frozen=True, kw_only=True)
class Response(Message):
    """Answer that has nothing to say but whether it is well."""

    response: EiResponse = element("ei:eiResponse")
    ven_id: str | None = element("ei:venID", default=None)


@dataclass(frozen=True, kw_only=True)
class QueryRegistration(Message):
    """A VEN asks what the VTN speaks."""

    request_id: str = element("pyld:requestID")


@dataclass(frozen=True, kw_only=True)
class CreatePartyRegistration(Message):
    """A VEN registers; with a registrationID it does so again."""

    request_id: str = element("pyld:requestID")
    registration_id: str | None = element("ei:registrationID", default=None)
    ven_id: str | None = element("ei:venID", default=None)
    profile: Literal["2.0a", "2.0b"] = element("oadr:oadrProfileName", default="2.0b")
    transport: Transport = element("oadr:oadrTransportName", default="simpleHttp")
    address: str | None = element("oadr:oadrTransportAddress", default=None)
    report_only: bool = element("oadr:oadrReportOnly", default=False)
    signature: bool = element("oadr:oadrXmlSignature", default=False)
    ven_name: str | None = element("oadr:oadrVenName", default=None)
    pull: bool | None = element("oadr:oadrHttpPullModel", default=None)


@dataclass(frozen=True, kw_only=True)
class CreatedPartyRegistration(Message):
    """Who the VEN is to this VTN, and how often it should poll."""

    response: EiResponse = element("ei:eiResponse")
    registration_id: str | None = element("ei:registrationID", default=None)
    ven_id: str | None = element("ei:venID", default=None)
    vtn_id: str = element("ei:vtnID")
    profiles: tuple[Profile, ...] = element("oadr:oadrProfiles/oadr:oadrProfile", least=1)
    poll_every: timedelta | None = element("oadr:oadrRequestedOadrPollFreq/xcal:duration", default=None)
    services: tuple[ServiceInfo, ...] = element("oadr:oadrServiceSpecificInfo/oadr:oadrService", default=())
    extensions: tuple[Extension, ...] = element("oadr:oadrExtensions/oadr:oadrExtension", default=())


@dataclass(frozen=True, kw_only=True)
class CancelPartyRegistration(Message):
    """One side ends the registration."""

    request_id: str = element("pyld:requestID")
    registration_id: str = element("ei:registrationID")
    ven_id: str | None = element("ei:venID", default=None)


@dataclass(frozen=True, kw_only=True)
class CanceledPartyRegistration(Message):
    """The registration has ended."""

    response: EiResponse = element("ei:eiResponse")
    registration_id: str | None = element("ei:registrationID", default=None)
    ven_id: str | None = element("ei:venID", default=None)


@dataclass(frozen=True, kw_only=True)
class RequestReregistration(Message):
    """The VTN does not know the VEN any more; it is to register again."""

    ven_id: str = element("ei:venID")


@dataclass(frozen=True, kw_only=True)
class Poll(Message):
    """A VEN asks whether there is something for it."""

    ven_id: str = element("ei:venID")


@dataclass(frozen=True, kw_only=True)
class RequestEvent(Message):
    """A VEN asks for all of its events."""

    request_id: str = element("pyld:eiRequestEvent/pyld:requestID")
    ven_id: str = element("pyld:eiRequestEvent/ei:venID")
    limit: int | None = element("pyld:eiRequestEvent/pyld:replyLimit", default=None)


@dataclass(frozen=True, kw_only=True)
class DistributeEvent(Message):
    """All live events of a VEN: one that it knew and that is absent is cancelled."""

    response: EiResponse | None = element("ei:eiResponse", default=None)
    request_id: str = element("pyld:requestID")
    vtn_id: str = element("ei:vtnID")
    events: tuple[Event, ...] = element("oadr:oadrEvent", default=())


@dataclass(frozen=True, kw_only=True)
class CreatedEvent(Message):
    """What a VEN does about events."""

    response: EiResponse = element("pyld:eiCreatedEvent/ei:eiResponse")
    events: tuple[EventResponse, ...] = element(
        "pyld:eiCreatedEvent/ei:eventResponses/ei:eventResponse", default=()
    )
    ven_id: str = element("pyld:eiCreatedEvent/ei:venID")


@dataclass(frozen=True, kw_only=True)
class CreateOpt(Message):
    """A VEN changes its mind about an event, or says when it is available."""

    opt_id: str = element("ei:optID")
    opt: OptType = element("ei:optType")
    reason: OptReason = element("ei:optReason")
    market_context: MarketContext | None = element("emix:marketContext", default=None)
    ven_id: str = element("ei:venID")
    available: tuple[Available, ...] = element(
        "xcal:vavailability/xcal:components/xcal:available", default=()
    )
    created: datetime = element("ei:createdDateTime")
    request_id: str = element("pyld:requestID")
    event: QualifiedEventId | None = element("ei:qualifiedEventID", default=None)
    target: Target = element("ei:eiTarget", default=Target())
    device_class: Target | None = element("oadr:oadrDeviceClass", default=None)


@dataclass(frozen=True, kw_only=True)
class CreatedOpt(Message):
    """The opt is noted."""

    response: EiResponse = element("ei:eiResponse")
    opt_id: str = element("ei:optID")


@dataclass(frozen=True, kw_only=True)
class CancelOpt(Message):
    """A VEN takes an opt back."""

    request_id: str = element("pyld:requestID")
    opt_id: str = element("ei:optID")
    ven_id: str = element("ei:venID")


@dataclass(frozen=True, kw_only=True)
class CanceledOpt(Message):
    """The opt is taken back."""

    response: EiResponse = element("ei:eiResponse")
    opt_id: str | None = element("ei:optID", default=None)


@dataclass(frozen=True, kw_only=True)
class RegisterReport(Message):
    """What a side can report."""

    request_id: str = element("pyld:requestID")
    reports: tuple[Report, ...] = element("oadr:oadrReport", default=())
    ven_id: str | None = element("ei:venID", default=None)
    report_request_id: str | None = element("ei:reportRequestID", default=None)


@dataclass(frozen=True, kw_only=True)
class RegisteredReport(Message):
    """What it is to report of that."""

    response: EiResponse = element("ei:eiResponse")
    requests: tuple[ReportRequest, ...] = element("oadr:oadrReportRequest", default=())
    ven_id: str | None = element("ei:venID", default=None)


@dataclass(frozen=True, kw_only=True)
class CreateReport(Message):
    """Reports that are asked for."""

    request_id: str = element("pyld:requestID")
    requests: tuple[ReportRequest, ...] = element("oadr:oadrReportRequest", least=1)
    ven_id: str | None = element("ei:venID", default=None)


@dataclass(frozen=True, kw_only=True)
class CreatedReport(Message):
    """Reports that will come."""

    response: EiResponse = element("ei:eiResponse")
    pending: tuple[str, ...] = element("oadr:oadrPendingReports/ei:reportRequestID", default=(), keep=True)
    ven_id: str | None = element("ei:venID", default=None)


@dataclass(frozen=True, kw_only=True)
class UpdateReport(Message):
    """Reports."""

    request_id: str = element("pyld:requestID")
    reports: tuple[Report, ...] = element("oadr:oadrReport", default=())
    ven_id: str | None = element("ei:venID", default=None)


@dataclass(frozen=True, kw_only=True)
class CancelReport(Message):
    """Reports that are no longer wanted."""

    request_id: str = element("pyld:requestID")
    report_request_ids: tuple[str, ...] = element("ei:reportRequestID", least=1)
    to_follow: bool = element("pyld:reportToFollow")
    ven_id: str | None = element("ei:venID", default=None)


@dataclass(frozen=True, kw_only=True)
class CanceledReport(Message):
    """Reports that come all the same."""

    response: EiResponse = element("ei:eiResponse")
    pending: tuple[str, ...] = element("oadr:oadrPendingReports/ei:reportRequestID", default=(), keep=True)
    ven_id: str | None = element("ei:venID", default=None)


@dataclass(frozen=True, kw_only=True)
class UpdatedReport(Message):
    """The reports are kept."""

    response: EiResponse = element("ei:eiResponse")
    cancel: CancelReport | None = element("oadr:oadrCancelReport", default=None)
    ven_id: str | None = element("ei:venID", default=None)


MESSAGES: Mapping[str, type[Message]] = {kind.NAME: kind for kind in Message.__subclasses__()}
"""Class of each message, by the name of its element."""

SERVICES: Mapping[str, tuple[type[Message], ...]] = {
    "EiRegisterParty": (
        QueryRegistration,
        CreatePartyRegistration,
        CancelPartyRegistration,
        CanceledPartyRegistration,
    ),
    "EiEvent": (RequestEvent, CreatedEvent),
    "EiReport": (RegisterReport, CreatedReport, UpdateReport, CanceledReport),
    "EiOpt": (CreateOpt, CancelOpt),
    "OadrPoll": (Poll,),
}
"""What a VTN takes at each of its services, the last part of the path (OpenADR 2.0b, simple HTTP)."""
