"""Breaking links and nodes of a running lab, and mending them.

What is in force is written in `faults.json`; what an interface must look like follows from all of it
together, so that faults may overlap and each heals by itself.
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from heiiki.errors import LabError
from heiiki_lab import state
from heiiki_lab.client import NodeClient
from heiiki_lab.guest_client import GuestClient, Span
from heiiki_lab.spec import Endpoint, LabSpec

_ON_NODE = resources.files("heiiki_lab.agent").joinpath("program_fault.py").read_text(encoding="utf-8")
"""The program that fails and mends another; sent whole, as a node's Python finds no module of the agent's."""

_ETHERNET_HEADER = 14

LinkFailure = Literal["silent", "down"]
NodeFailure = Literal["kill", "poweroff"]
ProgramFailure = Literal["hung", "dead"]
FailureMode = Literal["silent", "down", "kill", "poweroff", "impair", "hung", "dead"]
Tool = Literal["ip", "tc"]

_FORGET = """
nft flush ruleset
ip xfrm state flush
ip xfrm policy flush
for kind in gre macvlan; do
    ip -brief link show type $kind | while read -r name _; do ip link delete "${name%%@*}"; done
done
ip nexthop flush
ip route flush table all proto 210
for protocol in ldp bgp; do ip -family mpls route flush proto $protocol; done
"""
"""What a node's kernel loses with its power; its namespace, with the wired ports, outlives the cut here."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in force.

    Attributes:
        target: name of the link, of the node, or of the program's node.
        kind: which of both.
        how: silent (every packet lost), down (the interface of end a set down), impair (delay and loss),
            kill (every process of the node), poweroff (kill, and every link of the node silent), hung
            (a program is stopped), dead (a program is killed, and not started again).
        one_way: the end whose packets alone are lost, as node:interface; None is both.
        delay_ms: of impair: added to each packet at each end.
        loss_percent: of impair: at each end.
        program: of hung and dead, as `heiiki_lab.agent.program_fault` knows it.
    """

    target: str
    kind: Literal["link", "node", "program"]
    how: FailureMode
    one_way: str | None = None
    delay_ms: float = 0.0
    loss_percent: float = 0.0
    program: str = ""

    def __str__(self) -> str:
        if self.program:
            return f"{self.program} {self.how}"
        if self.how == "impair":
            return f"impair {self.delay_ms:g} ms {self.loss_percent:g} %"
        return f"{self.how} from {self.one_way}" if self.one_way else self.how


Faults = tuple[Fault, ...]


def faults_of_link(faults: Faults, link: str) -> tuple[str, ...]:
    """In words, those of that link itself."""
    return tuple(str(fault) for fault in faults if (fault.kind, fault.target) == ("link", link))


def faults_of_node(faults: Faults, node: str) -> tuple[str, ...]:
    """In words, those of that node itself and of its programs."""
    return tuple(str(fault) for fault in faults if fault.kind != "link" and fault.target == node)


def load_faults(state_dir: Path) -> Faults:
    """What is in force, in the order in which it was applied."""
    try:
        text = (state_dir / "faults.json").read_text()
    except FileNotFoundError:
        return ()
    return tuple(Fault(**row) for row in json.loads(text))


def _save_faults(state_dir: Path, faults: Faults) -> None:
    temporary = state_dir / "faults.json.new"
    temporary.write_text(json.dumps([asdict(fault) for fault in faults]))
    temporary.replace(state_dir / "faults.json")


@dataclass(frozen=True, slots=True)
class Look:
    """How an interface is to be: set down or not, and what becomes of the packets that it sends."""

    down: bool = False
    queue: str = ""


def look_of(spec: LabSpec, faults: Faults) -> dict[Endpoint, Look]:
    """Every interface that does not simply send what it is given: faults, and lines of a certain rate."""
    looks: dict[Endpoint, Look] = {}
    for link in spec.links:
        mine = [fault for fault in faults if fault.kind == "link" and fault.target == link.name]
        dark = any(
            fault.how == "poweroff" and fault.target in {link.a.node, link.b.node}
            for fault in faults
            if fault.kind == "node"
        )
        down = any(fault.how == "down" for fault in mine)
        for end in link.ends:
            look = Look(down and end == link.a, _queue(mine, str(end), link.rates.get(end), dark=dark))
            if look != Look():
                looks[end] = look
    return looks


def pace(kbps: int) -> str:
    """The netem parameters of a line's rate; the 14 octets of an Ethernet header are none of the packet's."""
    return f"rate {kbps}kbit -{_ETHERNET_HEADER}"


def _queue(faults: Sequence[Fault], end: str, rate: int | None, *, dark: bool) -> str:
    """The netem parameters for what `end` sends; empty for none."""
    paced = pace(rate) if rate else ""
    if dark or any(fault.how == "silent" and fault.one_way in {None, end} for fault in faults):
        return "loss 100%"
    for fault in reversed(faults):
        if fault.how == "impair":
            return f"delay {fault.delay_ms:g}ms loss {fault.loss_percent:g}% {paced}".rstrip()
    return paced


def steps_between(
    before: dict[Endpoint, Look], after: dict[Endpoint, Look]
) -> list[tuple[str, Tool, list[str]]]:
    """Lines of `tc` and `ip` that lead from one look of the lab to the other."""
    steps: list[tuple[str, Tool, list[str]]] = []
    for end in sorted(before.keys() | after.keys()):
        old, new = before.get(end, Look()), after.get(end, Look())
        if new.queue and new.queue != old.queue:
            steps.append((end.node, "tc", [f"qdisc replace dev {end.interface} root netem {new.queue}"]))
        elif old.queue and not new.queue:
            steps.append((end.node, "tc", [f"qdisc delete dev {end.interface} root"]))
        if old.down != new.down:
            steps.append((end.node, "ip", [f"link set dev {end.interface} {'down' if new.down else 'up'}"]))
    return steps


class Injector:
    """Applies and heals faults; methods return when the first step was begun and when the last was done.

    Args:
        spec: of the running lab.
        state_dir: of the running lab.
        restart: starts the services of a node that was killed or powered off, once its links are back.
    """

    def __init__(self, spec: LabSpec, state_dir: Path, restart: Callable[[str], None] | None = None) -> None:
        self._spec = spec
        self._state_dir = state_dir
        self._restart = restart
        self._guest = GuestClient(state.socket_path(state_dir, state.GUEST))

    def applied(self) -> Faults:
        """What is in force."""
        return load_faults(self._state_dir)

    def fail_link(self, link: str, how: LinkFailure, one_way: Endpoint | None = None) -> Span:
        """Make a link lose every packet in silence, or set its end a down (end b then loses its carrier).

        Args:
            link: its name.
            how: silent or down.
            one_way: of silent: only what this end sends is lost.

        Raises:
            LabError: unknown link or end, or the lab is not up.
        """
        ends = self._spec.link(link).ends
        if one_way is not None and (one_way not in ends or how != "silent"):
            raise LabError(
                f"link {link}: only silent goes one way, from {ends[0]} or {ends[1]}; got {how}, {one_way}"
            )
        return self._apply(Fault(link, "link", how, str(one_way) if one_way else None))

    def fail_links(self, links: Sequence[str]) -> Span:
        """Make links lose every packet in silence, all in one batch: a whole network is away.

        Raises:
            LabError: an unknown link, or the lab is not up.
        """
        return self._apply(*(Fault(self._spec.link(link).name, "link", "silent") for link in links))

    def impair(self, link: str, delay_ms: float = 0.0, loss_percent: float = 0.0) -> Span:
        """Delay (milliseconds) and lose (per cent) what each end of a link sends.

        Raises:
            LabError: unknown link, or a number out of range.
        """
        self._spec.link(link)
        if delay_ms < 0 or not 0 <= loss_percent <= 100:  # noqa: PLR2004 - per cent
            raise LabError(
                f"link {link}: delay {delay_ms:g} ms must be >= 0, loss {loss_percent:g} within 0-100 %"
            )
        return self._apply(Fault(link, "link", "impair", None, delay_ms, loss_percent))

    def fail_node(self, node: str, how: NodeFailure) -> Span:
        """Kill every process of a node, or switch it off.

        Switched off, its links go silent first: a machine without power sends no farewell. Then its kernel
        forgets filters, IPsec, tunnels and routes, so that it comes back as a machine that boots does.

        Raises:
            LabError: unknown node, or the lab is not up.
        """
        self._spec.node(node)
        with NodeClient(state.socket_path(self._state_dir, node)) as client:
            client.ping()  # connected ahead: the kill follows the links at once
            began = self._apply(Fault(node, "node", how)).began
            span = Span(began, client.kill_all())
            if how == "poweroff":
                client.exec(("sh", "-ec", _FORGET)).check()
            return span

    def fail_program(self, node: str, program: str, how: ProgramFailure) -> Span:
        """Stop a program of a node, or kill it and keep it from being started again.

        Raises:
            LabError: unknown node, the program does not run there, or the lab is not up.
        """
        self._spec.node(node)
        with self._changing() as before:
            span = self._on_program(node, "fail", program, how)
            _save_faults(self._state_dir, (*before, Fault(node, "program", how, program=program)))
            return span

    def heal(self, target: str) -> Span:
        """Undo every fault of a link, or of a node and its programs.

        Raises:
            LabError: unknown target, or nothing of it has failed.
        """
        self._check_target(target)
        if target not in {fault.target for fault in self.applied()}:
            failed = ", ".join(sorted({fault.target for fault in self.applied()})) or "nothing"
            raise LabError(f"{target} has no fault to heal; failed now: {failed}")
        return self._heal({target})

    def heal_all(self) -> Span:
        """Undo every fault."""
        return self._heal({fault.target for fault in self.applied()})

    def close(self) -> None:
        """Let the connection go."""
        self._guest.close()

    def _check_target(self, target: str) -> None:
        nodes, links = [n.name for n in self._spec.nodes], [x.name for x in self._spec.links]
        if target not in {*nodes, *links}:
            raise LabError(
                f"no node or link {target!r}; nodes: {', '.join(nodes)}; links: {', '.join(links)}"
            )

    def _apply(self, *faults: Fault) -> Span:
        with self._changing() as before:
            replaced = {(fault.target, fault.how) for fault in faults}
            kept = tuple(old for old in before if (old.target, old.how) not in replaced)
            return self._change(before, (*kept, *faults))

    def _heal(self, targets: set[str]) -> Span:
        with self._changing() as before:
            healed = [fault for fault in before if fault.target in targets]
            moment = self._change(before, tuple(fault for fault in before if fault not in healed))
            gone = {fault.target for fault in healed if fault.kind == "node"}
            for fault in healed:
                if fault.kind == "program" and fault.target not in gone:
                    moment = Span(moment.began, self._on_program(fault.target, "mend", fault.program).ended)
        for node in dict.fromkeys(fault.target for fault in healed if fault.kind == "node"):
            if self._restart is not None:
                self._restart(node)
        return moment

    def _on_program(self, node: str, *words: str) -> Span:
        with NodeClient(state.socket_path(self._state_dir, node)) as client:
            said = client.python(_ON_NODE, argv=words).check()
        answer = json.loads(said.text)
        if "error" in answer:
            raise LabError(f"{node}: {answer['error']}")
        return Span(answer["began"], answer["ended"])

    def _change(self, before: Faults, after: Faults) -> Span:
        """Written down only when done, so that a refused change can be tried again."""
        steps = steps_between(look_of(self._spec, before), look_of(self._spec, after))
        moment = self._guest.batch(steps)
        _save_faults(self._state_dir, after)
        return moment

    @contextmanager
    def _changing(self) -> Iterator[Faults]:
        """Hold the lock under which faults are changed."""
        if not state.is_running(self._state_dir):
            raise LabError(state.not_up(self._state_dir))
        with (self._state_dir / "faults.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.applied()
