"""The eNB: S1AP to the MME, GTP-U to the SGW, and one radio link to each UE.

Real: S1AP over SCTP, GTP-U, path supervision by GTP-U Echo. Stand-in: the radio (see `radio`).

When the connection to the MME is lost the user plane goes on; when it is up again (S1 Setup), every UE is
told to attach again, because the MME has forgotten or will soon forget it. Echo only alarms: BFD end to end
decides routing. A user packet on a radio without a bearer is counted and dropped.

Run on the eNB node: ``python3 -m heiiki_lab.mobile.enb CONFIG``.
"""

import logging
import secrets
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from heiiki_lab.mobile import gtpu, radio, respawn, s1ap
from heiiki_lab.mobile.enb_config import Config, parse_config
from heiiki_lab.mobile.loop import Loop, write_status
from heiiki_lab.mobile.s1_mme import S1Mme
from heiiki_lab.mobile.s1ap import Bearer

STATUS = Path("/run/heiiki/enb.json")

_LOG = logging.getLogger("enb")

_ECHO_SECONDS = 0.5
_ECHO_LOST = 3
_STATUS_SECONDS = 1.0
_UNANSWERED = 2
_STALL_CHECK_SECONDS = 1.0
_PATIENCE_SECONDS = 3.0
_PATIENCE_MAXIMUM = 60.0
_DATAGRAM = 65536


@dataclass
class Connection:
    """One UE's connection: its context on the radio, its numbers on S1, its tunnel."""

    radio: "Radio"
    context: int
    enb_ue_id: int
    mme_ue_id: int | None = None
    teid: int | None = None
    bearer: Bearer | None = None
    waiting_since: float | None = None
    last_downlink: float = 0.0


@dataclass
class Radio:
    """One radio link: its socket, and the UE that is connected over it."""

    interface: str
    sock: socket.socket
    connection: Connection | None = None
    heard: float = 0.0
    dropped_unattached: int = 0
    unanswered: int = 0
    patience: float = _PATIENCE_SECONDS

    def send(self, frame: radio.Frame) -> None:
        """Send a frame; a link that is down loses it, as the air does."""
        try:
            radio.transmit(self.sock, self.interface, frame)
        except OSError as error:
            _LOG.debug("%s: %s", self.interface, error)

    @property
    def up(self) -> bool:
        """Whether the UE was heard within the supervision time."""
        return time.monotonic() - self.heard < radio.SUPERVISION_SECONDS * radio.SUPERVISION_LOST


@dataclass
class PathSupervision:
    """GTP-U Echo to the SGW (TS 29.281 7.2): alarms after three requests without an answer."""

    send: Callable[[bytes], None]
    up: bool = False
    _sequence: int = 0
    _missed: int = 0

    def tick(self) -> None:
        """Send the next request; to be called every half second."""
        if self._missed >= _ECHO_LOST and self.up:
            _LOG.warning("alarm: the SGW does not answer GTP-U Echo")
            self.up = False
        self._missed += 1
        self._sequence += 1
        self.send(gtpu.encode_echo(gtpu.Type.ECHO_REQUEST, self._sequence))

    def answered(self) -> None:
        """An Echo Response came."""
        if not self.up:
            _LOG.info("the SGW answers GTP-U Echo")
        self._missed, self.up = 0, True


