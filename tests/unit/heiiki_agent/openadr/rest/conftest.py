"""What tests of the REST API have in common."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openadr_loopback import Authority, Program, Vtn
from rest_loopback import Esp, rest

Connect = Callable[[str], Esp]


@pytest.fixture
def served(tmp_path: Path, authority: Authority, running: list[Program]) -> Vtn:
    """Give a VTN with a REST API."""
    made = Vtn(tmp_path, authority, ("umeda", "tenma"), rest())
    running.append(made)
    made.start()
    return made


@pytest.fixture
def esp(served: Vtn, authority: Authority) -> Connect:
    """Make systems with a certificate for a name; none for no name."""
    assert served.rest_port
    port, trust = served.rest_port, authority.issue("nobody.example")
    return lambda name: Esp(port, authority.issue(name) if name else None, trust)


@pytest.fixture(scope="module")
def standing() -> Iterator[Connect]:
    """Make systems of a VTN that stands for all tests of a module: for what changes nothing there."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        authority = Authority(folder)
        vtn = Vtn(folder, authority, ("umeda", "tenma"), rest())
        vtn.start()
        trust = authority.issue("nobody.example")
        yield lambda name: Esp(vtn.rest_port, authority.issue(name), trust)
        if vtn.process:
            vtn.end(signal.SIGKILL)
