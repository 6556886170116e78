"""A handful of faults that stands for all of them: what `make demo` shows in a minute."""

from heiiki.plan.model import ElementKind, FailureMode, Fault, Plan

SAMPLE = "sample"
"""Name by which a user asks for these faults."""

Trait = str | tuple[str, str]
_KILLED = (ElementKind.EVENTS, ElementKind.ORDERS)
_ONE_WAY, _ONE_WAY_MODES = "one way", (FailureMode.SILENT_A, FailureMode.SILENT_B)
_BESIDE = (ElementKind.FLOOD, *_KILLED)


def sample(plan: Plan) -> tuple[Fault, ...]:
    """Return few faults with every trait that a fault of the plan has, in plan order.

    The traits are the failure mode, silence in either direction as one, and the network together with the
    kind of element; of a flood, that it is one; of events and orders, that an end of them is killed, or fails
    over. Of two faults with equally many traits that are still missing, the one that concerns more sites is
    taken, then the earlier in the plan. Exempt faults are left out, for no bound applies to them, servers
    that carry no packet, and whole networks, each of which takes minutes.
    """
    carrying = {element for path in plan.paths for element in path.elements}
    candidates = [
        fault
        for fault in plan.faults
        if not fault.exempt and (fault.target in carrying or fault.kind in _BESIDE)
    ]
    missing = {trait for fault in candidates for trait in _traits(fault)}
    chosen: list[Fault] = []
    while missing:
        best = max(candidates, key=lambda fault: (len(_traits(fault) & missing), len(fault.sites)))
        missing -= _traits(best)
        chosen.append(best)
    return tuple(fault for fault in candidates if fault in chosen)


def _traits(fault: Fault) -> frozenset[Trait]:
    if fault.kind is ElementKind.FLOOD:
        return frozenset({str(fault.mode)})
    if fault.kind in _KILLED:
        return frozenset({(str(fault.kind), str(fault.mode))})
    mode = _ONE_WAY if fault.mode in _ONE_WAY_MODES else str(fault.mode)
    return frozenset({mode, (fault.segment, fault.kind)})
