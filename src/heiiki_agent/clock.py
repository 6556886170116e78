"""What chronyd says of this device's clock, and waiting until it can be right.

Certificates are judged by a clock. A device without a battery starts in 1970, or at its last-known time, when
its own certificate is not valid yet: what it began then would be refused at once, at both ends.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from heiiki_agent.errors import AgentError

CERTIFICATE = Path("/etc/swanctl/x509/device.pem")
"""The certificate that the IKE daemon shows."""
WAIT_S = 60.0
NOT_SYNCHRONISED = "Not synchronised"

_BURST = "4/8"
"""Good answers of each source, and questions at most: chronyd follows none before it has three."""
_POLL_S = 1.0
_LIMIT_S = 20
_TRACKING, _AUTHDATA, _SOURCE = 14, 10, 10
"""Fields of a line of each, in chrony 4."""


@dataclass(frozen=True, kw_only=True)
class ClockSource:
    """One source of time.

    Attributes:
        address: of the server.
        key: number of its key; 0: none.
        state: as chronyc shows it, ``*`` for the one that is followed.
        answered: whether its last poll was.
    """

    address: str
    key: int
    state: str
    answered: bool


@dataclass(frozen=True, kw_only=True)
class ClockStatus:
    """What chronyd says of this device's clock.

    Attributes:
        synchronised: it follows a source.
        offset_s: how far the clock is from the time of its source, as it is now, seconds.
        error_s: by how much that may be wrong, seconds: half of the root delay and the root dispersion
            (RFC 5905 11.2).
        stratum: how many servers there are up to a reference clock.
        source: address of the one that it follows; None: none.
        sources: all of them.
    """

    synchronised: bool
    offset_s: float
    error_s: float
    stratum: int
    source: str | None
    sources: tuple[ClockSource, ...]

    @property
    def off_s(self) -> float:
        """How far the clock may be from the time of its source, seconds."""
        return abs(self.offset_s) + self.error_s


def status() -> ClockStatus:
    """Return what chronyd says.

    Raises:
        AgentError: it does not answer, or not as it should.
    """
    try:
        (tracking,) = _said("tracking", _TRACKING)
        numbers = {row[0]: int(row[2]) for row in _said("authdata", _AUTHDATA)}
        return ClockStatus(
            synchronised=tracking[13] != NOT_SYNCHRONISED,
            offset_s=float(tracking[4]),
            error_s=float(tracking[10]) / 2 + float(tracking[11]),
            stratum=int(tracking[2]),
            source=tracking[1] or None,
            sources=tuple(_source(row, numbers) for row in _said("sources", _SOURCE)),
        )
    except (ValueError, IndexError) as error:
        raise AgentError(f"chronyc: cannot be read: {error}") from error


def _source(row: list[str], numbers: dict[str, int]) -> ClockSource:
    return ClockSource(
        address=row[2],
        key=numbers.get(row[2], 0),
        state=row[1],
        answered=bool(int(row[5], 8) & 1),
    )


def ask() -> None:
    """Have chronyd ask its sources some times in a row now; one that is about it is left alone.

    What it asks when it starts is lost where the network is not there yet, and afterwards it asks once a
    minute: it would be sure of nothing for three.

    Raises:
        AgentError: chronyd does not answer.
    """
    _chronyc("burst", _BURST)


def _said(what: str, fields: int) -> list[list[str]]:
    """Return the rows that chronyc prints, one of so many comma-separated fields a line."""
    said = _chronyc(what)
    rows = [line.split(",") for line in said.splitlines()]
    if any(len(row) != fields for row in rows):
        raise AgentError(f"chronyc {what}: not {fields} fields a line: {said.strip()}")
    return rows


def _chronyc(*words: str) -> str:
    command = ("chronyc", "-n", "-c", *words)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError(f"chronyc: {error}") from error
    if done.returncode:
        raise AgentError(f"chronyd does not answer: {(done.stdout + done.stderr).strip()}")
    return done.stdout


def doubt(certificate: Path, now: datetime) -> str:
    """Return why a clock that says `now` cannot be right, or nothing.

    Args:
        certificate: the device's own; without one nothing speaks against any time.
        now: what the clock says.
    """
    from heiiki_agent.pki.x509 import Certificate  # noqa: PLC0415 - not needed to ask chronyd

    try:
        own = Certificate.read(certificate.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    if now < own.not_before:
        return f"the clock says {_shown(now)}, and the own certificate begins at {_shown(own.not_before)}"
    if now > own.not_after:
        return f"the clock says {_shown(now)}, and the own certificate ended at {_shown(own.not_after)}"
    return ""


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def wait(
    limit_s: float, doubted: Callable[[], str], synchronised: Callable[[], bool], say: Callable[[str], None]
) -> bool:
    """Wait until the clock can be right, or is synchronised; returns whether it came to that.

    Args:
        limit_s: after so many seconds it is given up: a device that cannot ask must still try its peers.
        doubted: tells why the clock cannot be right, or nothing.
        synchronised: tells whether a time server was heard.
        say: takes what happens, for the log.
    """
    why, began = doubted(), time.monotonic()
    if not why:
        return True
    say(f"{why}: waiting for a time server, {limit_s:g} s at most")
    while time.monotonic() - began < limit_s:
        if synchronised():
            say(f"the clock was set after {time.monotonic() - began:.1f} s; {doubted() or 'it can be right'}")
            return True
        time.sleep(_POLL_S)
    say(f"no time server was heard in {limit_s:g} s: going on, though {doubted() or why}")
    return False


def _synchronised() -> bool:
    try:
        ask()
        return status().synchronised
    except AgentError:
        return False


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="heiiki-agent clock", description="This device's clock.")
    parser.add_argument("action", choices=("status", "ask", "wait"))
    action = parser.parse_args(arguments).action
    if action == "ask":
        ask()
    if action != "wait":
        print(json.dumps(asdict(status())))
        return 0

    def say(text: str) -> None:
        print(f"clock: {text}", flush=True)

    return 0 if wait(WAIT_S, lambda: doubt(CERTIFICATE, datetime.now(UTC)), _synchronised, say) else 1
