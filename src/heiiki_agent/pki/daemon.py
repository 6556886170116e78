"""The loop of `watch`: pulls CRLs at intervals, and has IKE SAs re-authenticated when that is due."""

import logging
import math
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from heiiki_agent import config, status
from heiiki_agent.errors import AgentError
from heiiki_agent.pki import mirrors
from heiiki_agent.pki.associations import Basis, reauthenticate
from heiiki_agent.pki.crl import Bare, pull, source
from heiiki_agent.pki.report import shown
from heiiki_agent.pki.revival import Revival
from heiiki_agent.pki.settings import STATE, Settings
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.supervision import Supervision
from heiiki_agent.pki.time_limit import limited

if TYPE_CHECKING:
    from collections.abc import Iterator

PULL_S = 20
MIRRORS_S = 15
BACK_OFF_S = 60.0
GRACE_S = 30.0
JITTER = 0.1

_log = logging.getLogger("credentials")


class Daemon:
    """The loop of `watch`."""

    def __init__(self, file: Path, state: Path = STATE) -> None:
        """Pull as `file` says, and report to `state`; a wrong file raises AgentError."""
        self._file, self._state = file, state
        self._settings = self._read()
        self._bare: Bare = {}
        self._failures = 0
        self._complaint = ""
        self._pulled: float | None = None
        self._basis: Basis | None = None
        self._steps: Iterator[float] | None = None
        self._due = 0.0
        self._supervision = Supervision()
        self._silent: dict[str, float] | None = None
        self._revival = Revival()

    def _read(self) -> Settings:
        settings = config.read(Settings, self._file)
        source(settings)
        return settings

    def run(self) -> NoReturn:
        """Run until a signal ends the process."""
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        # Blocked but while waiting: a SIGHUP that comes during a pull is not lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        self._report(0.0)
        while True:
            self.step()
            self.compare()
            self.supervise()
            self.revive()
            wait = self.wait_s()
            self._report(wait)
            if self._called_within(wait):
                self._read_again()

    def _called_within(self, seconds: float) -> bool:
        """Wait, and have IKE SAs re-authenticated meanwhile; tells whether a SIGHUP ended it."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if signal.sigtimedwait({signal.SIGHUP}, min(left, self.go_on())) is not None:
                return True
        return False

    def compare(self) -> None:
        """Begin re-authentication if what the IKE SAs rest on no longer holds, and users have loaded that."""
        store = Store(self._settings.folder)
        try:
            if not self._settings.associations or store.read("loaded") != store.digest():
                return
            basis = Basis.of(store)
        except AgentError as error:
            _log.error("%s", error)
            return
        before = self._basis or Basis.kept(store)
        if basis.holds(before):
            if self._basis is None and basis != before:
                basis.keep(store)  # a peer that comes from now on may rest on a CA that is new
        else:
            self._basis, self._steps, self._due = basis, reauthenticate(store, basis), 0.0

    def go_on(self) -> float:
        """Take the next step of what `compare` began, if it is due; returns the seconds until the next."""
        if self._steps is None:
            return math.inf
        # A pull or a signal may have cut the wait short: the peer asked last gets its time all the same.
        if (left := self._due - time.monotonic()) > 0:
            return left
        try:
            wait = next(self._steps)
        except StopIteration:
            pass
        except AgentError as error:
            _log.error("IKE SAs did not re-authenticate, it is tried again: %s", error)
        else:
            self._due = time.monotonic() + wait
            return wait
        self._basis = self._steps = None
        return math.inf

    def step(self) -> None:
        """Pull once; whatever goes wrong is said once and tried again."""
        try:
            with limited(PULL_S, "pull"):
                done = pull(self._settings, self._bare)
        except (AgentError, OSError, ValueError) as error:
            self._failures += 1
            self._complain(f"{error}{self._from_mirrors()}")
            return
        self._failures, self._pulled = 0, time.time()
        self._complain("; ".join(done["refused"]))

    def _from_mirrors(self) -> str:
        """Take what mirrors have, where there are any, and return how that went."""
        if not source(self._settings).mirrors:
            return ""
        try:
            with limited(MIRRORS_S, "pull from mirrors"):
                done = mirrors.pull(self._settings)
        except (AgentError, OSError, ValueError) as error:
            return f"; nor does a mirror: {error}"
        refused = "".join(f"; {one}" for one in done["refused"])
        return f"; meanwhile the CRLs of {', '.join(done['answered'])} are taken{refused}"

    def supervise(self) -> None:
        """Look which gateways are heard; None is reported where that cannot be known."""
        try:
            supervised = self._settings.supervised
            self._silent = self._supervision.look(supervised) if supervised else {}
        except AgentError as error:
            self._silent = None
            _log.error("whether gateways are heard is not known: %s", error)

    def revive(self) -> None:
        """Begin again what the kernel would not, since its clock was set back."""
        try:
            if begun := self._revival.look(self._settings.initiated):
                _log.warning("begun again, since the clock was set back: %s", ", ".join(begun))
        except AgentError as error:
            _log.error("connections without an IKE SA cannot be begun: %s", error)

    def wait_s(self) -> float:
        """Seconds until the next pull: not all devices at once, and longer while Vault is away."""
        every = float(source(self._settings).every_s)
        if self._failures:
            every = min(every * 2**self._failures, max(every, BACK_OFF_S))
        return every * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter is no secret

    def _complain(self, text: str) -> None:
        """Say what is wrong when it begins, and that it is over."""
        if text and text != self._complaint:
            _log.error("%s%s", text, self._deadline())
        elif self._complaint and not text:
            _log.warning("all is well again")
        self._complaint = text

    def _deadline(self) -> str:
        """How long peers are still accepted with the CRLs that are here."""
        lists = Store(self._settings.folder).lists()
        if not lists:
            return "; there is no CRL here: no peer is accepted until there is one"
        first = min(lists, key=lambda item: item.next_update)
        return f"; the CRLs here are good until {shown(first.next_update)}, then no new peer is accepted"

    def _report(self, wait: float) -> None:
        facts: dict[str, object] = {
            "pulled": self._pulled,
            "failures": self._failures,
            "problem": self._complaint,
        }
        if self._settings.supervised:
            facts["silent"] = self._silent
        try:
            status.report(self._state, wait + PULL_S + MIRRORS_S + GRACE_S, facts)
        except OSError as error:
            _log.error("%s: cannot be written: %s", self._state, error)

    def _read_again(self) -> None:
        """Read the file again; a wrong one changes nothing."""
        try:
            self._settings = self._read()
        except AgentError as error:
            _log.error("still as before: %s", error)


def _leave(*_: object) -> NoReturn:
    sys.exit(0)
