"""R-CLOSED on paper: the management network is no way into the closed networks."""

from collections import defaultdict
from collections.abc import Iterator

from heiiki.plan.model import Device, ManagementAccess, Plan
from heiiki.requirements import Result, Stage, Verdict

WIDEST_SOURCE = 16
"""Shortest prefix from which SSH may be open."""


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield one verdict where devices are reached from outside of the closed networks; none in the lab."""
    access: dict[ManagementAccess, list[Device]] = defaultdict(list)
    for device in plan.managed():
        if device.firewall is not None and device.firewall.management is not None:
            access[device.firewall.management].append(device)
    faults = tuple(fault for one in access for fault in _faults(one))
    if access:
        result = Result.FAIL if faults else Result.PASS
        reason = "; ".join(faults or map(_opened, access))
        yield Verdict("R-CLOSED", "management", Stage.DESIGN, result, reason)


def _faults(access: ManagementAccess) -> Iterator[str]:
    for source in access.sources:
        shared = [str(pool) for pool in access.closed if source.overlaps(pool)]
        if shared:
            yield f"SSH is open to {source}, which is of the closed networks: {', '.join(shared)}"
        if source.prefixlen < WIDEST_SOURCE:
            yield f"SSH is open to {source}, which is wider than a /{WIDEST_SOURCE}"


def _opened(access: ManagementAccess) -> str:
    where = f"{access.interface} alone" if access.interface else "any interface that the plan does not know"
    return f"SSH is open to {', '.join(map(str, access.sources))}, by {where}"
