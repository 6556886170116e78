"""A stream whose program answers while it is written to."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from heiiki_lab.agent.frames import receive, send
from heiiki_lab.stream import Stream

ANSWERS, ANSWER = 4096, b"." * 1024
"""Four megabytes, which no socket holds."""


def eager(end: socket.socket) -> bytes:
    """Be the node of a program that says all it has to say before it reads; returns what it read."""
    send(end, {"pid": 1})
    for _ in range(ANSWERS):
        send(end, {"stream": "stdout"}, ANSWER)
    read = bytearray()
    while (frame := receive(end)) is not None and "eof" not in frame[0]:
        read += frame[1]
    send(end, {"rc": 9})
    return bytes(read)


def test_neither_end_waits_for_the_other_to_read(tmp_path: Path) -> None:
    data = os.urandom(2 << 20)
    (tmp_path / "in").write_bytes(data)
    ours, theirs = socket.socketpair()
    with ThreadPoolExecutor(1) as side, theirs, (tmp_path / "in").open("rb") as given:
        program = side.submit(eager, theirs)
        with Stream("n", ("p",), ours) as stream, (tmp_path / "out").open("wb") as taken:
            assert stream.pump(given.fileno(), taken.fileno(), taken.fileno()) == 9
        assert program.result() == data
    assert (tmp_path / "out").read_bytes() == ANSWERS * ANSWER
