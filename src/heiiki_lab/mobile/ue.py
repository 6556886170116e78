"""The modem of an LTE gateway: SIM, NAS, radio link, and the interface ``wwan0``.

Real: EPS-AKA in the SIM, NAS with integrity and ciphering, the APN and the address. Stand-in: the radio.

It waits for the SIM (`/etc/heiiki-sim/usim.json`) and the APN (`/etc/heiiki/wwan.json`),
attaches, and attaches again whenever the network has lost it. Single attempts are `trial_ue`'s.

Run on a gateway: ``python3 -m heiiki_lab.mobile.ue CONFIG``.
"""

import json
import logging
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from heiiki_lab.mobile import modem_manager, radio
from heiiki_lab.mobile.loop import Loop, write_status
from heiiki_lab.mobile.nas import NasUe, State
from heiiki_lab.mobile.sim_card import SimError, Usim, load_usim
from heiiki_lab.mobile.ue_radio import MEMORY, Config, RadioLink, parse_config
from heiiki_lab.mobile.wwan import Wwan

CONFIG = Path("/etc/heiiki-sim/modem.json")
USIM = Path("/etc/heiiki-sim/usim.json")
APN = Path("/etc/heiiki/wwan.json")
STATUS = Path("/run/heiiki/ue.json")
INTERFACE = "wwan0"

_LOG = logging.getLogger("ue")

_BACK_OFF_SECONDS = 1.0
_BACK_OFF_MAXIMUM = 4.0
_ATTEMPT_SECONDS = 6.0
_POLL_SECONDS = 1.0


@dataclass
class Status:
    """What the status file shows."""

    state: str = "off"
    imsi: str | None = None
    apn: str | None = None
    address: str | None = None
    interface: str = INTERFACE
    since: float = field(default_factory=time.time)
    attaches: int = 0
    refusal: dict[str, Any] | None = None


