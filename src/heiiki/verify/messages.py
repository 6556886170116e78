"""R-DELAY/messages, live: how long each kind of message takes from end to end, against its table's own bound.

Indirect control (table 5.5): an event of OpenADR that is a test, about which nothing is done, goes to every
controller, is answered, and is cancelled. The times are those that both ends keep in their books, so they
contain the wait for a poll, TLS and the commit at each end; they are by two clocks, which R-SEC-ACCESS/time
holds together. Reports are those that came lately.

Direct control (tables 5.6, 5.8): `heiiki.verify.mms.delays`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from heiiki import vtn_hosts
from heiiki.design.volume import MESSAGES, OPT, REQUEST, RESULT, Message
from heiiki.dispatch import Desk, Order, served
from heiiki.errors import HeiikiError
from heiiki.plan.model import Plan, SitePlan
from heiiki.render import openadr
from heiiki.report.samples import REQUIREMENT, Samples
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.transport import Transport
from heiiki.verify.fleet import Fleet, told
from heiiki.verify.verdicts import Keep, live, unknown
from heiiki_agent.openadr.books import VenBook, VtnBook

_LATELY = timedelta(minutes=5)
"""Reports of that long ago speak for now: several of those that are sent each minute."""
_AGAIN_S = 1.0
INDIRECT, DIRECT = "indirect", "direct"
_NO_VEN = "its controller has no VEN"
_BY_THE_BOOKS = "from commit to commit, by the books of both ends"


@dataclass(frozen=True, slots=True)
class Took:
    """How long a message took, seconds; one that has not arrived, how long it has been on its way.

    Attributes:
        samples: how long each took that is judged and has arrived; the longest is what counts.
        earlier: those before, about which nothing is said.
    """

    seconds: float
    arrived: bool = True
    samples: tuple[float, ...] = ()
    earlier: tuple[float, ...] = ()


Delays = Mapping[str, Took | str]
"""By kind of message; a text: why that is not known."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message of one resource at one site."""

    site: SitePlan
    resource: tuple[str, str]
    message: Message

    @property
    def subject(self) -> str:
        """Subject of its verdict."""
        return f"{self.site.name} {self.resource[0]}: {self.message.what}"

    @property
    def data_type(self) -> tuple[tuple[str, str], Message]:
        """What it has in common with those of other sites: a row of a table."""
        return self.resource, self.message


def kinds(plan: Plan, control: str) -> Iterator[Kind]:
    """Yield each kind of message of each resource under ``direct`` or ``indirect`` control."""
    for site in plan.sites:
        for resource in site.resources:
            if resource[1] == control:
                yield from (Kind(site, resource, one) for one in MESSAGES[resource])


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of the verdicts: each kind of message of each resource."""
    return (one.subject for control in (INDIRECT, DIRECT) for one in kinds(plan, control))


def verdicts(plan: Plan, books: "Books", keep: Keep) -> Iterator[Verdict]:
    """Yield a verdict for each kind of message of OpenADR, by what a test event left in the books."""
    found = {name: books.delays(name) for name in books.trial.sites}
    took = [
        (one, found.get(one.site.name, {}).get(one.message.what, _NO_VEN)) for one in kinds(plan, INDIRECT)
    ]
    yield from judged(took, keep, books.evidence, _BY_THE_BOOKS)


def judged(
    found: Sequence[tuple[Kind, Took | str]],
    keep: Keep,
    evidence: Mapping[str, tuple[Evidence, ...]],
    how: str,
) -> Iterator[Verdict]:
    """Yield a verdict for each kind of message; what each data type took at all sites is kept for it.

    Args:
        found: how long each took, or why that is not known.
        keep: where the delays go.
        evidence: what else a verdict rests on, by site.
        how: between which moments they were measured.
    """
    known: dict[tuple[tuple[str, str], Message], dict[str, Took]] = {}
    for kind, took in found:
        if isinstance(took, Took):
            known.setdefault(kind.data_type, {})[kind.site.name] = took
    kept = {one: _kept(keep, _samples(*one, sites, how)) for one, sites in known.items()}
    for kind, took in found:
        samples = kept[kind.data_type] if isinstance(took, Took) else ()
        rests_on = (*evidence.get(kind.site.name, ()), *samples)
        yield of_kind(kind.subject, kind.message, took, rests_on, how)


def _kept(keep: Keep, samples: Samples) -> tuple[Evidence, ...]:
    return (keep(samples.name, samples.text()),)


def _samples(resource: tuple[str, str], message: Message, took: Mapping[str, Took], how: str) -> Samples:
    return Samples(
        resource=", ".join(resource).replace("_", " "),
        data=message.what,
        within_s=message.within_s,
        how=how,
        judged={site: one.samples for site, one in took.items() if one.samples},
        earlier={site: one.earlier for site, one in took.items() if one.earlier},
        waiting={site: one.seconds for site, one in took.items() if not one.arrived},
    )


def of_kind(
    subject: str,
    message: Message,
    took: Took | str,
    evidence: tuple[Evidence, ...] = (),
    how: str = _BY_THE_BOOKS,
) -> Verdict:
    """Return the verdict on one kind of message; of one on its way, only that it is late can be known."""
    if isinstance(took, str):
        return unknown(REQUIREMENT, subject, took, evidence)
    figure = (round(took.seconds, 3), float(message.within_s), "s")
    if took.arrived:
        result = Result.PASS if took.seconds <= message.within_s else Result.FAIL
        reason = how
    else:
        result = Result.FAIL if took.seconds > message.within_s else Result.UNKNOWN
        reason = "it has not arrived"
    return live(REQUIREMENT, subject, result, reason, evidence, figure=figure)


@dataclass(frozen=True, slots=True)
class Trial:
    """A test event that was sent to every VEN, answered and cancelled.

    Attributes:
        event_id: its name.
        sites: the VEN of each site with indirect control.
        host: of the VTN; empty where it is not known.
        problem: why it was not sent; empty: it was.
    """

    event_id: str
    sites: Mapping[str, str]
    host: str
    problem: str = ""


def vens(plan: Plan) -> dict[str, str]:
    """Return the VEN of each site with a resource under indirect control."""
    return {
        name: ven
        for name, ven in served(plan).items()
        if any(control == INDIRECT for _, control in plan.site(name).resources)
    }


def tried(plan: Plan, transport: Transport) -> Trial:
    """Send a test event to every controller with a VEN, wait for the answers, and cancel it."""
    sites = vens(plan)
    trial = f"verify-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-messages"
    if not sites:
        return Trial(trial, {}, "", "no site has a VEN")
    try:
        _send(Desk(plan, transport), trial, tuple(sites))
        return Trial(trial, sites, vtn_hosts.writer(plan, transport).name)
    except HeiikiError as error:
        return Trial(trial, sites, "", str(error))


@dataclass(frozen=True, slots=True)
class Books:
    """What the books of both ends have of a trial, or why that is not known.

    Attributes:
        vtn: the VTN's.
        vens: the VENs', by site.
        at: when they were read.
        evidence: both, by site.
    """

    trial: Trial
    vtn: VtnBook | str
    vens: Mapping[str, VenBook | str]
    at: datetime
    evidence: Mapping[str, tuple[Evidence, ...]]

    def delays(self, site: str) -> Delays:
        """Return how long the messages of a site's VEN took."""
        own = self.vens.get(site, self.trial.problem)
        if isinstance(self.vtn, str) or isinstance(own, str):
            why = self.vtn if isinstance(self.vtn, str) else own
            return dict.fromkeys((REQUEST, OPT, RESULT), str(why))
        return delays(self.trial.sites[site], self.vtn, own, self.at)


