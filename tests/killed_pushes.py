"""Pushes in processes of their own, which a test kills: forks of one process that has imported everything.

The imports of a push take far more of a processor than the push, and a test kills dozens.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from simulated_devices import ADMIN, PASSWORD, USER, LineComparer
from waiting import awaited

from heiiki.fleet import engine
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.cli.session import connect
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.journal import Journal
from heiiki.fleet.model import Login, Target
from heiiki.fleet.push import Means, Settings


@dataclass(frozen=True)
class Pushes:
    """The process that forks, and what can be ordered of it."""

    process: "subprocess.Popen[str]"

    def start(self, keys: Path, *targets: Target) -> "Push":
        """Push each target; more than one are the ends of a line."""
        rows = [(one.name, one.platform, one.port, one.intended) for one in targets]
        return Push(self, self.order({"keys": str(keys), "rows": rows}))

    def order(self, order: dict[str, Any]) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@dataclass(frozen=True)
class Push:
    """One push that runs."""

    pushes: Pushes
    pid: int

    def kill_when(self, what: str, condition: Callable[[], bool]) -> None:
        """`kill -9` once the condition holds, or have it end by itself before."""
        codes: list[int] = []

        def ended() -> bool:
            codes[:] = self.pushes.order({"ended": self.pid})
            return bool(codes)

        awaited(what, lambda: condition() or ended())
        if not codes:
            # Until it is asked for how it ended nothing else can have its number.
            os.kill(self.pid, signal.SIGKILL)
            awaited("it is dead", ended)
        assert codes[0] in {0, -signal.SIGKILL}


@pytest.fixture(scope="session")
def pushes() -> Iterator[Pushes]:
    argv = [sys.executable, __file__]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield Pushes(process)
    assert process.stdin
    assert process.stdout
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


def _push(keys: Path, rows: list[tuple[str, str, int, str]]) -> None:
    host_keys = HostKeys(keys)

    async def opened(target: Target) -> Any:
        return await connect(DRIVERS[target.platform], target, host_keys)

    async def serves(target: Target) -> str:
        del target
        return ""

    login = Login(USER, PASSWORD, ADMIN)
    targets = [Target(name, platform, "127.0.0.1", login, text, port) for name, platform, port, text in rows]
    settings = Settings(revert_in_s=2, without_rollback=True, slack_s=0.3)
    means = Means(opened, LineComparer, serves, Journal(keys.parent / "journal"), settings)
    lines = [[target.name for target in targets]] if len(targets) > 1 else []
    asyncio.run(engine.push(targets, means, lines=lines))


def _forked(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _push(Path(order["keys"]), order["rows"])
        code = 0
    except BaseException:  # noqa: BLE001  # the code is what the test is told
        traceback.print_exc()
    finally:
        os._exit(code)


def _ended(pid: int) -> list[int]:
    """Return the exit code of a push that has ended, or nothing."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return [os.waitstatus_to_exitcode(status)] if found else []


def _serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        answer = _ended(order["ended"]) if "ended" in order else _forked(order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
