"""Answers NextEPC's HSS in place of a MongoDB server, from the file of subscribers that a role writes.

Only what the HSS asks is answered: the handshake, `find` by IMSI, and `update` of the sequence number. The
random challenge is never given back, so that the HSS makes a fresh one for every attach; the sequence
numbers are kept over a restart.

Run on the HSS node: ``python3 -m heiiki_lab.mobile.subscriber_db SUBSCRIBERS STATE``.
"""

import asyncio
import json
import logging
import os
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heiiki_lab.mobile import bson
from heiiki_lab.mobile.bson import Int64

ADDRESS = "127.0.0.1"
PORT = 27017

_LOG = logging.getLogger(__name__)

_HEADER = struct.Struct("<iiii")
_OP_REPLY = 1
_OP_QUERY = 2004
_OP_MSG = 2013
_WIRE_VERSION = 13
_SEQUENCE_BITS = (1 << 48) - 1
# A new SIM has seen number 0 (TS 33.102 C.1.2), which therefore is never used; five bits of it are an index.
_FIRST_SEQUENCE = 32

# TS 29.272: no restriction but "handover to non-3GPP", service granted, packets only, timers in units of 6
# minutes.
_ACCESS_RESTRICTION = 32
_PACKET_ONLY = 2
_PERIODIC_TIMER = 12
_RATE_KBPS = Int64(1_024_000)
_BEST_EFFORT = 9
_IPV4 = 0


@dataclass
class Subscribers:
    """The subscribers of the file, read again whenever it changes, with their sequence numbers.

    Args:
        path: JSON file ``{"subscribers": [{"imsi", "k", "opc", "apns", "amf"?}]}``.
        state: file that keeps the sequence numbers.
    """

    path: Path
    state: Path
    _entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    _sequence: dict[str, int] = field(default_factory=dict)
    _read: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Take up the sequence numbers of the last run."""
        if self.state.exists():
            self._sequence = json.loads(self.state.read_text(encoding="ascii"))

    def _refresh(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._entries, self._read = {}, None
            return
        if self._read == (status.st_mtime_ns, status.st_ino):
            return
        try:
            entries = json.loads(self.path.read_text(encoding="utf-8"))["subscribers"]
            self._entries = {entry["imsi"]: entry for entry in entries}
        except (ValueError, KeyError, TypeError) as error:
            _LOG.error("%s is no file of subscribers (%s); the last good one stays", self.path, error)
        self._read = (status.st_mtime_ns, status.st_ino)
        _LOG.info("%d subscribers from %s", len(self._entries), self.path)

    def find(self, imsi: str) -> dict[str, Any] | None:
        """Return the document of `imsi` as the HSS expects it, or None."""
        self._refresh()
        entry = self._entries.get(imsi)
        return None if entry is None else self._document(entry)

    def _document(self, entry: dict[str, Any]) -> dict[str, Any]:
        rate = {"uplink": _RATE_KBPS, "downlink": _RATE_KBPS}
        return {
            "imsi": entry["imsi"],
            "security": {
                "k": entry["k"],
                "opc": entry["opc"],
                "amf": entry.get("amf", "8000"),
                "sqn": Int64(self._sequence.get(entry["imsi"], _FIRST_SEQUENCE)),
            },
            "access_restriction_data": _ACCESS_RESTRICTION,
            "subscriber_status": 0,
            "network_access_mode": _PACKET_ONLY,
            "subscribed_rau_tau_timer": _PERIODIC_TIMER,
            "ambr": rate,
            "pdn": [_pdn(apn, rate) for apn in entry["apns"]],
        }

    def update(self, imsi: str, change: dict[str, Any]) -> bool:
        """Apply ``$set``, ``$inc`` or ``$bit`` to the sequence number of `imsi`; False if it is unknown."""
        self._refresh()
        if imsi not in self._entries:
            return False
        number = self._sequence.get(imsi, _FIRST_SEQUENCE)
        number = change.get("$set", {}).get("security.sqn", number)
        number += change.get("$inc", {}).get("security.sqn", 0)
        number &= change.get("$bit", {}).get("security.sqn", {}).get("and", _SEQUENCE_BITS)
        self._sequence[imsi] = int(number)
        self._store()
        return True

    def _store(self) -> None:
        self.state.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.state.with_suffix(".new")
        fresh.write_text(json.dumps(self._sequence), encoding="ascii")
        fresh.replace(self.state)


def _pdn(apn: str, rate: dict[str, Any]) -> dict[str, Any]:
    priority = {"priority_level": 8, "pre_emption_capability": 1, "pre_emption_vulnerability": 1}
    return {
        "apn": apn,
        "type": _IPV4,
        "qos": {"qci": _BEST_EFFORT, "arp": priority},
        "ambr": rate,
        "pcc_rule": [],
    }


def answer(subscribers: Subscribers, command: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to one MongoDB command document."""
    name = next(iter(command), "")
    if name.lower() in {"ismaster", "hello"}:
        return _handshake()
    if name == "find":
        document = subscribers.find(str(command.get("filter", {}).get("imsi", "")))
        batch = [document] if document else []
        namespace = f"{command.get('$db', 'nextepc')}.{command['find']}"
        return {"cursor": {"id": Int64(0), "ns": namespace, "firstBatch": batch}, "ok": 1.0}
    if name == "update":
        changed = sum(
            subscribers.update(str(each["q"].get("imsi")), each["u"]) for each in command["updates"]
        )
        return {"n": changed, "nModified": changed, "ok": 1.0}
    if name in {"ping", "serverStatus", "endSessions"}:
        return {"ok": 1.0}
    return {"ok": 0.0, "errmsg": f"no such command: {name}", "code": 59}


