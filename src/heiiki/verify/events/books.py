"""What the books of a VTN, a VEN and its resource say of one another: is anything lost, or there twice?

A VTN on two hosts has two books, which must be equal.

No book is believed alone. An event is lost that one end does not know; doubled is an action that the resource
did twice, under one key or under two. What is on its way is not lost yet: it is `pending`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from heiiki_agent.openadr.books import Act, Answer, Taken, VenBook, Version, VtnBook

Name = tuple[str, int]
"""An event and its version."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found at one site.

    Attributes:
        lost, doubled: what is so, as human-readable text.
        pending: what one end has yet to confirm.
        versions, acts, reports: how many of each are the same at all ends.
    """

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    pending: tuple[str, ...]
    versions: int
    acts: int
    reports: int


@dataclass(slots=True)
class Finding:
    """What is found of the books of one site, as human-readable text."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)

    def count(self, found: int, what: str, place: str) -> None:
        """Note what is not there once."""
        if not found:
            self.lost.append(f"{what}: not at {place}")
        elif found > 1:
            self.doubled.append(f"{what}: {found} times at {place}")


def compared(ven_id: str, vtn: VtnBook, ven: VenBook) -> Compared:
    """Compare the books of a VTN, of one of its VENs and of that VEN's resource."""
    found = Finding()
    versions = [one for one in vtn.versions if ven_id in one.vens]
    taken = [one for one in vtn.answers if one.ven_id == ven_id]
    for one in versions:
        _answers(one, taken, ven.answers, found)
    known = {(one.event_id, one.modification) for one in versions}
    for answer in ven.answers:
        if (answer.event_id, answer.modification) not in known:
            found.lost.append(f"{_said(answer)}: not at the VTN")
    _acts(versions, ven, found)
    _reports(ven_id, vtn, ven, found)
    return Compared(
        tuple(found.lost),
        tuple(found.doubled),
        tuple(found.pending),
        len(versions),
        len(ven.done),
        len(ven.reports),
    )


def kept_twice(host: str, writer: VtnBook, standby: VtnBook) -> Compared:
    """Compare the book of the VTN that counts with the one on its second host, `host`."""
    here, there = frozenset(_entries(writer)), frozenset(_entries(standby))
    return Compared(
        lost=(
            *(f"{one}: not at {host}" for one in sorted(here - there)),
            *(f"{one}: at {host} alone" for one in sorted(there - here)),
        ),
        doubled=(),
        pending=(),
        versions=0,
        acts=0,
        reports=0,
    )


def _entries(book: VtnBook) -> Iterator[str]:
    """Yield all that a VTN has kept, as human-readable text that differs where an entry does."""
    for version in book.versions:
        state = ", cancelled" if version.cancelled else ""
        yield f"{_said(version)} of {version.created} to {', '.join(version.vens)}{state}"
    for taken in book.answers:
        yield f"{taken.opt} of {taken.ven_id} to {_said(taken)}, received {taken.received}"
    for report in book.reports:
        yield f"report of {report.ven_id} of {report.created} ({report.digest}), received {report.received}"


def _said(one: Version | Answer | Taken | Act) -> str:
    return f"{one.event_id} version {one.modification}"


def _answers(one: Version, at_vtn: Iterable[Taken], at_ven: Iterable[Answer], found: Finding) -> None:
    name = (one.event_id, one.modification)
    taken = [answer for answer in at_vtn if (answer.event_id, answer.modification) == name]
    given = [answer for answer in at_ven if (answer.event_id, answer.modification) == name]
    if any(answer.state == "pending" for answer in given) or not (taken or given):
        found.pending.append(f"{_said(one)}: its answer")
        return
    found.count(len(given), _said(one), "the VEN")
    found.count(len(taken), f"answer to {_said(one)}", "the VTN")
    if taken and given and taken[0].opt != given[0].opt:
        found.lost.append(f"{_said(one)}: {given[0].opt} at the VEN, {taken[0].opt} at the VTN")
    found.lost += [f"answer to {_said(one)}: {answer.state}" for answer in given if answer.state != "done"]


def _acts(versions: Iterable[Version], ven: VenBook, found: Finding) -> None:
    opts = {(one.event_id, one.modification): one.opt for one in ven.answers}
    planned = {(one.event_id, one.modification, one.kind): one for one in ven.acts}
    done = Counter((one.event_id, one.kind) for one in ven.done)
    wanted = dict(_wanted(versions, opts))
    for (event_id, modification), kind in wanted.items():
        what = f"{kind} {event_id}"
        act = planned.get((event_id, modification, kind))
        if act is None:
            found.lost.append(f"{what}: not at the VEN")
        elif not act.done:
            found.pending.append(f"{what}: at the resource")
        else:
            found.count(done[event_id, kind], what, "the resource")
    expected = {(event_id, kind) for (event_id, _), kind in wanted.items()}
    found.doubled += [
        f"{kind} {event_id}: done, and was not to be"
        for event_id, kind in sorted(set(done) - expected)
        if not any(one.event_id == event_id and one.kind == kind for one in ven.acts if not one.done)
    ]


def _wanted(versions: Iterable[Version], opts: dict[Name, str]) -> Iterator[tuple[Name, str]]:
    """Yield what the resource has to do about each version that was answered."""
    takes_part: set[str] = set()
    for one in sorted(versions, key=lambda version: (version.event_id, version.modification)):
        opt = opts.get((one.event_id, one.modification))
        if one.test or opt is None:
            continue
        if one.cancelled and one.event_id in takes_part:
            yield (one.event_id, one.modification), "withdraw"
        elif not one.cancelled and opt == "optIn":
            takes_part.add(one.event_id)
            yield (one.event_id, one.modification), "perform"


def _reports(ven_id: str, vtn: VtnBook, ven: VenBook, found: Finding) -> None:
    here = Counter((one.created, one.digest) for one in ven.reports)
    there = Counter((one.created, one.digest) for one in vtn.reports if one.ven_id == ven_id)
    states = {(one.created, one.digest): one.state for one in ven.reports}
    for name in sorted(set(here) | set(there)):
        what = f"report of {name[0]}"
        if states.get(name) == "pending":
            found.pending.append(f"{what}: its confirmation")
            continue
        found.count(here[name], what, "the VEN")
        found.count(there[name], what, "the VTN")
