"""R-THEFT, live: the Vault servers are one cluster as planned, of which one more may fail.

With one server there is no such verdict: none may fail.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from heiiki.design.associations import THEFT
from heiiki.errors import VaultError
from heiiki.pki.server.members import Member, Membership, Seen
from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.verdicts import Keep, live, summarise, unknown

SUBJECT = "cluster of the Vault servers"
SPARE = 1
"""Servers that must be able to fail."""
_NO_SERVER = "no Vault server is known here that could be asked"
_SETTLED_S, _POLL_S = 25.0, 3.0
"""Who leads looks at the others every ten seconds, so one that has just come back is not seen at once."""

Ask = Callable[[], Membership]
"""Asks every server of the cluster."""


def expected(plan: Plan) -> Iterator[str]:
    """Yield the subject, where the plan has a cluster."""
    if len(plan.pki.servers) > 1:
        yield SUBJECT


def verdicts(
    plan: Plan, keep: Keep, ask: Ask | None, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Verdict]:
    """Yield the verdict, where the plan has a cluster."""
    if not [*expected(plan)]:
        return
    if ask is None:
        yield unknown(THEFT, SUBJECT, _NO_SERVER)
        return
    try:
        found = _settled(plan, ask, sleep)
    except VaultError as error:
        yield unknown(THEFT, SUBJECT, f"the servers could not be asked: {error}")
        return
    evidence = (keep("vault/cluster.txt", "".join(f"{line}\n" for line in _lines(found)).encode()),)
    figure = (float(spare(plan, found)), float(SPARE), "more may fail")
    wrong = [*problems(plan, found)]
    if wrong:
        reason = f"{_may_fail(spare(plan, found))}: {summarise(wrong)}"
        yield live(THEFT, SUBJECT, Result.FAIL, reason, evidence, figure=figure)
    elif found.problem:
        yield unknown(THEFT, SUBJECT, f"the members are not known: {found.problem}", evidence)
    else:
        reason = f"its {len(found.members)} members are the plan's, each votes, one leads; {_may_fail(SPARE)}"
        yield live(THEFT, SUBJECT, Result.PASS, reason, evidence, figure=figure)


def _settled(plan: Plan, ask: Ask, sleep: Callable[[float], None]) -> Membership:
    """Ask, and again while something is wrong that may be put right within seconds."""
    found, waited = ask(), 0.0
    while waited < _SETTLED_S and _may_settle(found) and [*problems(plan, found)]:
        sleep(_POLL_S)
        waited += _POLL_S
        found = ask()
    return found


def _may_settle(found: Membership) -> bool:
    return not any(one.problem for one in found.seen)


def problems(plan: Plan, found: Membership) -> Iterator[str]:
    """Yield everything about the cluster that is not as planned."""
    yield from (one.problem for one in found.seen if one.problem)
    yield from _of_leaders(found.seen)
    yield from _unlike(found.seen)
    if not found.problem:
        yield from _of_members(plan, {one.name: one for one in found.members})


def _of_leaders(seen: tuple[Seen, ...]) -> Iterator[str]:
    leaders = [one.device for one in seen if one.leads]
    if not leaders:
        yield "no server leads, so none answers"
    if len(leaders) > 1:
        yield f"{' and '.join(leaders)} each say that they lead"


def _unlike(seen: tuple[Seen, ...]) -> Iterator[str]:
    for word, values in (
        ("version", {one.device: one.version for one in seen if one.version}),
        ("cluster", {one.device: one.cluster for one in seen if one.cluster}),
    ):
        if len(set(values.values())) > 1:
            usual, _ = Counter(values.values()).most_common(1)[0]
            others = [f"{name} is of {word} {value}" for name, value in values.items() if value != usual]
            yield f"{', '.join(others)}, and others of {usual}"


def _of_members(plan: Plan, members: Mapping[str, Member]) -> Iterator[str]:
    planned = addresses(plan)
    yield from (f"{name} is no member" for name in planned if name not in members)
    for name, one in members.items():
        if name not in planned:
            yield f"{name} at {one.address} is a member, and not of the plan"
        elif one.address != planned[name]:
            yield f"{name} is a member at {one.address}, not {planned[name]}"
        elif not one.votes:
            yield f"{name} does not vote"
        elif not one.healthy:
            yield f"{name} was not heard by the one that leads, or lags behind"


def addresses(plan: Plan) -> Mapping[str, str]:
    """Return where the servers reach each other, by their names."""
    found = {}
    for one in plan.pki.servers:
        server = plan.device(one.device).vault
        if server is not None:
            found[one.device] = f"{server.address}:{server.cluster_port}"
    return found


def spare(plan: Plan, found: Membership) -> int:
    """Return how many more servers may fail before no majority is left; below 0: none is left now.

    Where the members are not known, those of the plan are counted.
    """
    serving = {one.device for one in found.seen if not one.problem}
    voters = {one.name for one in found.members if one.votes} or set(plan.pki.vaults)
    fit = {one.name for one in found.members if one.healthy} or voters
    return len(voters & serving & fit) - (len(voters) // 2 + 1)


def _may_fail(number: int) -> str:
    if number < 0:
        return "there is no majority, and nothing is revoked or certified"
    return f"{number or 'no'} more may fail"


def _lines(found: Membership) -> Iterator[str]:
    for one in found.seen:
        yield f"{one.device}: {one.problem or ('leads' if one.leads else 'follows')}, version {one.version}"
    for member in found.members:
        states = (
            "votes" if member.votes else "does not vote",
            "healthy" if member.healthy else "not healthy",
        )
        yield f"member {member.name} at {member.address}: {', '.join(states)}"
    if found.problem:
        yield f"members: {found.problem}"
