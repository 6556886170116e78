import socket
import threading
from collections.abc import Iterator

import pytest

from heiiki_lab.agent import frames


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 5000])
def test_a_frame_arrives_as_it_was_sent(pair: tuple[socket.socket, socket.socket], body: bytes) -> None:
    sender = threading.Thread(target=frames.send, args=(pair[0], {"op": "put", "name": "閉域"}, body))
    sender.start()
    assert frames.receive(pair[1]) == ({"op": "put", "name": "閉域"}, body)
    sender.join()


def test_frames_in_sequence_stay_apart(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].sendall(frames.pack({"n": 1}, b"one") + frames.pack({"n": 2}, b"two"))
    assert frames.receive(pair[1]) == ({"n": 1}, b"one")
    assert frames.receive(pair[1]) == ({"n": 2}, b"two")


def test_a_close_between_frames_is_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    assert frames.receive(pair[1]) is None


@pytest.mark.parametrize("kept", [1, 7, 9, 20])
def test_a_close_inside_a_frame_is_an_error(pair: tuple[socket.socket, socket.socket], kept: int) -> None:
    whole = frames.pack({"op": "x"}, b"body of it")
    assert kept < len(whole)
    pair[0].sendall(whole[:kept])
    pair[0].close()
    with pytest.raises(frames.FrameError, match=r"ended .* before the end of a frame"):
        frames.receive(pair[1])


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"GET / HTTP/1.1\r\n", "not this protocol"),
        (frames.HEAD.pack(4, 0) + b"nope", "not JSON"),
        (frames.HEAD.pack(2, 0) + b"[]", "not a JSON object"),
    ],
)
def test_what_is_no_frame_is_refused(
    pair: tuple[socket.socket, socket.socket], sent: bytes, message: str
) -> None:
    pair[0].sendall(sent)
    with pytest.raises(frames.FrameError, match=message):
        frames.receive(pair[1])


def test_too_large_a_frame_is_refused_before_it_is_sent() -> None:
    with pytest.raises(frames.FrameError, match="is over"):
        frames.pack({"text": "x" * (frames.MAX_HEADER + 1)})
