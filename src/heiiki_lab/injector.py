"""The lab as the fault campaign's injector (`heiiki.verify.faults.injector.Injector`)."""

from collections.abc import Sequence

from heiiki.plan.model import ElementKind, FailureMode, Fault
from heiiki.verify.faults.injector import Injection
from heiiki_lab.guest_client import Span
from heiiki_lab.wiring import Lab

LOSS_PERCENT = 30.0
"""Of a lossy link, at each end (D17)."""


class LabInjector:
    """The lab as an injector. It starts no services on a healed node: the campaign's `restart` does that."""

    def __init__(self, lab: Lab) -> None:
        """Break and mend `lab`."""
        self._links = {link.name: link for link in lab.spec.links}
        self._faults = lab.injector()
        self._guest = lab.guest()

    def fail(self, fault: Fault) -> Injection:
        """Put a failure in force."""
        span = self._on_link(fault) if fault.kind is ElementKind.LINK else self._on_node(fault)
        return Injection(span.began, span.ended)

    def fail_links(self, links: Sequence[str]) -> Injection:
        """Have links lose every packet, all at once."""
        span = self._faults.fail_links(links)
        return Injection(span.began, span.ended)

    def _on_link(self, fault: Fault) -> Span:
        link = self._links[fault.target]
        match fault.mode:
            case FailureMode.LOSSY:
                return self._faults.impair(link.name, loss_percent=LOSS_PERCENT)
            case FailureMode.SILENT_A:
                return self._faults.fail_link(link.name, "silent", link.a)
            case FailureMode.SILENT_B:
                return self._faults.fail_link(link.name, "silent", link.b)
            case FailureMode.SILENT:
                return self._faults.fail_link(link.name, "silent")
            case _:
                return self._faults.fail_link(link.name, "down")

    def _on_node(self, fault: Fault) -> Span:
        if fault.program is not None:
            return self._faults.fail_program(
                fault.target, fault.program, "hung" if fault.mode is FailureMode.HUNG else "dead"
            )
        return self._faults.fail_node(fault.target, "kill" if fault.mode is FailureMode.KILL else "poweroff")

    def heal(self, target: str) -> None:
        """Undo every failure of a link, or of a node and its programs."""
        self._faults.heal(target)

    def heal_all(self) -> None:
        """Undo every failure."""
        self._faults.heal_all()

    def now(self) -> float:
        """Return the guest's time."""
        return self._guest.clock().monotonic

    def stalls(self, since: float) -> Sequence[tuple[float, float]]:
        """Return the stalls that the guest's stall detectors noticed."""
        return tuple((stall.monotonic, stall.gap) for stall in self._guest.stalls(since))