class Modem:
    """The permanent service: keeps the gateway attached."""

    def __init__(self, config: Config) -> None:
        self._loop = Loop()
        self._radio = RadioLink(config)
        self._plmn = config.plmn
        self._wwan = Wwan(INTERFACE, config.mtu)
        self._status = Status()
        self._usim: Usim | None = None
        self._apn: str | None = None
        self._nas: NasUe | None = None
        self._attempt = 0
        self._back_off = _BACK_OFF_SECONDS
        self._due = 0.0

    def run(self) -> None:
        """Serve until killed."""
        self._loop.readable(self._radio.sock, self._on_frame)
        self._loop.readable(self._wwan, self._on_packet)
        self._loop.every(_POLL_SECONDS, self._read_files)
        self._loop.every(radio.SUPERVISION_SECONDS, self._tick)
        self._loop.every(_POLL_SECONDS, self._report)
        self._loop.run()

    # --- what it is told ---

    def _read_files(self) -> None:
        apn = _read_apn(APN)
        if self._usim is None and USIM.exists():
            self._usim = _load(USIM)
        if apn == self._apn:
            return
        _LOG.info("APN %s", apn)
        self._leave()
        self._apn = apn
        self._status.apn = apn
        self._due = 0.0

    def _leave(self) -> None:
        if self._nas is not None and self._nas.state is State.ATTACHED:
            self._nas.detach(switch_off=True)
        self._nas = None
        self._radio.context = 0

    # --- what it does ---

    def _tick(self) -> None:
        self._radio.supervise()
        if self._usim is None or self._apn is None:
            self._show("off")
        elif not self._radio.up or (self._nas is None and not self._radio.in_service):
            self._show("searching")
        elif self._nas is None and time.monotonic() >= self._due:
            self._attach(self._usim, self._apn)
        elif self._nas is not None and self._nas.state is State.ATTACHED:
            self._show("attached")

    def _attach(self, usim: Usim, apn: str) -> None:
        self._attempt += 1
        self._radio.context = 0
        self._nas = NasUe(usim, apn, self._plmn, self._radio.send_nas)
        self._status.imsi = usim.imsi
        self._show("attaching")
        self._nas.attach()
        self._loop.later(_ATTEMPT_SECONDS, self._timeout_of(self._attempt))

    def _timeout_of(self, attempt: int) -> Any:
        def check() -> None:
            if attempt == self._attempt and self._nas is not None and self._nas.state is not State.ATTACHED:
                _LOG.warning("no answer to the attach in %s s", _ATTEMPT_SECONDS)
                self._again(_BACK_OFF_SECONDS)

        return check

    def _again(self, seconds: float) -> None:
        self._nas = None
        self._due = time.monotonic() + seconds

    def _on_frame(self) -> None:
        frame = self._radio.receive()
        if frame is None:
            return
        if frame.kind is radio.Kind.DATA:
            self._on_user_packet(frame)
        elif frame.kind is radio.Kind.NAS:
            self._on_nas(frame)
        elif frame.kind is radio.Kind.RELEASE:
            self._on_release(frame.context)
        elif frame.kind is radio.Kind.ALIVE:
            self._radio.alive(frame)
            if self._attached and frame.context != self._radio.context:
                self._on_release(self._radio.context)

    @property
    def _attached(self) -> bool:
        return self._nas is not None and self._nas.state is State.ATTACHED

    def _on_user_packet(self, frame: radio.Frame) -> None:
        if self._attached and frame.context == self._radio.context:
            self._wwan.write(frame.payload)

    def _on_packet(self) -> None:
        packet = self._wwan.read()
        if self._attached:
            self._radio.send(radio.Kind.DATA, packet)

    def _on_release(self, context: int) -> None:
        """The network let go of us: attach again at once, unless a refusal asks for patience."""
        if self._nas is None or context != self._radio.context:
            return
        if self._nas.state in {State.ATTACHED, State.ATTACHING}:
            _LOG.info("released by the network")
            self._again(0.0)

    def _on_nas(self, frame: radio.Frame) -> None:
        nas = self._nas
        if nas is None:
            return
        self._radio.context = self._radio.context or frame.context
        if frame.context != self._radio.context:
            return
        before = nas.state
        nas.receive(frame.payload)
        if nas.state is State.ATTACHED and before is not State.ATTACHED:
            self._on_attached(nas)
        elif nas.state is State.REFUSED and before is not State.REFUSED:
            self._on_refused(nas)
        elif nas.state is State.DETACHED:
            self._again(_BACK_OFF_SECONDS)

    def _on_attached(self, nas: NasUe) -> None:
        self._back_off = _BACK_OFF_SECONDS
        if nas.address is not None:
            self._wwan.assign(nas.address)
            self._status.address = str(nas.address)
        self._status.attaches += 1
        self._show("attached")

    def _on_refused(self, nas: NasUe) -> None:
        if nas.refusal is not None:
            self._status.refusal = {**asdict(nas.refusal), "at": time.time()}
        self._again(self._back_off)
        self._back_off = min(2 * self._back_off, _BACK_OFF_MAXIMUM)
        self._report()

    def _show(self, state: str) -> None:
        if state == self._status.state:
            return
        _LOG.info("%s (was %s)", state, self._status.state)
        self._status.state, self._status.since = state, time.time()
        self._report()

    def _report(self) -> None:
        write_status(STATUS, asdict(self._status))
        seen = self._status
        modem_manager.show(
            {
                "modem": modem_manager.modem(seen.state, self._plmn, sim=self._usim is not None),
                "bearer": modem_manager.bearer(seen.state, seen.interface, seen.apn, seen.address),
            }
        )


def _read_apn(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["apn"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        _LOG.warning('%s: no APN in it (%s); write {"apn": NAME}', path, error)
        return None


def _load(path: Path) -> Usim | None:
    try:
        return load_usim(path, MEMORY)
    except SimError as error:
        _LOG.warning("%s", error)
        return None


def main() -> None:
    """Run the modem with the configuration file named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    Modem(parse_config(Path(sys.argv[1]).read_text(encoding="utf-8"))).run()


if __name__ == "__main__":
    main()
