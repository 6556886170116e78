"""Pushes in processes of their own, which a test kills."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked_programs
from fleet_devices import connected
from forked_programs import Forked
from simulated_devices import ADMIN, PASSWORD, USER, LineComparer
from waiting import awaited

from heiiki.fleet import engine
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.journal import Journal
from heiiki.fleet.model import Login, Target
from heiiki.fleet.push import Means, Settings


@dataclass(frozen=True)
class Push:
    """One push that runs."""

    process: Forked
    log: Path

    def kill_when(self, what: str, condition: Callable[[], bool]) -> None:
        """`kill -9` once the condition holds, or have it end by itself before."""
        awaited(what, lambda: condition() or self.process.poll() is not None)
        # Until it is asked for how it ended nothing else can have its number.
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() in {0, -signal.SIGKILL}, self.log.read_text()


def start(keys: Path, *targets: Target, way: str = "") -> Push:
    """Push each target, by the command line unless another way is named; more than one are ends of a line."""
    rows = [(one.name, one.platform, one.port, one.intended) for one in targets]
    log = keys.parent / "push.log"
    return Push(forked_programs.call("killed_pushes", "push", str(keys), rows, way, log=log), log)


def push(keys_file: str, rows: list[tuple[str, str, int, str]], way: str) -> int:
    """Push rows of name, platform, port and configuration; what runs in the fork."""
    keys = Path(keys_file)
    host_keys = HostKeys(keys)

    async def opened(target: Target) -> Any:
        return await connected(way, target, host_keys)

    async def serves(target: Target) -> str:
        del target
        return ""

    login = Login(USER, PASSWORD, ADMIN)
    targets = [Target(name, platform, "127.0.0.1", login, text, port) for name, platform, port, text in rows]
    settings = Settings(revert_in_s=2, without_rollback=True, slack_s=0.3)
    means = Means(opened, LineComparer, serves, Journal(keys.parent / "journal"), settings)
    lines = [[target.name for target in targets]] if len(targets) > 1 else []
    asyncio.run(engine.push(targets, means, lines=lines))
    return 0
