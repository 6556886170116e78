"""The lab for the tests that need it: apart from the user's own, and gone afterwards."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import process_sampler
import pytest

from heiiki.render import compile_plan
from heiiki.service import opened
from heiiki_lab.client import NodeClient
from heiiki_lab.state import GUEST, lab_dir, socket_path
from heiiki_lab.transport import LabTransport

from .commands import Commands
from .mutants import Bench
from .service import Service


@dataclass(frozen=True)
class Provisioned(Commands):
    """Programs beside a lab that is up and provisioned.

    Attributes:
        said: what the provisioning printed, at -vvv with --diff.
        processes: what the processes showed of themselves meanwhile, by place: the machine and the guest.
    """

    said: str
    processes: Mapping[str, bytes]


@pytest.fixture(scope="session")
def lab(root: Path) -> Iterator[Provisioned]:
    """The one lab of all tests: the scenario `topology` makes and provisions it, watched for secrets."""
    with tempfile.TemporaryDirectory(prefix="heiiki-") as folder, pytest.MonkeyPatch.context() as patched:
        patched.setenv("HEIIKI_STATE", folder)
        commands = Commands(root, Path(folder))
        shutil.rmtree(root / "artifacts" / "molecule", ignore_errors=True)
        # Where the tests that call playbooks themselves compile to is where the scenario does.
        (Path(folder) / "build").symlink_to(root / "artifacts" / "molecule" / "topology" / "build")
        try:
            commands.molecule("create", "topology")
            with sampled(Path(folder)) as processes:
                said = commands.molecule("converge", "topology", "--", "-vvv", "--diff")
            yield Provisioned(root, Path(folder), said, processes)
        finally:
            commands.molecule("destroy", "topology")


@contextmanager
def sampled(state: Path) -> Iterator[dict[str, bytes]]:
    """Watch every process of the machine and of the lab's guest; the result is there when the block ends."""
    result: dict[str, bytes] = {}
    stop, seen = state / "sampler.stop", state / "sampler.seen"
    guest_stop, guest_seen = "/run/sampler.stop", "/run/sampler.seen"
    source = Path(process_sampler.__file__).read_text(encoding="utf-8")
    here = subprocess.Popen([sys.executable, process_sampler.__file__, stop, seen, "0.1"])
    guest = guest_client(state)
    guest.spawn(("/usr/bin/python3", "-c", source, guest_stop, guest_seen, "0.3"), log="/run/sampler.log")
    try:
        yield result
    finally:
        stop.touch()
        here.wait(30)
    guest.put(guest_stop, b"")
    guest.run(("sh", "-c", f"while ! test -e {guest_seen}; do sleep 0.2; done"), timeout=30)
    result |= {"machine": seen.read_bytes(), "guest": guest.get(guest_seen)}
    seen.unlink()
    guest.run(("rm", guest_seen))


def guest_client(state: Path) -> NodeClient:
    """The guest's own agent, which sees the processes and files of every node."""
    return NodeClient(socket_path(state / "lab", GUEST))


@pytest.fixture(scope="session")
def provisioned(lab: Provisioned, lab_inventory: Path) -> Path:
    """The folder of the service whose lab is up and provisioned."""
    assert lab.state.is_dir()
    return lab_inventory


@pytest.fixture(scope="module")
def service(
    lab: Commands, lab_inventory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    found = Service(lab, lab_inventory, tmp_path_factory.mktemp("artifacts"))
    yield found
    found.transport.close()


@pytest.fixture(scope="session")
def bench(provisioned: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """What every mutant is tried on; what was so before is measured once."""
    service, transport = opened(provisioned), LabTransport(lab_dir())
    yield Bench(service, tuple(compile_plan(service.plan)), transport, tmp_path_factory.mktemp("evidence"))
    transport.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All share one lab: first what measures it as provisioned, late the revocation, last the search."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if item.path.parent != Path(__file__).parent:
        return 0
    if item.path.name == "test_scenarios.py":
        return 3 if "revocation_from_beginning" in item.name else 1
    return 4 if item.path.name == "test_canaries.py" else 2
