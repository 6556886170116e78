"""Events at a real VTN, over a way to its host that runs the same program here."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openadr_loopback import Authority, Battery, Ven, Vtn, free_port

from heiiki.cli.main import cli
from heiiki.dispatch import Desk
from heiiki.errors import HeiikiError
from heiiki.service import Order, Service, cancel_event, list_events, opened, send_event
from heiiki.transport import Completed

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
CONTROLLERS = ("umeda-bems", "sakai-bems", "namba-erc")


class Here:
    """Runs the operator's program here; the plan's VTN has another name than the one of the tests."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        assert (device, argv[2]) == ("dras", "operate")
        paths = [path.replace("/LAB/", "/DRAS/") for path in argv[4:]]
        command = [sys.executable, "-m", "heiiki_agent.openadr", "operate", argv[3], *paths]
        done = subprocess.run(
            [*command, "--control", str(self._control)],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Completed(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def vtn(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vtn]:
    made = Vtn(tmp_path, authority, CONTROLLERS)
    made.start()

    class Way:
        @contextmanager
        def transport(self, _plan: Any, _hosts: Any) -> Iterator[Here]:
            yield Here(made.socket)

    monkeypatch.setattr(Service, "management", Way())
    yield made
    if made.process:
        made.end()


@pytest.fixture
def ven(tmp_path: Path, authority: Authority, vtn: Vtn) -> Iterator[Ven]:
    """The VEN of site umeda, with a battery."""
    battery = Battery(tmp_path / "umeda-bems-battery.sock")
    made = Ven(tmp_path, authority.issue("umeda-bems.example"), vtn.port, "umeda-bems")
    made.start()
    yield made
    made.end()
    battery.close()


@pytest.fixture
def service() -> Service:
    return opened(EXAMPLE)


def order(**others: Any) -> Order:
    fields: dict[str, Any] = {
        "event_id": "evening-1",
        "sites": ("umeda", "sakai"),
        "start": "2036-12-01T17:00:00+09:00",
        "duration": "PT1H",
        "value": -5.0,
    }
    return Order(**(fields | others))


@pytest.mark.usefixtures("vtn")
def test_an_event_is_sent_once_listed_and_cancelled(service: Service) -> None:
    assert list_events(service) == ()
    sent = send_event(service, order())
    assert (sent.status, sent.modification, sent.missing) == ("far", 0, ("sakai", "umeda"))
    assert send_event(service, order()) == sent, "the same order changes nothing"
    assert list_events(service) == (sent,)
    cancelled = cancel_event(service, "evening-1")
    assert (cancelled.status, cancelled.modification) == ("cancelled", 1)


def test_several_are_shown_and_cancelled_at_once(vtn: Vtn, service: Service) -> None:
    desk = Desk(service.plan, Here(vtn.socket))  # type: ignore[arg-type]
    names = ("evening-1", "evening-2")
    sent = tuple(desk.send(order(event_id=name)) for name in names)
    assert desk.show(*names) == sent
    assert [(one.event_id, one.status) for one in desk.cancel(*names)] == [
        (name, "cancelled") for name in names
    ]
    with pytest.raises(HeiikiError, match="dras: event evening-3 is not known"):
        desk.show("evening-1", "evening-3")


@pytest.mark.usefixtures("vtn")
@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"sites": ("umeda", "kobe", "nara")}, "no VEN is at kobe, nara; use umeda, namba, sakai"),
        ({"start": "tomorrow"}, "start: 'tomorrow' is no date and time with a zone; write 20"),
        ({"start": "2036-12-01T17:00:00"}, "is no date and time with a zone"),
        ({"duration": "1 hour"}, "dras: order: duration: is wrong: .*1 hour"),
        ({"event_id": "five o'clock"}, "dras: order: event_id: is wrong: .*does not match"),
        ({"kind": "wish"}, "dras: order: .*wish"),
    ],
)
def test_an_order_that_cannot_be_taken_is_told_in_a_sentence(
    service: Service, others: dict[str, Any], reason: str
) -> None:
    with pytest.raises(HeiikiError, match=reason):
        send_event(service, order(**others))
    assert list_events(service) == ()


@pytest.mark.usefixtures("vtn")
def test_another_order_under_a_name_that_is_taken_is_refused(service: Service) -> None:
    send_event(service, order())
    with pytest.raises(HeiikiError, match="dras: event evening-1 is there already; modify it"):
        send_event(service, order(value=-6.0))


def test_a_vtn_that_is_down_is_named(vtn: Vtn, service: Service) -> None:
    vtn.end()
    with pytest.raises(HeiikiError, match=r"dras: the VTN does not answer at .*vtn\.sock: "):
        list_events(service)


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["event", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


SEND = ("send", str(EXAMPLE), "--event", "now-1", "--site", "umeda", "--value", "-5", "--duration", "PT1H")


@pytest.mark.usefixtures("vtn")
def test_the_command_says_who_has_not_answered() -> None:
    code, said = run(*SEND, "--wait", "0.2")
    assert code == 1
    assert said.splitlines()[-1] == "no answer within 0.2 s: umeda"
    _, said = run("list", str(EXAMPLE))
    assert said.split() == ["now-1", "active", "version", "0", "0", "of", "1", "answered"]


@pytest.mark.usefixtures("ven")
def test_the_command_waits_for_every_answer() -> None:
    code, said = run(*SEND, "--wait", "60")
    assert (code, said.splitlines()[-1].split()) == (0, ["umeda", "optIn"])
    _, said = run("show", str(EXAMPLE), "now-1")
    assert said.splitlines() == ["now-1: active, version 0", "umeda  optIn"]


def test_a_vtn_that_writes_alone_says_so_beside_the_event(vtn: Vtn) -> None:
    vtn.end()
    document = json.loads(vtn.config.read_text())
    peer = {"name": "dras-b.example", "address": "127.0.0.1", "port": free_port()}
    document["vtns"][0]["doubled"] = {"name": vtn.name, "port": free_port(), "peer": peer}
    vtn.config.write_text(json.dumps(document))
    vtn.start()
    sends = ("send", str(EXAMPLE), "--event", "now-1", "--duration", "PT1H", "--value", "-5")
    code, said = run(*sends)
    assert (code, "neither dras.example nor dras-b.example has been made the writer" in said) == (1, True)
    assert vtn.operate("POST", "/DRAS/takeover")[0] == HTTPStatus.OK
    code, said = run(*sends)
    assert (code, "dras.example writes alone: dras-b.example does not have the whole book: " in said) == (
        0,
        True,
    )
    _, said = run("show", str(EXAMPLE), "now-1")
    assert "dras.example writes alone: " in said
