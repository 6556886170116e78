"""Frames of TPKT and COTP, whole and in pieces, and what is no frame."""

import pytest

from heiiki_agent.mms.frames import LIMIT, FrameError, Frames, refusal, refused

CONNECT = bytes.fromhex("0300000b06e00000000100")


def data(size: int, *, last: bool) -> bytes:
    """A DT TPDU in its TPKT."""
    return bytes((3, 0)) + size.to_bytes(2) + bytes((2, 0xF0, 0x80 if last else 0)) + bytes(size - 7)


def test_whole_frames_pass_and_a_part_waits_for_its_rest() -> None:
    frames, whole = Frames(), data(40, last=True)
    assert frames.take(whole + whole[:5]) == whole
    assert frames.under_way
    assert frames.take(whole[5:]) == whole
    assert not frames.under_way


def test_a_message_is_under_way_until_its_last_frame() -> None:
    frames = Frames()
    frames.take(data(40, last=False))
    assert frames.under_way
    frames.take(data(40, last=True))
    assert not frames.under_way


@pytest.mark.parametrize(
    ("bytes_", "problem"),
    [
        (b"GET / HTTP/1.1\r\n", "no TPKT: it begins with 47"),
        (bytes((3, 0, 0, 4)), "a TPKT of 4 bytes has no room for a TPDU"),
        (bytes((3, 0, 0, 6, 2, 0xF0)), "a DT TPDU without its number"),
    ],
)
def test_what_is_no_frame_is_refused(bytes_: bytes, problem: str) -> None:
    with pytest.raises(FrameError) as refused_:
        Frames().take(bytes_)
    assert str(refused_.value) == problem


def test_a_message_is_refused_before_it_is_whole_when_it_is_too_long() -> None:
    frames, part = Frames(), data(60_000, last=False)
    frames.take(part)
    with pytest.raises(FrameError) as refused_:
        frames.take(part)
    assert str(refused_.value) == f"a message above {LIMIT} bytes"


def test_messages_of_any_number_may_follow_one_another() -> None:
    frames = Frames()
    for _ in range(10):
        frames.take(data(60_000, last=True))


def test_a_connection_request_is_refused_by_a_disconnect_request() -> None:
    answer = refusal(CONNECT)
    assert answer == bytes.fromhex("0300000b06800001000088")
    assert refused(answer[4:])
    assert not refused(bytes.fromhex("06d00001000100"))


def test_only_a_connection_request_is_refused_so() -> None:
    with pytest.raises(FrameError) as refused_:
        refusal(data(20, last=True))
    assert str(refused_.value) == "the first frame is no connection request"
