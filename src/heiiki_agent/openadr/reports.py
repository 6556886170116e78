"""Reports (OpenADR 2.0b, service EiReport; schemas oadr_ei_20b.xsd and oadr_20b.xsd)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from heiiki_agent.openadr.binding import element
from heiiki_agent.openadr.parts import MarketContext, Target
from heiiki_agent.openadr.units import Item

ReportName = Annotated[
    str, r"(METADATA_)?(HISTORY_USAGE|HISTORY_GREENBUTTON|TELEMETRY_USAGE|TELEMETRY_STATUS)|x-\S.*"
]
REPORT_TYPES = (
    r"reading|usage|demand|setPoint|deltaUsage|deltaSetPoint|deltaDemand|baseline|deviation|avgUsage|avgDemand"
    r"|operatingState|upRegulationCapacityAvailable|downRegulationCapacityAvailable|regulationSetpoint"
    r"|storedEnergy|targetEnergyStorage|availableEnergyStorage|price|level|powerFactor|percentUsage"
    r"|percentDemand|x-\S.*"
)
ReportType = Annotated[str, REPORT_TYPES]
ReadingType = Annotated[
    str,
    r"Direct Read|Net|Allocated|Estimated|Summed|Derived|Mean|Peak|Hybrid|Contract|Projected|x-\S.*",
]
DataQuality = Annotated[
    str,
    r"No Quality - No Value|No New Value - Previous Value Used|x-\S.*"
    r"|Quality Bad - (Non Specific|Configuration Error|Not Connected|Device Failure|Sensor Failure"
    r"|Last Known Value|Comm Failure|Out of Service)"
    r"|Quality Uncertain - (Non Specific|Last Usable Value|Sensor Not Accurate|EU Units Exceeded|Sub Normal)"
    r"|Quality Good - (Non Specific|Local Override)|Quality Limit - Field/(Not|Low|High|Constant)",
]
Confidence = Annotated[int, r"[0-9]{1,2}|100"]


@dataclass(frozen=True, kw_only=True)
class PayloadFloat:
    """A measured value."""

    TAGS: ClassVar[tuple[str, ...]] = ("ei:payloadFloat",)
    element_name: ClassVar[str] = TAGS[0]

    value: float = element("ei:value")


@dataclass(frozen=True, kw_only=True)
class LoadControl:
    """A state of load control: bounds, what is, what is usual."""

    least: float | None = element("oadr:oadrMin", default=None)
    most: float | None = element("oadr:oadrMax", default=None)
    current: float = element("oadr:oadrCurrent")
    normal: float | None = element("oadr:oadrNormal", default=None)


@dataclass(frozen=True, kw_only=True)
class LoadControlState:
    """What can be controlled of a load, and how it is set (oadrLoadControlState)."""

    capacity: LoadControl | None = element("oadr:oadrCapacity", default=None)
    level_offset: LoadControl | None = element("oadr:oadrLevelOffset", default=None)
    percent_offset: LoadControl | None = element("oadr:oadrPercentOffset", default=None)
    set_point: LoadControl | None = element("oadr:oadrSetPoint", default=None)


@dataclass(frozen=True, kw_only=True)
class ResourceStatus:
    """State of a resource (oadrPayloadResourceStatus)."""

    TAGS: ClassVar[tuple[str, ...]] = ("oadr:oadrPayloadResourceStatus",)
    element_name: ClassVar[str] = TAGS[0]

    online: bool = element("oadr:oadrOnline")
    manual_override: bool = element("oadr:oadrManualOverride")
    load_control: LoadControlState | None = element("oadr:oadrLoadControlState", default=None)


@dataclass(frozen=True, kw_only=True)
class ReportPayload:
    """One value of a report (oadrReportPayload)."""

    r_id: str = element("ei:rID")
    confidence: Confidence | None = element("ei:confidence", default=None)
    accuracy: float | None = element("ei:accuracy", default=None)
    value: PayloadFloat | ResourceStatus = element("ei:payloadBase")
    quality: DataQuality | None = element("oadr:oadrDataQuality", default=None)


@dataclass(frozen=True, kw_only=True)
class ReportInterval:
    """Values of one moment or span."""

    start: datetime | None = element("xcal:dtstart/xcal:date-time", default=None)
    duration: timedelta | None = element("xcal:duration/xcal:duration", default=None)
    uid: str | None = element("xcal:uid/xcal:text", default=None)
    payloads: tuple[ReportPayload, ...] = element("oadr:oadrReportPayload", least=1)


@dataclass(frozen=True, kw_only=True)
class SamplingRate:
    """How often a VEN can measure (oadrSamplingRate)."""

    least: timedelta = element("oadr:oadrMinPeriod")
    most: timedelta = element("oadr:oadrMaxPeriod")
    on_change: bool = element("oadr:oadrOnChange")


@dataclass(frozen=True, kw_only=True)
class ReportDescription:
    """One data point that a VEN offers (oadrReportDescription)."""

    r_id: str = element("ei:rID")
    subject: Target | None = element("ei:reportSubject", default=None)
    source: Target | None = element("ei:reportDataSource", default=None)
    kind: ReportType = element("ei:reportType")
    item: Item | None = element("emix:itemBase", default=None)
    reading: ReadingType = element("ei:readingType")
    market_context: MarketContext | None = element("emix:marketContext", default=None)
    sampling: SamplingRate | None = element("oadr:oadrSamplingRate", default=None)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a VEN offers (METADATA), or what it measured (oadrReport)."""

    start: datetime | None = element("xcal:dtstart/xcal:date-time", default=None)
    duration: timedelta | None = element("xcal:duration/xcal:duration", default=None)
    intervals: tuple[ReportInterval, ...] = element("strm:intervals/ei:interval", default=())
    report_id: str | None = element("ei:eiReportID", default=None)
    descriptions: tuple[ReportDescription, ...] = element("oadr:oadrReportDescription", default=())
    request_id: str = element("ei:reportRequestID")
    specifier_id: str = element("ei:reportSpecifierID")
    name: ReportName | None = element("ei:reportName", default=None)
    created: datetime = element("ei:createdDateTime")


@dataclass(frozen=True, kw_only=True)
class SpecifierPayload:
    """One data point that is asked for."""

    r_id: str = element("ei:rID")
    item: Item | None = element("emix:itemBase", default=None)
    reading: ReadingType = element("ei:readingType")


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """What a VTN asks a VEN to report (oadrReportRequest).

    Attributes:
        granularity: time between two values; zero: on change.
        report_back: time between two reports; zero: once.
        start, duration: the span that is reported.
    """

    request_id: str = element("ei:reportRequestID")
    specifier_id: str = element("ei:reportSpecifier/ei:reportSpecifierID")
    granularity: timedelta = element("ei:reportSpecifier/xcal:granularity/xcal:duration")
    report_back: timedelta = element("ei:reportSpecifier/ei:reportBackDuration/xcal:duration")
    start: datetime | None = element(
        "ei:reportSpecifier/ei:reportInterval/xcal:properties/xcal:dtstart/xcal:date-time", default=None
    )
    duration: timedelta | None = element(
        "ei:reportSpecifier/ei:reportInterval/xcal:properties/xcal:duration/xcal:duration", default=None
    )
    payloads: tuple[SpecifierPayload, ...] = element("ei:reportSpecifier/ei:specifierPayload", least=1)

    def __post_init__(self) -> None:
        """Hold it to the schema."""
        if (self.start is None) != (self.duration is None):
            raise ValueError("a reportInterval has a start and a duration")
