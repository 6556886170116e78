"""GTP-U and radio frames: what is written is read back, what is foreign is refused."""

import pytest

from heiiki_lab.mobile import gtpu, radio
from heiiki_lab.mobile.gtpu import Packet, Type


def test_g_pdu() -> None:
    data = gtpu.encode_g_pdu(0x01020304, b"payload")
    assert data[:8].hex() == "30ff000701020304"
    assert gtpu.decode(data) == Packet(Type.G_PDU, 0x01020304, b"payload")


@pytest.mark.parametrize("kind", [Type.ECHO_REQUEST, Type.ECHO_RESPONSE])
def test_echo_keeps_its_sequence_number(kind: Type) -> None:
    packet = gtpu.decode(gtpu.encode_echo(kind, 0x1FFFF))
    assert (packet.type, packet.sequence) == (kind, 0xFFFF)


def test_extension_header_is_stepped_over() -> None:
    body = bytes.fromhex("000000c0") + bytes.fromhex("01aaaa00") + b"user"
    data = bytes([0x34, 255]) + len(body).to_bytes(2, "big") + bytes(4) + body
    assert gtpu.decode(data).payload == b"user"


@pytest.mark.parametrize(
    "text",
    ["", "30ff0007", "10ff000000000000", "30ff000501020304", "32ff000001020304", "34ff000400000000000000c0"],
)
def test_foreign_gtpu(text: str) -> None:
    with pytest.raises(ValueError, match="GTP-U"):
        gtpu.decode(bytes.fromhex(text))


def test_radio_frame() -> None:
    frame = radio.Frame(radio.Kind.NAS, 7, b"nas")
    assert radio.decode(frame.encode()) == frame


@pytest.mark.parametrize("data", [b"", b"\x01\0\0", b"\x09\0\0\0\0"])
def test_foreign_radio_frame(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"radio frame|not a valid Kind"):
        radio.decode(data)
