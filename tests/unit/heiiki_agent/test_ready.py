"""What can be read, told for any descriptor."""

import os
import resource
import time
from collections.abc import Iterator

import pytest

from heiiki_agent.ready import readable


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose ends have higher numbers than `select.select` takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    low = os.pipe()
    high = (1500, 1501)
    for number, end in zip(high, low, strict=True):
        os.dup2(end, number)
        os.close(end)
    yield high
    for number in high:
        try:
            os.close(number)
        except OSError:
            continue
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_can_be_read_is_told(pipe: tuple[int, int]) -> None:
    source, sink = pipe
    began = time.monotonic()
    assert readable([source], 0.05) == []
    assert time.monotonic() - began >= 0.05
    os.write(sink, b"x")
    assert readable([source], 10.0) == [source]


def test_so_is_one_whose_other_end_is_gone(pipe: tuple[int, int]) -> None:
    source, sink = pipe
    os.close(sink)
    assert readable([source], 10.0) == [source]
