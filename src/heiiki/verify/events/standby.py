"""R-EVENT/standby, live: the two hosts of a VTN agree who writes, and the standby has the whole book.

A host that writes alone answers, and a standby without the whole book answers no one: neither is seen at the
VENs, and the next loss would be one of what was answered.
"""

from collections.abc import Iterator, Mapping, Sequence

from heiiki.plan.model import Plan, Role
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.verdicts import live, summarise, unknown
from heiiki_agent.openadr.statuses import DoubledState, VtnStatus

REQUIREMENT = "R-EVENT/standby"
SUBJECT = "both hosts of the VTN"
_ONE = "the service has one host of the VTN (`dras_hosts`)"

Said = Mapping[str, object]
"""Status of each end by its device: of a host of the VTN a `VtnStatus`, or why it is not known."""


def servers(plan: Plan) -> tuple[str, ...]:
    """Return the hosts of the VTN that are in service."""
    return tuple(device.name for device in plan.managed() if device.vtn is not None)


def writer(hosts: Sequence[str], said: Said) -> str | None:
    """Return the host that answers; None where none says that it does. One host alone always does."""
    if len(hosts) == 1:
        return hosts[0]
    found = {name: state for name in hosts if (state := _state(said[name])) and state.writer == state.host}
    return max(found, key=lambda name: found[name].epoch, default=None)


def wrong(hosts: Sequence[str], said: Said) -> Iterator[str]:
    """Yield what is not as it should be between two hosts, as far as they say how they stand."""
    states = {}
    for name in hosts:
        if not isinstance(said[name], VtnStatus):
            continue
        state = _state(said[name])
        if state is None:
            yield f"{name} does not keep the book with a second host"
        else:
            states[name] = state
    for name, state in states.items():
        if state.problem or not state.counts:
            yield f"{name}: {state.problem or 'the standby does not have the whole book'}"
    if len({(one.epoch, one.writer) for one in states.values()}) > 1:
        yield "; ".join(f"{name} is in epoch {one.epoch} of {one.writer}" for name, one in states.items())


def verdict(plan: Plan, said: Said, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict on both hosts.

    Args:
        plan: the service.
        said: the status of each of its hosts, or why it is not known.
        evidence: that this is from.
    """
    hosts = servers(plan)
    if len(hosts) < 2:  # noqa: PLR2004  # a pair
        return live(REQUIREMENT, SUBJECT, Result.NOT_APPLICABLE, _why_not_two(plan, hosts))
    if problems := list(wrong(hosts, said)):
        return live(REQUIREMENT, SUBJECT, Result.FAIL, summarise(problems), evidence)
    if unread := [str(said[name]) for name in hosts if not isinstance(said[name], VtnStatus)]:
        return unknown(REQUIREMENT, SUBJECT, summarise(unread), evidence)
    writes = writer(hosts, said)
    if writes is None:
        return live(REQUIREMENT, SUBJECT, Result.FAIL, "neither host writes", evidence)
    other = next(name for name in hosts if name != writes)
    reason = f"{writes} writes, and {other} has the whole book"
    return live(REQUIREMENT, SUBJECT, Result.PASS, reason, evidence)


def _why_not_two(plan: Plan, hosts: Sequence[str]) -> str:
    out = [one.name for one in plan.devices if one.role is Role.DRAS_SERVER and one.revoked]
    if not hosts:
        return "the service has no VTN"
    return f"{', '.join(out)} is revoked" if out else _ONE


def _state(said: object) -> DoubledState | None:
    states = said.vtns.values() if isinstance(said, VtnStatus) else ()
    return next((one.doubled for one in states if one.doubled), None)
