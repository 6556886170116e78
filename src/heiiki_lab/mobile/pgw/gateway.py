"""The gateway: sessions, what answers each message, and the loop that serves."""

import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from heiiki_lab.mobile.pgw.config import Config, PgwError, Watched
from heiiki_lab.mobile.pgw.gtpv2 import (
    ACCEPTED,
    APN_ACCESS_DENIED,
    APN_RESTRICTION,
    BEARER_CONTEXT,
    CHARGING_ID,
    CONTEXT_NOT_FOUND,
    CREATE_SESSION,
    DELETE_SESSION,
    EBI,
    ECHO_REQUEST,
    ECHO_RESPONSE,
    MANDATORY_IE_MISSING,
    MODIFY_BEARER,
    PAA,
    RECOVERY,
    S5_PGW_CONTROL,
    S5_PGW_USER,
    MalformedError,
    Message,
    Request,
    cause,
    decode,
    element,
    encode,
    f_teid,
    parse_create_session,
)
from heiiki_lab.mobile.pgw.user_plane import KernelGtp, Session, SpoofFilter, run

STATE = Path("/var/lib/heiiki/pgw-sessions.json")
STATUS = Path("/run/heiiki/pgw.json")

_LOG = logging.getLogger("pgw")

_GTPC_PORT = 2123
_POLL_SECONDS = 1.0
FRESH_S = 5.0
"""The next report comes within so many seconds, on a machine that stalls too."""
_COUNT_SECONDS = 5.0
_REPEAT_SECONDS = 10.0  # T3-RESPONSE times N3-REQUESTS of the peer: as long a request may be repeated (7.6)
_MOST_ANSWERED = 4096


@dataclass
class Pgw:
    """The gateway: sessions, and what answers each message; `kernel`, `spoof_filter` are the user plane."""

    config: Config
    kernel: KernelGtp
    spoof_filter: SpoofFilter
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    refused: int = 0
    last_refusal: dict[str, object] | None = None
    _answered: dict[tuple[str, bytes], tuple[float, bytes]] = field(default_factory=dict)
    _count_due: float = 0.0
    _spoofed: int | None = None

    def restore(self) -> None:
        """Put the sessions of the last run back into the kernel."""
        if STATE.exists():
            saved = [Session(**entry) for entry in json.loads(STATE.read_text(encoding="ascii"))]
            self.sessions = {session.key: session for session in saved}
        for session in self.sessions.values():
            self.kernel.add(session)
        self.reconfigure(self.config)

    def reconfigure(self, config: Config) -> None:
        """Take up a new configuration; sessions that it does not know end, the others are not touched."""
        self.config = config
        for session in list(self.sessions.values()):
            if str(config.subscribers.get(session.key)) != session.address:
                self._end(session)
        for pool in config.pools.values():
            run("ip", "route", "replace", str(pool), "dev", config.interface)
        self._changed()

    def _end(self, session: Session) -> None:
        self.kernel.remove(session)
        self.sessions.pop(session.key, None)

    def _changed(self) -> None:
        self._answered.clear()
        self.spoof_filter.replace(list(self.sessions.values()))
        _write(STATE, json.dumps([asdict(session) for session in self.sessions.values()]))

    def handle(self, data: bytes, peer: str) -> bytes | None:
        """Return the answer to one datagram of `peer`, or None when there is none to give.

        Raises:
            MalformedError: it is not GTPv2-C.
        """
        kept = self._answered.get((peer, data))
        if kept and time.monotonic() - kept[0] < _REPEAT_SECONDS:
            return kept[1]
        message = decode(data)
        reply = self._answer(message)
        if reply is None:
            return None
        encoded = encode(reply)
        self._remember((peer, data), encoded)
        return encoded

    def _remember(self, request: tuple[str, bytes], reply: bytes) -> None:
        """Keep an answer while its request may be repeated, and a number of them: a peer sends freely."""
        now = time.monotonic()
        self._answered.pop(request, None)
        while self._answered:
            oldest = next(iter(self._answered))
            if len(self._answered) < _MOST_ANSWERED and now - self._answered[oldest][0] < _REPEAT_SECONDS:
                break
            del self._answered[oldest]
        self._answered[request] = now, reply

    def _answer(self, message: Message) -> Message | None:
        if message.type == ECHO_REQUEST:
            return Message(ECHO_RESPONSE, None, message.sequence, element(RECOVERY, b"\0"))
        if message.type == CREATE_SESSION:
            return self._create_session(message)
        if message.type in {DELETE_SESSION, MODIFY_BEARER}:
            return self._known_session(message)
        _LOG.info("message type %d is not answered", message.type)
        return None

    def _create_session(self, message: Message) -> Message:
        request = parse_create_session(message.ies)
        if request is None:
            return Message(CREATE_SESSION + 1, 0, message.sequence, cause(MANDATORY_IE_MISSING))
        address = self.config.subscribers.get((request.imsi, request.apn))
        if address is None:
            return self._refuse(request, message.sequence)
        session = self._new_session(request, address)
        self.kernel.add(session)
        self.sessions[session.key] = session
        self._changed()
        _LOG.info("%s at %r has %s", session.imsi, session.apn, session.address)
        return Message(
            CREATE_SESSION + 1, session.peer_control_teid, message.sequence, self._created(session)
        )

    def _refuse(self, request: Request, sequence: int) -> Message:
        self.refused += 1
        self.last_refusal = {"imsi": request.imsi, "apn": request.apn, "cause": APN_ACCESS_DENIED}
        _LOG.warning("refused %s at %r: not in the configuration", request.imsi, request.apn)
        return Message(CREATE_SESSION + 1, request.control[0], sequence, cause(APN_ACCESS_DENIED))

    @staticmethod
    def _new_session(request: Request, address: IPv4Address) -> Session:
        return Session(
            imsi=request.imsi,
            apn=request.apn,
            address=str(address),
            bearer=request.bearer,
            # Random and never zero: a tunnel of an earlier run is not met by chance.
            control_teid=secrets.randbelow(0xFFFFFFFE) + 1,
            user_teid=secrets.randbelow(0xFFFFFFFE) + 1,
            peer_control_teid=request.control[0],
            peer_user_teid=request.user[0],
            peer_user_address=str(request.user[1]),
        )

    def _created(self, session: Session) -> bytes:
        own = self.config.address
        context = b"".join(
            (
                element(EBI, bytes([session.bearer])),
                cause(ACCEPTED),
                f_teid(S5_PGW_USER, session.user_teid, own, 2),
                element(CHARGING_ID, session.user_teid.to_bytes(4, "big")),
            )
        )
        return b"".join(
            (
                cause(ACCEPTED),
                f_teid(S5_PGW_CONTROL, session.control_teid, own, 1),
                element(PAA, b"\x01" + IPv4Address(session.address).packed),
                element(APN_RESTRICTION, b"\0"),
                element(BEARER_CONTEXT, context),
            )
        )

    def _known_session(self, message: Message) -> Message:
        known = (each for each in self.sessions.values() if each.control_teid == message.teid)
        session = next(known, None)
        if session is None:
            return Message(message.type + 1, 0, message.sequence, cause(CONTEXT_NOT_FOUND))
        if message.type == DELETE_SESSION:
            self._end(session)
            self._changed()
            _LOG.info("%s left %r", session.imsi, session.apn)
        return Message(message.type + 1, session.peer_control_teid, message.sequence, cause(ACCEPTED))

    def report(self) -> None:
        """Write the status file; to be called every second, for `at` shows that the gateway is alive."""
        if time.monotonic() >= self._count_due:
            self._count_due = time.monotonic() + _COUNT_SECONDS
            self._spoofed = self.spoof_filter.count()
        now = time.monotonic()
        _write(STATUS, json.dumps({"pid": os.getpid(), "at": now, "due": now + FRESH_S, **self.status()}))

    def status(self) -> dict[str, object]:
        """What the status file shows; the count of spoofed packets is up to five seconds old."""
        sessions = [{"imsi": s.imsi, "apn": s.apn, "address": s.address} for s in self.sessions.values()]
        subscribers = [
            {"imsi": imsi, "apn": apn, "address": str(address)}
            for (imsi, apn), address in self.config.subscribers.items()
        ]
        return {
            "runs": {
                "address": str(self.config.address),
                "apns": {name: str(pool) for name, pool in self.config.pools.items()},
                "subscribers": subscribers,
            },
            "sessions": sessions,
            "refused": self.refused,
            "last_refusal": self.last_refusal,
            "spoofed": self._spoofed,
        }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="ascii")
    fresh.replace(path)


