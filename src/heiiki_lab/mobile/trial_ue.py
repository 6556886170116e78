"""One attach of a test UE, or packets as if it were attached: each prints one JSON line.

Run on a node with a radio link: ``python3 -m heiiki_lab.mobile.trial_ue CONFIG --usim FILE --apn NAME``,
or with ``--forge SOURCE DESTINATION COUNT``.
"""

import argparse
import json
import logging
import struct
import sys
import time
from dataclasses import asdict
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from heiiki_lab.mobile import radio
from heiiki_lab.mobile.loop import Loop
from heiiki_lab.mobile.nas import NasUe, Refusal, State
from heiiki_lab.mobile.sim_card import SimError, Usim, load_usim
from heiiki_lab.mobile.ue_radio import MEMORY, Config, RadioLink, parse_config

_ONCE_SECONDS = 10.0


_DETACH_SECONDS = 1.0


_UDP = 17


_LOG = logging.getLogger("ue")


class Attempt:
    """One attach, for a test: what the network said, and how long it took."""

    def __init__(self, config: Config, usim: Usim, apn: str) -> None:
        self._loop = Loop()
        self._radio = RadioLink(config)
        self._nas = NasUe(usim, apn, config.plmn, self._radio.send_nas)
        self._started = 0.0
        self._ended = False
        self._result: dict[str, Any] = {
            "outcome": "no_answer",
            "procedure": "Attach Request",
            "protocol": None,
        }

    def run(self) -> dict[str, Any]:
        """Attach, leave again, and return the outcome."""
        self._loop.readable(self._radio.sock, self._on_frame)
        self._loop.later(_ONCE_SECONDS, self._loop.stop)
        self._started = time.monotonic()
        self._nas.attach()
        self._loop.run()
        return self._result

    def _on_frame(self) -> None:
        frame = self._radio.receive()
        if frame is not None and frame.kind is radio.Kind.RELEASE and self._ended:
            self._loop.stop()
        if frame is None or frame.kind is not radio.Kind.NAS:
            return
        self._radio.context = frame.context
        before = self._nas.state
        self._nas.receive(frame.payload)
        if self._nas.state is before:
            return
        if self._nas.state is State.ATTACHED:
            self._end("attached", Refusal("Attach Accept", "EMM", 0))
            self._nas.detach()
        elif self._nas.state is State.REFUSED:
            self._end("refused", self._nas.refusal)

    def _end(self, outcome: str, said: Refusal | None) -> None:
        seconds = round(time.monotonic() - self._started, 3)
        address = str(self._nas.address) if self._nas.address else None
        self._result = {"outcome": outcome, **(asdict(said) if said else {})}
        self._result |= {"address": address, "seconds": seconds}
        self._ended = True
        self._loop.later(_DETACH_SECONDS, self._loop.stop)


def forge(config: Config, source: IPv4Address, destination: IPv4Address, count: int) -> dict[str, Any]:
    """Send `count` UDP packets on the radio as an attached UE would, without being one."""
    link = RadioLink(config)
    udp = struct.pack("!HHHH", 9, 9, 8, 0)
    for identity in range(count):
        header = struct.pack("!BBHHHBBH", 0x45, 0, 28, identity, 0, 64, _UDP, 0)
        unsummed = header + source.packed + destination.packed
        checksum = struct.pack("!H", _checksum(unsummed))
        link.send(radio.Kind.DATA, unsummed[:10] + checksum + unsummed[12:] + udp)
    return {"sent": count}


def _checksum(header: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="trial_ue", description="A test UE of the lab.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--usim", type=Path)
    parser.add_argument("--apn", default="")
    parser.add_argument("--forge", nargs=3, metavar=("SOURCE", "DESTINATION", "COUNT"))
    return parser.parse_args()


def main() -> int:
    """Make one attempt, or forge packets."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = parse_config(arguments.config.read_text(encoding="utf-8"))
    if arguments.forge:
        source, destination, count = arguments.forge
        result = forge(config, IPv4Address(source), IPv4Address(destination), int(count))
    else:
        try:
            result = Attempt(config, load_usim(arguments.usim, MEMORY), arguments.apn).run()
        except SimError as error:
            _LOG.error("%s", error)
            return 2
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
