"""The eNB's association with the MME (S1-MME): S1AP over SCTP, set up again whenever it is lost."""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

from heiiki_lab.mobile import s1ap, sctp
from heiiki_lab.mobile.enb_config import Config
from heiiki_lab.mobile.loop import Loop

_LOG = logging.getLogger("enb")

_DATAGRAM = 65536
_RECONNECT_SECONDS = 0.3
_CONNECT_SECONDS = 1.5
# A busy MME answers late; given up too early, it answers a closed connection, and dies of that.
_SETUP_SECONDS = 6.0


@dataclass
class S1Mme:
    """The connection to the MME: connect, set up, and again when it is lost."""

    loop: Loop
    config: Config
    on_setup: Callable[[], None]
    on_message: Callable[[s1ap.Message], None]
    ready: bool = False
    _socket: socket.socket | None = None
    _attempt: int = 0

    def start(self) -> None:
        """Try to connect."""
        self._attempt += 1
        try:
            self._socket = sctp.connect(self.config.s1_mme, self.config.mme, s1ap.PORT, s1ap.PAYLOAD_PROTOCOL)
        except OSError as error:
            _LOG.info("no connection to the MME: %s", error)
            self.loop.later(_RECONNECT_SECONDS, self.start)
            return
        self.loop.writable(self._socket, self._connected)
        self._give_up_after(_CONNECT_SECONDS)

    def _give_up_after(self, seconds: float) -> None:
        attempt = self._attempt

        def check() -> None:
            if attempt == self._attempt and not self.ready:
                self._lost("no answer")

        self.loop.later(seconds, check)

    def _connected(self) -> None:
        sock = self._socket
        if sock is None:
            return
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._lost(f"error {error}")
            return
        self.loop.forget(sock)
        self.loop.readable(sock, self._readable)
        self.send(s1ap.s1_setup_request(self.config.cell))
        self._give_up_after(_SETUP_SECONDS)

    def _readable(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(_DATAGRAM)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(str(error))
            return
        if data:
            self._take(data)
        else:
            self._lost("closed by the MME")

    def _take(self, data: bytes) -> None:
        try:
            message = s1ap.parse(data)
        except ValueError as error:
            _LOG.warning("%s", error)
            return
        if message.name == "S1SetupResponse":
            _LOG.info("S1 is set up")
            self.ready = True
            self.on_setup()
        elif message.name == "S1SetupFailure":
            self._lost(f"S1 Setup Failure, {message.cause}")
        else:
            self.on_message(message)

    def _lost(self, why: str) -> None:
        if self._socket is None:
            return
        _LOG.warning("S1 is lost: %s", why)
        self.loop.forget(self._socket)
        self._socket.close()
        self._socket = None
        self._attempt += 1
        self.ready = False
        self.loop.later(_RECONNECT_SECONDS, self.start)

    def send(self, pdu: bytes) -> None:
        """Send a PDU; without a connection it is lost and the UE tries again."""
        if self._socket is None:
            return
        try:
            self._socket.send(pdu)
        except OSError as error:
            self._lost(str(error))
