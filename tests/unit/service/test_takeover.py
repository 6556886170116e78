"""Which of two hosts of a VTN is asked, and when one may take over: at real programs, one for each."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openadr_loopback import Authority, Program
from openadr_pair import Host, hosts, started, wired

from heiiki.cli.main import cli
from heiiki.errors import HeiikiError
from heiiki.service import (
    Order,
    Service,
    begin_writing,
    cancel_event,
    list_events,
    opened,
    send_event,
    take_over,
)
from heiiki.transport import Completed
from heiiki.vtn_hosts import Takeover

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
CONTROLLERS = ("umeda-bems", "sakai-bems", "namba-erc")
ORDER = Order("evening-1", ("umeda",), "2036-12-01T17:00:00+09:00", "PT1H", -5.0)


class Here:
    """Runs the operator's program here, at the host that the plan's device stands for."""

    def __init__(self, first: Host, second: Host) -> None:
        self.at = {"dras": first, "dras-2": second}
        self.asked: list[tuple[str, str]] = []

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        self.asked.append((device, argv[3]))
        paths = [path.replace("/LAB/", "/DRAS/") for path in argv[4:]]
        command = [sys.executable, "-m", "heiiki_agent.openadr", "operate", argv[3], *paths]
        done = subprocess.run(
            [*command, "--control", str(self.at[device].socket)],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Completed(done.returncode, done.stdout.replace(b'"DRAS"', b'"LAB"'), done.stderr)


@pytest.fixture
def running() -> Iterator[list[Program]]:
    programs: list[Program] = []
    yield programs
    for one in programs:
        if one.process:
            one.end()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Host, Host]:
    return hosts(tmp_path, Authority(tmp_path), CONTROLLERS)


@pytest.fixture
def here(pair: tuple[Host, Host], monkeypatch: pytest.MonkeyPatch) -> Here:
    made = Here(*pair)

    class Way:
        @contextmanager
        def transport(self, _plan: Any, _hosts: Any) -> Iterator[Here]:
            yield made

    monkeypatch.setattr(Service, "management", Way())
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "service"
    shutil.copytree(EXAMPLE, made)
    with (made / "service.yml").open("a", encoding="utf-8") as text:
        text.write("\ndras_hosts: [dras, dras-2]\n")
    return made


@pytest.fixture
def service(folder: Path, here: Here) -> Service:
    assert here.asked == []
    return opened(folder)


@pytest.fixture
def both(pair: tuple[Host, Host], service: Service, running: list[Program]) -> tuple[Host, Host]:
    """Both hosts, of which the first writes and the second has the whole book."""
    started(running, *pair)
    begin_writing(service)
    pair[0].await_whole()
    return pair


def event(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["event", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_first_host_writes_where_neither_was_ever_the_writer(
    pair: tuple[Host, Host], service: Service, here: Here, running: list[Program]
) -> None:
    started(running, pair[0])
    with pytest.raises(HeiikiError, match=r"it is not known whether .*: dras-2: the VTN does not answer"):
        begin_writing(service)
    started(running, pair[1])
    with pytest.raises(HeiikiError, match=r"no host of the VTN writes: dras: neither .*; dras-2: neither "):
        list_events(service)
    due = begin_writing(service, change=False)
    assert due == Takeover("dras", 1, changed=True, problem=None)
    assert {method for _, method in here.asked} == {"GET"}
    done = begin_writing(service)
    assert done is not None
    assert (done.device, done.epoch, done.changed) == ("dras", 1, True)
    pair[0].await_whole()
    assert begin_writing(service) is None
    assert [one for one in here.asked if one[1] == "POST"] == [("dras", "POST")]


def test_a_host_that_lost_its_disk_does_not_begin_beside_a_full_book(
    both: tuple[Host, Host], service: Service
) -> None:
    first, _ = both
    first.end()
    for file in first.folder.glob("vtn.sqlite*"):
        file.unlink()
    first.start()
    with pytest.raises(
        HeiikiError, match=r"no host of the VTN writes: dras: .* if dras has lost its book, have dras-2"
    ):
        begin_writing(service)
    assert first.doubled()["epoch"] == 0
    with pytest.raises(HeiikiError, match="dras must not take over: the last epoch that it knows is 0, and "):
        take_over(service, "dras")


def test_the_operator_asks_the_host_that_writes(
    both: tuple[Host, Host], service: Service, here: Here
) -> None:
    sent = send_event(service, ORDER)
    done = take_over(service, "dras-2")
    assert (done.device, done.epoch, done.changed) == ("dras-2", 2, True)
    assert take_over(service, "dras-2").changed is False
    both[1].await_whole()
    here.asked.clear()
    assert list_events(service) == (sent,)
    assert here.asked == [("dras", "GET"), ("dras-2", "GET"), ("dras-2", "GET")]
    assert cancel_event(service, "evening-1").status == "cancelled"


def test_without_the_other_host_somebody_must_know_what_it_does(
    both: tuple[Host, Host], folder: Path, service: Service
) -> None:
    send_event(service, ORDER)
    both[0].kill()
    code, said = event("list", str(folder))
    assert code == 1
    assert "no host of the VTN writes: dras: the VTN does not answer" in said
    assert "dras-2: epoch 1 of dras-a.example; see `heiiki event takeover --help`" in said
    code, said = event("takeover", str(folder), "dras-2")
    assert (code, "see to it that no one does, and repeat with --unasked" in said) == (1, True)
    assert both[1].doubled()["epoch"] == 1, "nothing was changed"
    code, said = event("takeover", str(folder), "dras-2", "--unasked")
    assert (code, said.splitlines()[0]) == (0, "dras-2 writes, in epoch 2")
    assert "dras-b.example writes alone: dras-a.example does not have the whole book" in said
    assert event("takeover", str(folder), "dras-2", "--unasked")[1].startswith(
        "dras-2 wrote already, in epoch 2\n"
    )
    assert [one.event_id for one in list_events(service)] == ["evening-1"]


def test_the_former_writer_does_not_take_over_from_a_host_that_it_cannot_reach(
    pair: tuple[Host, Host], service: Service, running: list[Program]
) -> None:
    with wired(pair) as wires:
        started(running, *pair)
        begin_writing(service)
        pair[0].await_whole()
        for wire in wires:
            wire.cut()
        assert take_over(service, "dras-2").epoch == 2
        with pytest.raises(HeiikiError, match="epoch that it knows is 1, and dras-2 knows 2: what was ans"):
            take_over(service, "dras", unasked=True)
        assert pair[0].doubled()["epoch"] == 1


@pytest.mark.usefixtures("both")
def test_another_device_is_no_host(service: Service) -> None:
    with pytest.raises(HeiikiError, match="xmpp is no host of the VTN in service; use dras or dras-2"):
        take_over(service, "xmpp")


def test_a_service_with_one_host_has_no_takeover(here: Here) -> None:
    one = opened(EXAMPLE)
    with pytest.raises(HeiikiError, match="the VTN of service lab has one host; see `dras_hosts` in its s"):
        take_over(one, "dras")
    assert begin_writing(one) is None
    assert here.asked == []


def test_a_program_that_knows_of_no_second_host_yet_is_said_to_be_so(
    pair: tuple[Host, Host], service: Service, running: list[Program]
) -> None:
    document = json.loads(pair[0].config.read_text())
    del document["vtns"][0]["doubled"]
    pair[0].config.write_text(json.dumps(document))
    started(running, *pair)
    with pytest.raises(HeiikiError, match="dras: its VTN does not know of a second host yet"):
        take_over(service, "dras")
    with pytest.raises(
        HeiikiError, match="it is not known whether a host of the VTN was made the writer: dras:"
    ):
        begin_writing(service)
