"""The responder in place of MongoDB: the wire as NextEPC's HSS speaks it, and the subscribers behind it."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from heiiki_lab.mobile import bson
from heiiki_lab.mobile.bson import Int64
from heiiki_lab.mobile.subscriber_db import Subscribers, answer, respond

IMSI = "440100000000001"
ENTRY = {"imsi": IMSI, "k": "00" * 16, "opc": "11" * 16, "apns": ["der-a", "der-b"]}


@pytest.fixture
def subscribers(tmp_path: Path) -> Subscribers:
    (tmp_path / "subscribers.json").write_text(json.dumps({"subscribers": [ENTRY]}))
    return Subscribers(tmp_path / "subscribers.json", tmp_path / "state" / "sqn.json")


def message(command: dict[str, Any], *sequences: tuple[str, dict[str, Any]]) -> bytes:
    body = struct.pack("<I", 0) + b"\0" + bson.encode(command)
    for name, document in sequences:
        content = name.encode() + b"\0" + bson.encode(document)
        body += b"\x01" + struct.pack("<i", len(content) + 4) + content
    return body


def ask(subscribers: Subscribers, body: bytes) -> dict[str, Any]:
    reply = respond(subscribers, 42, 2013, body)
    length, _, to, operation = struct.unpack_from("<iiii", reply)
    assert (length, to, operation) == (len(reply), 42, 2013)
    return bson.decode(reply[21:])[0]


def number(subscribers: Subscribers) -> int:
    document = subscribers.find(IMSI)
    assert document is not None
    sqn = document["security"]["sqn"]
    assert isinstance(sqn, Int64)
    return int(sqn)


def update(subscribers: Subscribers, change: dict[str, Any]) -> dict[str, Any]:
    return ask(
        subscribers,
        message({"update": "subscribers"}, ("updates", {"q": {"imsi": IMSI}, "u": change})),
    )


@pytest.mark.parametrize(
    "value",
    [True, 1, -1, Int64(1), 0.5, "text", None, {"a": 1}, [1, "b", {"c": [None]}]],
)
def test_bson_round_trip(value: Any) -> None:
    data = bson.encode({"v": value})
    document, length = bson.decode(data + b"rest")
    assert (document, length) == ({"v": value}, len(data))


def test_bson_writes_64_bits_where_told() -> None:
    assert bson.encode({"v": Int64(1)}).hex() == "10000000127600010000000000000000"
    assert bson.encode({"v": 1}).hex() == "0c0000001076000100000000"


def test_bson_cut_off_or_unknown() -> None:
    with pytest.raises(ValueError, match="cut off"):
        bson.decode(b"\x10\0\0\0\x12v\0")
    with pytest.raises(ValueError, match="0x0d is not known"):
        bson.decode(b"\x0a\0\0\0\x0dv\0\0\0\0")
    with pytest.raises(TypeError, match="bytes"):
        bson.encode({"v": b""})


def test_find_gives_what_the_hss_reads_and_no_challenge(subscribers: Subscribers) -> None:
    command = {"find": "subscribers", "filter": {"imsi": IMSI}, "$db": "nextepc"}
    cursor = ask(subscribers, message(command))["cursor"]
    (document,) = cursor["firstBatch"]
    assert document["security"] == {"k": "00" * 16, "opc": "11" * 16, "amf": "8000", "sqn": 32}
    assert [pdn["apn"] for pdn in document["pdn"]] == ["der-a", "der-b"]
    assert isinstance(document["ambr"]["uplink"], Int64)


def test_unknown_imsi_is_not_found(subscribers: Subscribers) -> None:
    reply = ask(subscribers, message({"find": "subscribers", "filter": {"imsi": "9"}}))
    assert (reply["cursor"]["firstBatch"], reply["ok"]) == ([], 1.0)


def test_sequence_number_moves_and_is_kept(subscribers: Subscribers) -> None:
    update(subscribers, {"$set": {"security.rand": "00", "security.sqn": Int64(64)}})
    update(subscribers, {"$inc": {"security.sqn": Int64(32)}})
    assert update(subscribers, {"$bit": {"security.sqn": {"and": Int64((1 << 48) - 1)}}})["n"] == 1
    assert number(subscribers) == 96
    assert number(Subscribers(subscribers.path, subscribers.state)) == 96


def test_update_of_an_unknown_imsi_changes_nothing(subscribers: Subscribers) -> None:
    command = {"update": "subscribers", "updates": [{"q": {"imsi": "9"}, "u": {"$inc": {"security.sqn": 1}}}]}
    assert answer(subscribers, command)["n"] == 0


def test_greeting_by_op_query(subscribers: Subscribers) -> None:
    body = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + bson.encode({"isMaster": 1})
    reply = respond(subscribers, 1, 2004, body)
    document = bson.decode(reply[36:])[0]
    assert (document["ismaster"], document["maxWireVersion"]) == (True, 13)


def test_foreign_operation_and_command(subscribers: Subscribers) -> None:
    assert ask(subscribers, message({"dropDatabase": 1}))["ok"] == 0.0
    with pytest.raises(ValueError, match="2002"):
        respond(subscribers, 1, 2002, b"")


def test_file_is_read_again_and_a_broken_one_is_not_taken(subscribers: Subscribers) -> None:
    assert subscribers.find(IMSI)
    subscribers.path.write_text("{")
    os.utime(subscribers.path, ns=(1, 1))
    assert subscribers.find(IMSI)
    subscribers.path.write_text('{"subscribers": []}')
    os.utime(subscribers.path, ns=(2, 2))
    assert subscribers.find(IMSI) is None


def test_no_file_is_no_subscriber(tmp_path: Path) -> None:
    assert Subscribers(tmp_path / "none.json", tmp_path / "sqn.json").find(IMSI) is None
