"""What each end has kept of events, opts and reports, as the program `book` writes it and others read it.

Names of events and actions are those of the tables; times are texts as `kept.stored` writes them.
"""

from dataclasses import dataclass

from heiiki_agent.resource_socket import Done


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of an event, at the VTN.

    Attributes:
        created: when it was ordered.
        cancelled: it cancels the event.
        test: nothing is done about it.
        vens: who gets it.
    """

    event_id: str
    modification: int
    created: str
    cancelled: bool
    test: bool
    vens: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A VEN's answer to a version, at the VTN."""

    ven_id: str
    event_id: str
    modification: int
    opt: str
    received: str


@dataclass(frozen=True, kw_only=True)
class Received:
    """A report, at the VTN; time of measurement and content tell it from every other."""

    ven_id: str
    created: str
    digest: str
    received: str


@dataclass(frozen=True, kw_only=True)
class VtnBook:
    """What a VTN has kept."""

    versions: tuple[Version, ...]
    answers: tuple[Taken, ...]
    reports: tuple[Received, ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer to a version, at the VEN.

    Attributes:
        queued: when it was decided.
        state: `pending` until the VTN has confirmed it, then `done`, or `refused`.
    """

    event_id: str
    modification: int
    opt: str
    queued: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Act:
    """What the resource was to do about a version.

    Attributes:
        key: the name under which it was handed over.
        kind: `perform` or `withdraw`.
        done: the resource has taken it.
    """

    key: str
    event_id: str
    modification: int
    kind: str
    done: bool


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A report, at the VEN; `state` as of an answer."""

    created: str
    digest: str
    state: str


@dataclass(frozen=True, kw_only=True)
class VenBook:
    """What a VEN has kept, and what its resource has.

    Attributes:
        done: nothing while it is not known.
        problem: why it is not known what the resource did; None: it is.
    """

    answers: tuple[Answer, ...]
    acts: tuple[Act, ...]
    reports: tuple[Sent, ...]
    done: tuple[Done, ...]
    problem: str | None
