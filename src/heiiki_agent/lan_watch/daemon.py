"""The loop of the watch, and its command line."""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from heiiki_agent import config, files, status
from heiiki_agent.errors import AgentError
from heiiki_agent.lan_watch.arp import Port
from heiiki_agent.lan_watch.beyond import ZEBRA, Beyond
from heiiki_agent.lan_watch.decision import Fitness, Watch
from heiiki_agent.lan_watch.route import LanRoute
from heiiki_agent.lan_watch.settings import FAULT, Settings
from heiiki_agent.ready import readable

STATE = Path("/run/heiiki/lan_watch.json")
UNIT = "heiiki-lan-watch"
HEARTBEAT_NS = 1_000_000_000
FRESH_S = 3.0

_log = logging.getLogger("lan_watch")


class Daemon:
    """The loop: probe, listen, judge, put or remove the route, tell keepalived, report."""

    def __init__(
        self,
        file: Path,
        settings: Settings,
        state: Path = STATE,
        fault: Path = FAULT,
        zebra: Path = ZEBRA,
    ) -> None:
        """Watch as `settings`, read from `file`, says; report to `state`, and to keepalived by `fault`."""
        self._file, self._state, self._fault, self._zebra = file, state, fault, zebra
        self._reread = False
        self._complaint = ""
        self._begin(settings, alive=None)

    def _begin(self, settings: Settings, *, alive: bool | None) -> None:
        self._settings = settings
        self._port, self._route = Port(settings), LanRoute(settings)
        self._beyond = Beyond(settings.beyond, self._zebra)
        self._fitness = Fitness(settings.lost)
        self._watch = Watch(settings.probe_ns, settings.lost, time.monotonic_ns(), alive=alive)
        self._since, self._reported = time.time(), 0

    def run(self) -> NoReturn:
        """Run until a signal ends the process."""
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
        signal.signal(signal.SIGHUP, self._remember)
        while True:
            self._listen()
            self._step()

    def _remember(self, *_: object) -> None:
        self._reread = True

    def _listen(self) -> None:
        """Gather answers until the next probe is due.

        While the LAN is alive they are not waited for, so they are read when it is due: waking up once for
        each is half of what the watch costs.
        """
        while (wait := self._watch.due - time.monotonic_ns()) > 0:
            descriptor = self._port.fileno()
            if self._watch.alive or descriptor is None:
                time.sleep(wait / 1e9)
            else:
                readable((descriptor,), wait / 1e9)
                self._note_answers()
        self._note_answers()

    def _note_answers(self) -> None:
        for target in self._port.answers(stand_in=not self._watch.alive):
            self._watch.answer(target, time.monotonic_ns())

    def _step(self) -> None:
        if self._reread:
            self._reread = False
            self._read_again()
        running = self._port.running()
        now = time.monotonic_ns()
        changed = self._watch.tick(now, running=running)
        if changed:
            self._since = time.time()
        self._judge_gateway()
        if changed or now - self._reported >= HEARTBEAT_NS:
            self._hold_route(changed=changed)
            self._report(now)
        if running:
            self._port.probe()

    def _judge_gateway(self) -> None:
        """Let keepalived hold the virtual address only while this gateway is of use to the LAN."""
        try:
            changed = self._fitness.tick(alive=self._watch.alive, route=self._beyond.reached())
            if changed:
                self._fault.parent.mkdir(parents=True, exist_ok=True)
                files.write(self._fault, f"{int(not self._fitness.fit)}\n")
        except OSError as error:
            self._fitness.fit = None
            self._complain(f"{self._settings.beyond}: {error}")
            return
        if changed:
            _log.warning("the virtual address: %s", "allowed" if self._fitness.fit else "refused")

    def _hold_route(self, *, changed: bool) -> None:
        """Bring the route to the verdict; again at every heartbeat, others may have flushed it."""
        alive = self._watch.alive
        try:
            if alive:
                self._route.put()
            elif alive is False:
                self._route.remove()
        except OSError as error:
            self._complain(f"{self._settings.prefix}: {error}")
        else:
            self._complaint = ""
        if changed:
            _log.warning("LAN %s: %s", self._settings.prefix, "alive" if alive else "dead: route removed")

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            _log.error("%s", text)
        self._complaint = text

    def _report(self, now: int) -> None:
        self._reported = now
        seen = self._watch.seen
        facts = {
            "alive": self._watch.alive is True,
            "decided": self._watch.alive is not None,
            "since": round(self._since, 3),
            "fit": self._fitness.fit is True,
            "watches": {
                "interface": self._settings.interface,
                "prefix": str(self._settings.prefix),
                "source": str(self._settings.source),
                "targets": [str(target) for target in self._settings.targets],
                "beyond": str(self._settings.beyond),
                "probe_ms": self._settings.probe_ms,
                "lost": self._settings.lost,
            },
            "targets": {
                str(target): (now - seen[target]) // 1_000_000 if target in seen else None
                for target in self._settings.targets
            },
        }
        try:
            status.report(self._state, FRESH_S, facts)
        except OSError as error:
            self._complain(f"{self._state}: {error}")

    def _read_again(self) -> None:
        """Read the file again; a wrong one changes nothing."""
        try:
            settings = config.read(Settings, self._file)
        except AgentError as error:
            _log.error("still as before: %s", error)
            return
        old, verdict = self._settings, self._watch.alive
        same = (old.interface, old.prefix, old.source) == (
            settings.interface,
            settings.prefix,
            settings.source,
        )
        if not same:
            with suppress(OSError):  # a route that cannot be removed went with its port
                self._route.remove()
        self._port.close()
        self._route.close()
        self._beyond.close()
        self._begin(settings, alive=verdict if same else None)


def _leave(*_: object) -> NoReturn:
    # The route stays: a restart of the watch must not interrupt traffic.
    sys.exit(0)


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="heiiki-agent lan-watch")
    parser.add_argument("file", help="the configuration, or `status`")
    file = parser.parse_args(arguments).file
    if file == "status":
        return status.check(STATE, UNIT)
    settings = config.read(Settings, Path(file))
    return Daemon(Path(file), settings).run()