def read(fleet: Fleet, trial: Trial, keep: Keep) -> Books:
    """Read the books of both ends about a trial, and about the reports that came lately."""
    if trial.problem:
        return Books(trial, trial.problem, {}, datetime.now(UTC), {})
    since = f"{datetime.now(UTC) - _LATELY:%Y-%m-%dT%H:%M:%S.%fZ}"
    books = {ven: openadr.book("ven", trial.event_id, since) for ven in trial.sites.values()}
    books[trial.host] = openadr.book("vtn", trial.event_id, since)
    answers = fleet.ask("read", {name: {"commands": {"book": list(one)}} for name, one in books.items()})
    kept = {name: keep(f"messages/{name}.json", answer.raw) for name, answer in answers.items()}
    return Books(
        trial,
        told(VtnBook, answers[trial.host], "book"),
        {name: told(VenBook, answers[ven], "book") for name, ven in trial.sites.items()},
        datetime.now(UTC),
        {name: (kept[trial.host], kept[ven]) for name, ven in trial.sites.items()},
    )


def _send(desk: Desk, trial: str, sites: tuple[str, ...]) -> None:
    """Send the event, wait for its answers as long as one may take, and cancel it whatever happens."""
    start = datetime.now(UTC) + timedelta(hours=1)
    until = time.monotonic() + sum(one.within_s for one in MESSAGES["heat_storage", INDIRECT][:2])
    desk.send(Order(trial, sites, start.isoformat(), "PT1H", 0.0, "SIMPLE", "level", test=True))
    try:
        while desk.show(trial)[0].missing and time.monotonic() < until:
            time.sleep(_AGAIN_S)
    finally:
        desk.cancel(trial)


def delays(ven: str, vtn: VtnBook, own: VenBook, now: datetime) -> Delays:
    """Return how long the messages of one VEN took, by the books of both ends as they are at `now`."""
    ordered = [one.created for one in vtn.versions if ven in one.vens and not one.modification]
    queued = [one.queued for one in own.answers if not one.modification]
    came = [one.received for one in vtn.answers if one.ven_id == ven and not one.modification]
    reports = tuple(_between(one.created, one.received) for one in vtn.reports if one.ven_id == ven)
    none = f"no report has come to the VTN for {_LATELY.total_seconds() / 60:.0f} minutes"
    return {
        REQUEST: _took(ordered, queued, now),
        OPT: _took(queued, came, now),
        RESULT: longest(reports) if reports else none,
    }


def _took(first: Sequence[str], last: Sequence[str], now: datetime) -> Took | str:
    if not first:
        return "there was nothing to send"
    if not last:
        return Took((now - datetime.fromisoformat(first[0])).total_seconds(), arrived=False)
    return longest((_between(first[0], last[0]),))


def longest(seconds: Sequence[float], earlier: Sequence[float] = ()) -> Took | str:
    """Return the longest that some messages took, or that the clocks of both ends do not agree.

    Args:
        seconds: how long each took that is judged.
        earlier: how long those before took; they are left out where the clocks did not agree then.
    """
    if min(seconds) < 0:
        return f"it came {-min(seconds):.3f} s before it was sent: the clocks of both ends differ"
    known = tuple(earlier) if min(earlier, default=0.0) >= 0 else ()
    return Took(max(seconds), samples=tuple(seconds), earlier=known)


def _between(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
