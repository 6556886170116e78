"""What the plan asks of a CE router, and how a platform answers: facts, each with its source."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Need(StrEnum):
    """One thing that the plan asks of a site's CE router, in the words of the verdicts."""

    SUPERVISION = "supervision of paths"
    VIRTUAL_GATEWAY = "virtual gateway"
    LAN_WATCH = "watch of the LAN"
    FILTERS = "filters of BGP"
    FORWARDING = "filter of what is forwarded"
    SOURCES = "filter of sources"
    BUDGETS = "a budget for each source"
    SESSION_KEYS = "keys of BGP"
    ONE_HOP = "peers on the link alone"
    STATIONS = "stations of the LAN"
    CERTIFICATE = "IKEv2 by certificate"
    SUITES = "suites of IKEv2 and ESP"
    TUNNEL = "GRE in transport-mode ESP"
    NO_CLEAR = "no GRE outside of ESP"
    RENEWAL = "renewal of the certificate"
    ENROLMENT = "enrolment by EST"
    REVOCATION = "revocation lists"
    TIME = "authenticated time"
    QUEUES = "queues of the line"
    MANAGEMENT = "management apart"


ENDANGERED: Mapping[Need, tuple[str, ...]] = {
    Need.SUPERVISION: ("R-GAP",),
    Need.VIRTUAL_GATEWAY: ("R-GAP",),
    Need.LAN_WATCH: ("R-GAP",),
    Need.FILTERS: ("R-ISO-SITE", "R-ISO-MALICE/control"),
    Need.FORWARDING: ("R-ISO-SITE",),
    Need.SOURCES: ("R-ISO-MALICE",),
    Need.BUDGETS: ("R-ISO-MALICE/flood",),
    Need.SESSION_KEYS: ("R-ISO-MALICE/control",),
    Need.ONE_HOP: ("R-ISO-MALICE/control", "R-DUAL"),
    Need.STATIONS: ("R-ISO-MALICE/layer-2",),
    Need.CERTIFICATE: ("R-SEC-ACCESS", "R-DUAL"),
    Need.SUITES: ("R-SEC-ACCESS", "R-DUAL"),
    Need.TUNNEL: ("R-SEC-ACCESS", "R-DUAL"),
    Need.NO_CLEAR: ("R-SEC-ACCESS",),
    Need.RENEWAL: ("R-SEC-ACCESS",),
    Need.ENROLMENT: ("R-SEC-ACCESS/enrolment",),
    Need.REVOCATION: ("R-THEFT", "R-DUAL"),
    Need.TIME: ("R-SEC-ACCESS/time",),
    Need.QUEUES: ("R-DELAY/load",),
    Need.MANAGEMENT: ("R-CLOSED",),
}
"""The requirements that a need serves: R-DUAL where without it network A has no tunnel at all."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What public references say of one need.

    Attributes:
        holds: whether the platform does it; None: no reference says.
        says: what it has, or what it lacks, for the verdict.
        source: where that is written.
        shown: patterns that the rendered text must match, or the fact is not in what is sent.
    """

    holds: bool | None
    says: str
    source: str
    shown: tuple[str, ...] = ()


def has(says: str, source: str, *shown: str) -> Fact:
    """Return the fact that a platform has what is asked for."""
    return Fact(holds=True, says=says, source=source, shown=shown)


def lacks(says: str, source: str) -> Fact:
    """Return the fact that a platform has not what is asked for."""
    return Fact(holds=False, says=says, source=source)


def unsaid(says: str, source: str) -> Fact:
    """Return the fact that no public reference says whether a platform has what is asked for."""
    return Fact(holds=None, says=says, source=source)


@dataclass(frozen=True, slots=True)
class Ports:
    """Names that the plan's interfaces have on a platform.

    Attributes:
        access: the line to the PE.
        management: the port that is in neither of the closed networks.
    """

    access: str
    lan: str
    tunnel: str
    loopback: str
    management: str


@dataclass(frozen=True, slots=True)
class Timers:
    """How a platform's file writes what notices a failure: patterns, with ``{address}`` and ``{port}`` in.

    An empty one: the platform has no such thing. Figures are groups of each pattern, in its own unit.

    Attributes:
        session: tells that BFD decides over the session with `address`.
        bfd: interval, ms, and multiplier, of that session or of the port that it uses.
        hold: hold time of the session, s.
        advertisement: VRRP's advertisement interval.
        advertisement_s: its unit, s.
        priority: VRRP's priority.
        probe: interval of the LAN watch, s, and how long it waits for an answer, ms.
        route: how often it is looked whether the way to the other side is there, ms; without a group at once.
        liveness: after how many seconds of silence an IKE peer is asked, and how far apart; where
            `liveness_tries` is 0, every how many seconds it is asked, and how often in vain.
        liveness_tries: how many questions an IKE peer may leave unanswered.
        mtu: of the tunnel, octets.
    """

    session: str = ""
    bfd: str = ""
    hold: str = ""
    advertisement: str = ""
    advertisement_s: float = 1.0
    priority: str = ""
    probe: str = ""
    route: str = ""
    liveness: str = ""
    liveness_tries: int = 0
    mtu: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """A vendor's platform in the role of a site's CE router.

    Attributes:
        name: as the intent writes it.
        title: as people call it.
        file: name of the file that is compiled for it.
        algorithms: its words for those of the plan's suites; what is missing, it does not have.
        timers: where its file says how soon it notices something.
        facts: one for each need.
    """

    name: str
    title: str
    file: str
    ports: Ports
    algorithms: Mapping[str, str]
    timers: Timers
    facts: Mapping[Need, Fact]