def _wait_for_config(watched: Watched) -> Config:
    while True:
        config = watched.read() if watched.changed() else None
        if config:
            return config
        time.sleep(_POLL_SECONDS)


def _open(address: IPv4Address) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND: the address may come after us
    sock.bind((str(address), _GTPC_PORT))
    sock.settimeout(_POLL_SECONDS)
    return sock


def serve(pgw: Pgw, sock: socket.socket, watched: Watched) -> None:
    """Answer until the configuration moves the gateway to another address or interface."""
    due = 0.0
    while True:
        try:
            data, (peer, _) = sock.recvfrom(4096)
            reply = pgw.handle(data, peer)
            if reply:
                # Not to the port it came from: NextEPC's SGW sends from one that it does not read.
                sock.sendto(reply, (peer, _GTPC_PORT))
        except TimeoutError:
            pass
        except (MalformedError, PgwError, OSError) as error:
            _LOG.warning("dropped a message: %s", error)
        if time.monotonic() >= due:
            due = time.monotonic() + _POLL_SECONDS
            if not _tick(pgw, watched):
                return


def _tick(pgw: Pgw, watched: Watched) -> bool:
    config = watched.read() if watched.changed() else None
    if config and (config.address, config.interface) != (pgw.config.address, pgw.config.interface):
        return False
    if config:
        pgw.reconfigure(config)
    pgw.report()
    return True


def main(arguments: Sequence[str]) -> int:
    """Run the gateway with the configuration file named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    watched = Watched(Path(arguments[0]))
    config = _wait_for_config(watched)
    spoof_filter = SpoofFilter(config.interface)
    run("nft", "-f", "-", text=spoof_filter.text())
    pgw = Pgw(config, KernelGtp(config.interface, config.mtu), spoof_filter)
    pgw.restore()
    with _open(config.address) as sock:
        _LOG.info("serving %d subscribers on %s", len(config.subscribers), config.address)
        serve(pgw, sock, watched)
    _LOG.info("address or interface changed: start again")
    return 1
