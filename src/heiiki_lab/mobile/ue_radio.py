"""The UE's end of its radio link, and the configuration of the modem."""

import json
import logging
import socket
from dataclasses import dataclass, field
from pathlib import Path

from heiiki_lab.mobile import radio

_DATAGRAM = 65536

MEMORY = Path("/var/lib/heiiki-sim")
"""Where a SIM card keeps its sequence numbers."""

_LOG = logging.getLogger("ue")


@dataclass(frozen=True, slots=True)
class Config:
    """The UE's end of its radio link, and the network it is in."""

    interface: str
    plmn: bytes
    mtu: int


def parse_config(text: str) -> Config:
    """Read the configuration file that `core.files` wrote."""
    data = json.loads(text)
    return Config(data["interface"], bytes.fromhex(data["plmn"]), data["mtu"])


@dataclass
class RadioLink:
    """The UE's end of the radio: sends frames, and keeps the context that the eNB gave."""

    config: Config
    context: int = 0
    missed: int = radio.SUPERVISION_LOST
    in_service: bool = False
    sock: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        """Open the socket on the radio link alone."""
        self.sock = radio.open_link(self.config.interface)

    @property
    def up(self) -> bool:
        """Whether the eNB answered one of the last three supervision frames."""
        return self.missed <= radio.SUPERVISION_LOST

    def send(self, kind: radio.Kind, payload: bytes = b"") -> None:
        """Send a frame; a link that is down loses it."""
        frame = radio.Frame(kind, self.context, payload)
        try:
            radio.transmit(self.sock, self.config.interface, frame)
        except OSError as error:
            _LOG.debug("radio: %s", error)

    def receive(self) -> radio.Frame | None:
        """Return the frame that waits, if it is one."""
        try:
            return radio.decode(self.sock.recv(_DATAGRAM))
        except (ValueError, OSError) as error:
            _LOG.debug("radio: %s", error)
            return None

    def supervise(self) -> None:
        """Ask whether the eNB is there; to be called every 200 ms."""
        self.missed += 1
        self.send(radio.Kind.SUPERVISE)

    def alive(self, frame: radio.Frame) -> None:
        """The eNB answered, and says whether it can serve an attach."""
        self.missed, self.in_service = 0, frame.payload == radio.IN_SERVICE

    def send_nas(self, message: bytes) -> None:
        """Send a NAS message."""
        self.send(radio.Kind.NAS, message)