@dataclass
class Enb:
    """The eNB itself."""

    config: Config
    loop: Loop = field(default_factory=Loop)
    radios: list[Radio] = field(default_factory=list)
    _by_enb_ue_id: dict[int, Connection] = field(default_factory=dict)
    _by_teid: dict[int, Connection] = field(default_factory=dict)
    _last_ue_id: int = 0

    def __post_init__(self) -> None:
        """Open the sockets of the user plane and of every radio."""
        self._s1 = S1Mme(self.loop, self.config, self._on_setup, self._on_s1ap)
        self._user = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._user.bind((str(self.config.s1_u), gtpu.PORT))
        self._user.settimeout(0)
        self._path = PathSupervision(self._send_to_sgw)
        self.radios = [Radio(name, radio.open_link(name)) for name in self.config.radios]

    def run(self) -> None:
        """Serve until killed."""
        self.loop.readable(self._user, self._on_user_plane)
        for each in self.radios:
            self.loop.readable(each.sock, self._reader(each))
        self._s1.start()
        self.loop.every(_ECHO_SECONDS, self._path.tick)
        self.loop.every(_STATUS_SECONDS, self._report)
        self.loop.every(_STALL_CHECK_SECONDS, self._release_stalled)
        self.loop.run()

    # --- radio ---

    def _reader(self, source: Radio) -> Callable[[], None]:
        def read() -> None:
            try:
                data = source.sock.recv(_DATAGRAM)
                self._on_frame(source, radio.decode(data))
            except (ValueError, OSError) as error:
                _LOG.debug("%s: %s", source.interface, error)

        return read

    def _on_frame(self, source: Radio, frame: radio.Frame) -> None:
        source.heard = time.monotonic()
        if frame.kind is radio.Kind.DATA:
            self._on_user_packet(source, frame)
        elif frame.kind is radio.Kind.SUPERVISE:
            known = source.connection.context if source.connection else 0
            service = radio.IN_SERVICE if self._s1.ready else radio.BARRED
            source.send(radio.Frame(radio.Kind.ALIVE, known, service))
        elif frame.kind is radio.Kind.NAS:
            self._on_nas(source, frame)

    def _on_user_packet(self, source: Radio, frame: radio.Frame) -> None:
        connection = source.connection
        if connection is None or connection.bearer is None or frame.context != connection.context:
            source.dropped_unattached += 1
            return
        connection.waiting_since = connection.waiting_since or time.monotonic()
        packet = gtpu.encode_g_pdu(connection.bearer.teid, frame.payload)
        self._send_user(packet, connection.bearer.address)

    def _on_nas(self, source: Radio, frame: radio.Frame) -> None:
        connection = source.connection
        if connection is not None and frame.context == connection.context:
            if connection.mme_ue_id is not None:
                pdu = s1ap.uplink_nas_transport(
                    self.config.cell, connection.mme_ue_id, connection.enb_ue_id, frame.payload
                )
                self._s1.send(pdu)
            return
        if frame.context == 0 and self._s1.ready:
            self._connect(source, frame.payload)

    def _connect(self, source: Radio, nas: bytes) -> None:
        if source.connection is not None:
            self._note_unanswered(source, source.connection)
            self._drop(source.connection)
        self._last_ue_id += 1
        connection = Connection(source, secrets.randbelow(0xFFFFFFFE) + 1, self._last_ue_id)
        source.connection = connection
        self._by_enb_ue_id[connection.enb_ue_id] = connection
        self._s1.send(s1ap.initial_ue_message(self.config.cell, connection.enb_ue_id, nas))

    def _note_unanswered(self, source: Radio, connection: Connection) -> None:
        """Count attaches that the MME neither served nor refused; after some, have it started again."""
        source.unanswered = 0 if connection.bearer else source.unanswered + 1
        if source.unanswered >= _UNANSWERED:
            _LOG.warning("alarm: attaches on %s stay without an answer", source.interface)
            source.unanswered = 0
            respawn.report_stuck(self.config.mme)

    def _drop(self, connection: Connection) -> None:
        self._by_enb_ue_id.pop(connection.enb_ue_id, None)
        if connection.teid is not None:
            self._by_teid.pop(connection.teid, None)
        if connection.radio.connection is connection:
            connection.radio.connection = None

    def _release(self, connection: Connection) -> None:
        connection.radio.send(radio.Frame(radio.Kind.RELEASE, connection.context))
        self._drop(connection)

    # --- S1-MME ---

    def _on_setup(self) -> None:
        for connection in list(self._by_enb_ue_id.values()):
            self._release(connection)

    def _on_s1ap(self, message: s1ap.Message) -> None:
        if message.name == "UEContextReleaseCommand":
            self._on_release_command(message)
            return
        connection = self._by_enb_ue_id.get(message.enb_ue_id or 0)
        if connection is None:
            _LOG.info("%s for no UE of ours %s", message.name, message.cause)
            return
        connection.mme_ue_id = message.mme_ue_id
        if message.name == "InitialContextSetupRequest":
            self._on_context_setup(connection, message)
        elif message.nas is not None:
            self._nas_down(connection, message.nas)

    def _nas_down(self, connection: Connection, nas: bytes) -> None:
        connection.radio.send(radio.Frame(radio.Kind.NAS, connection.context, nas))

    def _on_context_setup(self, connection: Connection, message: s1ap.Message) -> None:
        bearer, mme_ue_id = message.bearers[0], connection.mme_ue_id
        if mme_ue_id is None:
            return
        connection.bearer = bearer
        connection.teid = secrets.randbelow(0xFFFFFFFE) + 1
        self._by_teid[connection.teid] = connection
        self._s1.send(
            s1ap.initial_context_setup_response(
                mme_ue_id, connection.enb_ue_id, bearer.identity, self.config.s1_u, connection.teid
            )
        )
        self._nas_down(connection, bearer.nas)

    def _on_release_command(self, message: s1ap.Message) -> None:
        connection = self._by_enb_ue_id.get(message.enb_ue_id or 0)
        if message.mme_ue_id is not None and message.enb_ue_id is not None:
            self._s1.send(s1ap.context_release_complete(message.mme_ue_id, message.enb_ue_id))
        if connection is not None:
            _LOG.info("%s released: %s", connection.radio.interface, message.cause)
            self._release(connection)

    # --- S1-U ---

    def _send_to_sgw(self, data: bytes) -> None:
        self._send_user(data, self.config.sgw)

    def _send_user(self, data: bytes, address: IPv4Address) -> None:
        try:
            self._user.sendto(data, (str(address), gtpu.PORT))
        except OSError as error:
            _LOG.debug("S1-U: %s", error)

    def _on_user_plane(self) -> None:
        try:
            data, (peer, _) = self._user.recvfrom(_DATAGRAM)
            packet = gtpu.decode(data)
        except (ValueError, OSError) as error:
            _LOG.debug("S1-U: %s", error)
            return
        if packet.type == gtpu.Type.G_PDU:
            self._on_downlink(packet)
        elif packet.type == gtpu.Type.ECHO_RESPONSE:
            self._path.answered()
        elif packet.type == gtpu.Type.ECHO_REQUEST:
            answer = gtpu.encode_echo(gtpu.Type.ECHO_RESPONSE, packet.sequence)
            self._send_user(answer, IPv4Address(peer))

    def _on_downlink(self, packet: gtpu.Packet) -> None:
        connection = self._by_teid.get(packet.teid)
        if connection is not None:
            connection.waiting_since, connection.last_downlink = None, time.monotonic()
            connection.radio.patience = _PATIENCE_SECONDS
            connection.radio.send(radio.Frame(radio.Kind.DATA, connection.context, packet.payload))

    def _release_stalled(self) -> None:
        """Release a bearer that sends and gets nothing while others do: its session in the core is lost.

        NextEPC sends no Error Indication for it (TS 29.281 7.3.1). Where nothing comes down for anybody, the
        path is at fault, and attaching again would not help.
        """
        now = time.monotonic()
        bearers = [each for each in self._by_enb_ue_id.values() if each.bearer is not None]
        for each in bearers:
            others = any(now - other.last_downlink < _STALL_CHECK_SECONDS for other in bearers)
            if others and each.waiting_since and now - each.waiting_since > each.radio.patience:
                _LOG.warning("alarm: %s sends but nothing comes down", each.radio.interface)
                each.radio.patience = min(2 * each.radio.patience, _PATIENCE_MAXIMUM)
                self._release(each)

    # --- status ---

    def status(self) -> dict[str, Any]:
        """What the status file shows."""
        return {
            "s1": self._s1.ready,
            "s1_u_echo": self._path.up,
            "radios": {each.interface: _radio_status(each) for each in self.radios},
        }

    def _report(self) -> None:
        write_status(STATUS, self.status())


def _radio_status(each: Radio) -> dict[str, Any]:
    connection = each.connection
    return {
        "up": each.up,
        "attached": connection is not None and connection.bearer is not None,
        "dropped_unattached": each.dropped_unattached,
    }


def main() -> None:
    """Run the eNB with the configuration file named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    Enb(parse_config(Path(sys.argv[1]).read_text(encoding="utf-8"))).run()


if __name__ == "__main__":
    main()
