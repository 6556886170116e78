"""The hosts of a service's VTN: how each says that it stands, which of them writes, and who takes over.

Each host says only what it knows, and a takeover while the other one writes alone cannot be undone. So both
are asked before, where they can be.
"""

import json
from dataclasses import dataclass
from typing import Any

from heiiki.errors import HeiikiError
from heiiki.plan.model import Device, Plan
from heiiki.render import openadr
from heiiki.transport import Transport, output
from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.openadr.statuses import DoubledState

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Host:
    """A host of a VTN that has two.

    Attributes:
        device: its name.
        state: how it stands; None: it could not be asked.
        problem: why it could not.
    """

    device: str
    state: DoubledState | None
    problem: str = ""

    @property
    def writes(self) -> bool:
        """It is the writer of the last epoch that it knows."""
        return self.state is not None and self.state.writer == self.state.host

    @property
    def epoch(self) -> int:
        """The last epoch that it knows; 0: none, or it could not be asked."""
        return self.state.epoch if self.state else 0

    @property
    def is_well(self) -> bool:
        """It stands as it should, and the standby has the whole book."""
        return self.state is not None and self.state.counts and self.state.problem is None

    @property
    def told(self) -> str:
        """How it stands, in a few words."""
        if self.state is None:
            return self.problem
        return f"{self.device}: {self.state.problem or f'epoch {self.epoch} of {self.state.writer}'}"


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a takeover has done.

    Attributes:
        device: the host that writes.
        epoch: since when, counted.
        changed: it has begun one; not so, it wrote already.
        problem: what is not as it should be, such as that it writes alone; None: all is well.
    """

    device: str
    epoch: int
    changed: bool
    problem: str | None


def in_service(plan: Plan) -> tuple[Device, ...]:
    """Return the hosts of the VTN; a revoked one is none.

    Raises:
        HeiikiError: there is none.
    """
    found = tuple(device for device in plan.managed() if device.vtn is not None)
    if not found:
        raise HeiikiError(f"service {plan.service} has no VTN: its DRAS or every controller is revoked")
    return found


def writer(plan: Plan, transport: Transport) -> Device:
    """Return the host that is to be asked: of two, the one that writes.

    Raises:
        HeiikiError: there is none.
    """
    found = in_service(plan)
    if len(found) == 1:
        return found[0]
    asked = hosts(plan, transport)
    # A former writer that has not heard of the later epoch answers no one.
    writing = max((one for one in asked if one.writes), key=lambda one: one.epoch, default=None)
    if writing is None:
        told = "; ".join(one.told for one in asked)
        raise HeiikiError(f"no host of the VTN writes: {told}; see `heiiki event takeover --help`")
    return plan.device(writing.device)


def hosts(plan: Plan, transport: Transport) -> tuple[Host, ...]:
    """Return how each host of a VTN that has two says that it stands.

    Raises:
        HeiikiError: the service has no VTN.
    """
    return tuple(_asked(plan, transport, device.name) for device in in_service(plan))


def take_over(plan: Plan, transport: Transport, device: str, *, unasked: bool = False) -> Takeover:
    """Have a host write; where it writes already and waits for its standby, have it write alone.

    Args:
        plan: the service.
        transport: the way to its hosts.
        device: the host.
        unasked: the other host may be out of reach.

    Raises:
        HeiikiError: the VTN has no second host, one of them cannot be asked, or the host must not take over.
    """
    own, other = _both(plan, transport, device)
    if own.state is None:
        raise HeiikiError(own.problem)
    if other.state is None and not unasked:
        raise HeiikiError(
            f"{other.problem}; if it runs, and somebody has it write alone as well, neither answers any more "
            "and what one of them has told is lost: see to it that no one does, and repeat with --unasked"
        )
    if other.epoch > own.epoch:
        raise HeiikiError(
            f"{device} must not take over: the last epoch that it knows is {own.epoch}, and {other.device} "
            f"knows {other.epoch}: what was answered since is there alone; have the two reach one another"
        )
    return _taken_over(plan, transport, own)


def begin(plan: Plan, transport: Transport, *, change: bool = True) -> Takeover | None:
    """Have the first host write where neither of the two has ever been made the writer.

    Args:
        plan: the service.
        transport: the way to its hosts.
        change: not so: only say what is due.

    Returns:
        What was done, or would be; None: nothing was due.

    Raises:
        HeiikiError: a host cannot be asked, so it is not known whether something is due; neither writes, and
            which book counts is for a person to say; or the VTN refuses.
    """
    first = in_service(plan)[0]
    if first.vtn is None or first.vtn.doubled is None:
        return None
    own, other = _both(plan, transport, first.name)
    if own.epoch or other.epoch:
        if own.state and other.state and not (own.writes or other.writes):
            raise HeiikiError(_without_writer(own, other))
        return None
    for one in (own, other):
        if one.state is None:
            raise HeiikiError(
                f"it is not known whether a host of the VTN was made the writer: {one.problem}; bring it up "
                "and run this again, or decide yourself: `heiiki event takeover`"
            )
    return (
        _taken_over(plan, transport, own) if change else Takeover(own.device, 1, changed=True, problem=None)
    )


def _without_writer(own: Host, other: Host) -> str:
    """Say why neither of two hosts writes, one of which began without a book, and what is to be done."""
    new, old = (own, other) if own.epoch < other.epoch else (other, own)
    return (
        f"no host of the VTN writes: {own.told}; {other.told}; if {new.device} has lost its book, have "
        f"{old.device} take over (`heiiki event takeover`); if {new.device} was the only host meanwhile, the "
        f"book of {old.device} is older: end its program, remove that book, and run this again"
    )


def _both(plan: Plan, transport: Transport, device: str) -> tuple[Host, Host]:
    """Return a host as it says that it stands, and the other one."""
    others = {one.name: one.vtn.doubled.device for one in in_service(plan) if one.vtn and one.vtn.doubled}
    if not others:
        raise HeiikiError(
            f"the VTN of service {plan.service} has one host; see `dras_hosts` in its service.yml"
        )
    if device not in others:
        raise HeiikiError(f"{device} is no host of the VTN in service; use {' or '.join(others)}")
    other = others[device]
    if other not in others:
        return _asked(plan, transport, device), Host(other, None, f"{other} is revoked, and is not asked")
    return _asked(plan, transport, device), _asked(plan, transport, other)


def _asked(plan: Plan, transport: Transport, device: str) -> Host:
    try:
        said = _said(transport, device, "GET", "/health")
        found = said.get(_vtn_id(plan, device), {}).get("doubled")
        if found is None:
            return Host(device, None, f"{device}: its VTN does not know of a second host yet: run site.yml")
        return Host(device, _state(device, found))
    except HeiikiError as error:
        return Host(device, None, str(error))


def _taken_over(plan: Plan, transport: Transport, before: Host) -> Takeover:
    path = f"/{_vtn_id(plan, before.device)}/takeover"
    now = _state(before.device, _said(transport, before.device, "POST", path))
    return Takeover(before.device, now.epoch, now.epoch > before.epoch, now.problem)


def _said(transport: Transport, device: str, method: str, path: str) -> dict[str, Any]:
    text = output(transport, device, openadr.operate(method, path), b"", _TIMEOUT_S)
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise HeiikiError(f"{device}: the VTN's answer is no JSON: {text[:100]!r}") from error
    return found


def _state(device: str, found: dict[str, Any]) -> DoubledState:
    try:
        return config.parse(DoubledState, json.dumps(found), device)
    except AgentError as error:
        raise HeiikiError(str(error)) from error


def _vtn_id(plan: Plan, device: str) -> str:
    vtn = plan.device(device).vtn
    return vtn.vtn_id if vtn else ""
