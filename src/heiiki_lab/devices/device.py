"""The state of one simulated device: configurations, rollback timer, and who works on it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from heiiki_lab.devices.model import DeviceSpec, Faults, Tree

Later = Callable[[float, Callable[[], None]], "Cancellable"]
"""How a call is made after so many seconds: `asyncio.AbstractEventLoop.call_later`."""


class Cancellable:
    """What `Later` returns, as far as it is needed here."""

    def cancel(self) -> None:
        """Let the call not happen."""


@dataclass(slots=True)
class Timer:
    """An armed rollback.

    Attributes:
        kept: the configuration that comes back.
        minutes: how long it was armed for, as the device shows it.
        owner: the session that armed it.
        call: ends it.
    """

    kept: str
    minutes: float
    owner: object
    call: Cancellable


@dataclass(slots=True)
class Device:
    """One device; its shells change it."""

    spec: DeviceSpec
    later: Later
    indent: int = 1
    faults: Faults = field(default_factory=Faults)
    running: Tree = field(default_factory=Tree)
    saved: str = ""
    timer: Timer | None = None
    editor: object = None
    history: list[str] = field(default_factory=list)
    typed: int = 0
    heard: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start with the configuration that was ordered, saved."""
        self.running = Tree(self.spec.config)
        self.saved = self.text

    @property
    def text(self) -> str:
        """The running configuration as the device shows it."""
        return self.running.text(self.indent)

    def restore(self, text: str) -> None:
        """Let a kept configuration run."""
        self.running = Tree(text)

    def refused(self, line: str) -> bool:
        """Count a configuration line, and tell whether it is one to refuse."""
        self.typed += 1
        text = self.faults.refuse_text
        return self.typed == self.faults.refuse_line or (bool(text) and text in line)

    def arm(self, seconds: float, minutes: float, owner: object, kept: str | None = None) -> None:
        """Keep what runs, and let it come back after `seconds` unless somebody confirms."""
        self.disarm()
        call = self.later(seconds, self.expire)
        self.timer = Timer(self.text if kept is None else kept, minutes, owner, call)

    def disarm(self) -> bool:
        """End the rollback timer; tell whether there was one."""
        if self.timer is None:
            return False
        self.timer.call.cancel()
        self.timer = None
        return True

    def expire(self) -> None:
        """Do what the rollback timer does at its end."""
        if self.timer is not None:
            kept = self.timer.kept
            self.disarm()
            self.restore(kept)
            self.log.append("rolled back")

    def dropped(self, session: object) -> None:
        """Learn that the connection of `session` broke."""
        if self.editor is session:
            self.editor = None
        if self.timer is None or self.timer.owner is not session:
            return
        if self.faults.drop == "confirms":
            self.disarm()
        elif self.faults.drop == "restores":
            self.expire()


def call_later(seconds: float, call: Callable[[], None]) -> Cancellable:
    """Call after so many seconds of the running loop."""
    return asyncio.get_running_loop().call_later(seconds, call)  # type: ignore[return-value]
