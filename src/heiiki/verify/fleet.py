"""Run a probe on many devices at once."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from heiiki.errors import HeiikiError, TransportError
from heiiki.transport.base import Completed, Transport
from heiiki.verify.probes import program
from heiiki_agent import config
from heiiki_agent.errors import AgentError

_Told = TypeVar("_Told")
_MOST_THREADS = 512
_LOG = logging.getLogger(__name__)


class UnreadableError(HeiikiError):
    """A device answered something that has no meaning here; the message says what."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Take whatever cannot be parsed inside the block for an answer that cannot be read.

    Args:
        what: whose answer is read.

    Raises:
        UnreadableError: something in it could not be parsed, or is missing.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableError(
            f"{what}: the answer cannot be read: {type(error).__name__}: {error}"
        ) from error


@dataclass(frozen=True, slots=True)
class Answer:
    """What one device answered.

    Attributes:
        data: the answer; empty when there is none.
        error: why there is none, or the empty string.
        raw: what came, for evidence.
    """

    device: str
    data: Mapping[str, Any]
    error: str
    raw: bytes


Parameters = Mapping[str, Mapping[str, Any]]
"""What a probe is given on each device."""


@dataclass(frozen=True, slots=True)
class Looks:
    """How often devices are asked that are not right yet: so many times at most, so many seconds between."""

    most: int
    every_s: float = 0.0


def printed(answer: Answer, command: str) -> str:
    """Return what a command of probe ``read`` printed.

    Raises:
        UnreadableError: the device did not answer, or the command failed there.
    """
    if answer.error:
        raise UnreadableError(answer.error)
    done = answer.data.get("commands", {}).get(command, {})
    if done.get("rc") != 0:
        said = done.get("err", "").strip() or done.get("out", "").strip()
        raise UnreadableError(f"{answer.device}: {said[:200] or f'{command} says nothing'}")
    return str(done["out"])


def told(kind: type[_Told], answer: Answer, command: str) -> _Told | str:
    """Return what a command of probe ``read`` printed as JSON, as a `kind`; or why it cannot be read."""
    try:
        return config.parse(kind, printed(answer, command), answer.device)
    except (UnreadableError, AgentError) as error:
        return str(error)


class Fleet:
    """Asks devices side by side, one call each."""

    def __init__(self, transport: Transport, pool: ThreadPoolExecutor) -> None:
        """Reach devices by `transport`, in the threads of `pool`."""
        self._transport = transport
        self._pool = pool

    def ask(self, probe: str, parameters: Parameters, timeout: float = 30.0) -> dict[str, Answer]:
        """Run `probe` with its parameters on each device named, and wait for all."""
        return self.run({device: program(probe, own) for device, own in parameters.items()}, timeout)

    def ask_until(
        self,
        probe: str,
        parameters: Parameters,
        unsettled: Callable[[Mapping[str, Answer]], Iterable[str]],
        looks: Looks,
        *,
        later: Parameters | None = None,
        timeout: float = 30.0,
    ) -> dict[str, Answer]:
        """Ask, and ask those again that are not right yet; what stays wrong is wrong in the last answer too.

        Args:
            probe: what is run.
            parameters: of the first question, by device.
            unsettled: names, of all answers so far, the devices to ask again; none ends it.
            looks: how often.
            later: parameters of every further question; None for those of the first.
            timeout: of each question, seconds.
        """
        answers = self.ask(probe, parameters, timeout)
        for _ in range(looks.most - 1):
            left = tuple(unsettled(answers))
            if not left:
                break
            time.sleep(looks.every_s)
            again = parameters if later is None else later
            answers |= self.ask(probe, {name: again[name] for name in left}, timeout)
        return answers

    def run(self, programs: Mapping[str, bytes], timeout: float = 30.0) -> dict[str, Answer]:
        """Run on each device named what ``python3 -`` reads there, and wait for all."""
        running = {
            device: self._pool.submit(self._one, device, source, timeout)
            for device, source in programs.items()
        }
        return {device: future.result() for device, future in running.items()}

    def _one(self, device: str, source: bytes, timeout: float) -> Answer:
        try:
            done = self._transport.run(device, ("python3", "-"), stdin=source, timeout=timeout)
        except TransportError as error:
            return Answer(device, {}, str(error), b"")
        except Exception as error:  # noqa: BLE001 - what breaks at one device keeps no other from being asked
            _LOG.debug("%s could not be asked", device, exc_info=error)
            return Answer(device, {}, f"{device}: {type(error).__name__}: {error}", b"")
        return understood(device, done)


@contextmanager
def fleet(transport: Transport, devices: int) -> Iterator[Fleet]:
    """Yield a fleet whose threads end with the block; enough for all `devices` to listen at a time."""
    with ThreadPoolExecutor(min(max(devices, 1), _MOST_THREADS), thread_name_prefix="observe") as pool:
        yield Fleet(transport, pool)


def understood(device: str, done: Completed) -> Answer:
    """Return the answer in what a probe printed; an error where it is none."""
    raw = done.stdout + done.stderr
    if done.rc:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return Answer(device, {}, f"{device}: the probe failed ({done.rc}): {''.join(last)}", raw)
    try:
        data = json.loads(done.stdout)
    except ValueError as error:
        return Answer(device, {}, f"{device}: the probe's answer cannot be read: {error}", raw)
    return Answer(device, data, "", raw)