def _handshake() -> dict[str, Any]:
    return {
        "ismaster": True,
        "isWritablePrimary": True,
        "maxBsonObjectSize": 16 << 20,
        "maxMessageSizeBytes": 48_000_000,
        "maxWriteBatchSize": 100_000,
        "minWireVersion": 0,
        "maxWireVersion": _WIRE_VERSION,
        "readOnly": False,
        "ok": 1.0,
    }


def decode_message(body: bytes) -> dict[str, Any]:
    """Read an OP_MSG body into one command document; document sequences become lists in it."""
    command: dict[str, Any] = {}
    position = 4
    while position < len(body):
        kind, position = body[position], position + 1
        if kind == 0:
            document, length = bson.decode(body[position:])
            command = {**document, **command}
            position += length
        else:
            (length,) = struct.unpack_from("<i", body, position)
            name, documents = _sequence(body[position + 4 : position + length])
            command[name] = documents
            position += length
    return command


def _sequence(section: bytes) -> tuple[str, list[dict[str, Any]]]:
    end = section.index(b"\0")
    documents = []
    position = end + 1
    while position < len(section):
        document, length = bson.decode(section[position:])
        documents.append(document)
        position += length
    return section[:end].decode(), documents


def decode_query(body: bytes) -> dict[str, Any]:
    """Read the command of a legacy OP_QUERY body, with which a client greets."""
    end = body.index(b"\0", 4)
    return bson.decode(body[end + 9 :])[0]


def respond(subscribers: Subscribers, request: int, operation: int, body: bytes) -> bytes:
    """Return the octets of the answer to one request.

    Raises:
        ValueError: the operation or its body is not MongoDB's.
    """
    if operation == _OP_MSG:
        document = bson.encode(answer(subscribers, decode_message(body)))
        content, code = struct.pack("<I", 0) + b"\0" + document, _OP_MSG
    elif operation == _OP_QUERY:
        document = bson.encode(answer(subscribers, decode_query(body)))
        content, code = struct.pack("<iqii", 8, 0, 0, 1) + document, _OP_REPLY
    else:
        raise ValueError(f"MongoDB operation {operation} is not served")
    return _HEADER.pack(_HEADER.size + len(content), 1, request, code) + content


async def _serve(
    subscribers: Subscribers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while True:
            length, request, _, operation = _HEADER.unpack(await reader.readexactly(_HEADER.size))
            body = await reader.readexactly(length - _HEADER.size)
            writer.write(respond(subscribers, request, operation, body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        _LOG.debug("client gone")
    except ValueError as error:
        _LOG.warning("client dropped: %s", error)
    finally:
        writer.close()


async def serve(subscribers: Subscribers) -> None:
    """Serve until cancelled, on the loopback address alone."""
    server = await asyncio.start_server(
        lambda reader, writer: _serve(subscribers, reader, writer), ADDRESS, PORT
    )
    async with server:
        await server.serve_forever()


def main() -> None:
    """Run the responder with the files named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    os.umask(0o077)
    asyncio.run(serve(Subscribers(Path(sys.argv[1]), Path(sys.argv[2]))))


if __name__ == "__main__":
    main()
