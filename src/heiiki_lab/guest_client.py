"""The guest as a whole, from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from heiiki.errors import LabError
from heiiki_lab.client import NodeClient
from heiiki_lab.spec import Endpoint


@dataclass(frozen=True, slots=True)
class Stall:
    """The guest stood still for `gap` seconds; the two times are those of its end."""

    monotonic: float
    realtime: float
    gap: float


@dataclass(frozen=True, slots=True)
class Span:
    """Before the first step of a change and after its last: the guest's monotonic time, seconds."""

    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Clock:
    """The guest's clocks, in seconds."""

    monotonic: float
    realtime: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the guest, in MiB."""

    total_mib: int
    used_mib: int


class GuestClient(NodeClient):
    """The guest as a whole."""

    def make_nodes(self, nodes: Mapping[str, int]) -> dict[str, int]:
        """Make nodes; their agents are reached by ports in the order of `nodes`.

        Args:
            nodes: name and processor, as in `NodeSpec`.

        Returns:
            The pid of each node's PID 1, as the guest sees it.
        """
        return dict(self._call({"op": "make_nodes", "nodes": list(nodes.items())}, timeout=120.0)[0]["pids"])

    def batch(self, steps: Sequence[tuple[str, Literal["ip", "tc"], Sequence[str]]]) -> Span:
        """Run lines of `ip -batch` or `tc -batch` in nodes' network namespaces, nodes side by side.

        Args:
            steps: node, tool, lines; the steps of one node keep their order.

        Returns:
            When the first was begun, and when all were done.

        Raises:
            LabError: a line was refused; what stood before it is done.
        """
        rows = [{"node": node, "tool": tool, "lines": list(lines)} for node, tool, lines in steps]
        answer, _ = self._call({"op": "batch", "steps": rows}, timeout=60.0)
        if answer["failures"]:
            raise LabError("; ".join(answer["failures"]))
        return Span(float(answer["began"]), float(answer["monotonic"]))

    def give_radios(self, ends: Sequence[Endpoint]) -> None:
        """Give each end of a wireless link one of the guest's radios, in their order.

        Raises:
            LabError: a radio cannot be moved or named.
        """
        rows = [{"node": end.node, "interface": end.interface} for end in ends]
        answer, _ = self._call({"op": "give_radios", "ends": rows}, timeout=60.0)
        if answer["failures"]:
            raise LabError("; ".join(answer["failures"]))

    def stalls(self, since: float = 0.0) -> tuple[Stall, ...]:
        """Times longer than 0.1 s in which the guest stood still, ended after the monotonic time `since`."""
        return tuple(Stall(*row) for row in self._call({"op": "stalls", "since": since})[0]["stalls"])

    def clock(self) -> Clock:
        """The guest's clocks now."""
        answer, _ = self._call({"op": "ping"})
        return Clock(answer["monotonic"], answer["realtime"])

    def memory(self) -> Memory:
        """Memory of the guest."""
        return Memory(**self._call({"op": "memory"})[0])

    def power_off(self) -> None:
        """Ask the guest to switch itself off."""
        self._call({"op": "power_off"}, timeout=1.0)
