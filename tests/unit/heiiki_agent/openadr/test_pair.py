"""A VTN on two hosts, in processes of their own: kills, splits, and what a host may not do."""

import http.client
import json
import random
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from openadr_loopback import VTN_NAME, Authority, Battery, Program, Ven, event
from openadr_pair import NAMES, Host, hosts, started, ven_of, wired
from waiting import awaited

from heiiki.verify.events.books import Compared, compared
from heiiki_agent import config
from heiiki_agent.openadr.books import VenBook, VtnBook
from heiiki_agent.tls import Credentials, client_context
from heiiki_lab.resource import Resource, serve

VENS = ("umeda", "tenma")
SINCE = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def pair(tmp_path: Path, authority: Authority, running: list[Program]) -> tuple[Host, Host]:
    """Give a writer, and a standby that counts."""
    first, second = hosts(tmp_path, authority, VENS)
    started(running, first, second)
    first.take_over()
    first.await_whole()
    return first, second


def refused(host: Host, method: str = "GET", path: str = "/DRAS/events", document: Any = None) -> str:
    status, text = host.operate(method, path, document)
    assert status == HTTPStatus.CONFLICT, text
    return text


def test_no_host_writes_that_was_not_made_the_writer(
    tmp_path: Path, authority: Authority, running: list[Program]
) -> None:
    first, second = hosts(tmp_path, authority, VENS)
    started(running, first, second)
    neither = "neither dras-a.example nor dras-b.example has been made the writer: have one take over"
    assert refused(first) == neither
    assert first.doubled()["problem"] == neither
    first.take_over()
    assert first.is_serving()
    first.await_whole()
    assert refused(second) == "dras-b.example is the standby of dras-a.example, the writer of epoch 1"
    awaited(
        "both say so", lambda: second.doubled() == {**first.doubled(), "host": NAMES[1], "peer": NAMES[0]}
    )


def test_the_standby_has_what_was_ordered_before_the_answer_leaves(pair: tuple[Host, Host]) -> None:
    first, second = pair
    for number in range(5):
        first.order(f"e-{number}", "umeda")
        assert second.rows() == first.rows()


def test_a_killed_writer_is_followed_by_its_standby(
    tmp_path: Path, authority: Authority, running: list[Program], pair: tuple[Host, Host]
) -> None:
    first, second = pair
    battery, ven = Battery(tmp_path / "umeda-battery.sock"), ven_of(tmp_path, authority, "umeda", pair)
    started(running, ven)
    first.order("e-1", "umeda")
    awaited("it is answered", lambda: first.show("e-1") == {"umeda": ("optIn", True)})
    first.kill()
    assert "is the standby of" in refused(second)
    second.take_over()
    assert second.show("e-1") == {"umeda": ("optIn", True)}
    second.order("e-2", "umeda")
    awaited("it is answered", lambda: second.show("e-2") == {"umeda": ("optIn", True)})
    first.start()
    second.await_whole()
    awaited("both are done", lambda: battery.book == ["e-1/0/perform/0", "e-2/0/perform/0"])
    battery.close()


def book(kind: type[Any], end: str, program: Program) -> Any:
    command = [sys.executable, "-m", "heiiki_agent.openadr", f"{end}-book", "--config", str(program.config)]
    arguments = ["--events", "v-", "--since", SINCE]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    return config.parse(kind, done.stdout, end)


def test_the_books_agree_after_kills_at_any_moment(
    tmp_path: Path, authority: Authority, running: list[Program], pair: tuple[Host, Host]
) -> None:
    chance = random.Random(1)  # noqa: S311  # repeatable, not secret
    vens = [ven_of(tmp_path, authority, name, pair) for name in VENS]
    for one in VENS:
        kept = Resource(tmp_path / one / "book.jsonl")
        serving(kept, tmp_path / f"{one}-battery.sock")
    started(running, *vens)
    writer, standby = pair
    names = []
    for number in range(8):
        names.append(f"v-{number}")
        order = event(names[-1], *VENS)
        assert writer.operate("POST", "/DRAS/events", order)[0] == HTTPStatus.OK
        # From before the first poll until after the last answer.
        time.sleep(chance.uniform(0, 1.5))
        if number % 4 == 1:
            # Neither is told, and the answer to a cancellation may be under way.
            writer.operate("DELETE", f"/DRAS/events/{names[0]}")
        writer.kill()
        standby.take_over()
        writer.start()
        standby.await_whole()
        writer, standby = standby, writer
    for ven in vens:
        agreed(writer, ven)
        # At rest: a report that is taken while books are read is in one of them.
        assert ven.end() == 0
        last = between(writer, ven)
        assert (last.lost, last.doubled) == ((), ())
        assert last.reports > 5
    assert writer.rows() == standby.rows()
    assert writer.doubled()["epoch"] == 9


def serving(kept: Resource, path: Path) -> None:
    threading.Thread(target=serve, args=(kept, path), daemon=True).start()


def between(vtn: Host, ven: Ven) -> Compared:
    return compared(ven.config.stem, book(VtnBook, "vtn", vtn), book(VenBook, "ven", ven))


def agreed(vtn: Host, ven: Ven) -> None:
    """Wait until every version is answered and done: eight, and a cancellation."""
    last: list[Compared] = []

    def agree() -> bool:
        last[:] = [between(vtn, ven)]
        waiting = [one for one in (*last[0].pending, *last[0].lost) if not one.startswith("report of")]
        return not waiting and last[0].versions == 9

    try:
        awaited("nothing is on its way or lost", agree)
    except AssertionError:
        raise AssertionError(last) from None


def test_a_writer_that_is_cut_off_gives_no_answer_and_follows_when_it_is_back(
    tmp_path: Path, authority: Authority, running: list[Program]
) -> None:
    pair = first, second = hosts(tmp_path, authority, VENS)
    with wired(pair) as wires:
        started(running, *pair)
        first.take_over()
        first.await_whole()
        for wire in wires:
            wire.cut()
        text = refused(first, "POST", "/DRAS/events", event("e-1", "umeda"))
        assert text.startswith("the standby dras-b.example is away: ")
        assert text.endswith(
            "nothing is answered until it is back, or somebody has dras-a.example take over to write alone"
        )
        # Committed there, and told to no one; so the standby may go on without it.
        assert [row[1] for row in first.rows()["event"]] == ["e-1"]
        assert first.doubled()["problem"].startswith("the standby dras-b.example is away: ")
        second.take_over()
        second.order("e-2", "umeda")
        assert "is away" in refused(first)
        for wire in wires:
            wire.mend()
        second.await_whole()
        assert refused(first) == "dras-a.example is the standby of dras-b.example, the writer of epoch 2"
        assert first.rows() == second.rows()
        assert [row[1] for row in first.rows()["event"]] == ["e-2"]


def test_a_standby_that_is_away_stops_all_until_somebody_says_that_one_goes_on_alone(
    pair: tuple[Host, Host],
) -> None:
    first, second = pair
    second.kill()
    assert "the standby dras-b.example is away" in refused(
        first, "POST", "/DRAS/events", event("e-1", "umeda")
    )
    first.take_over()
    problem = first.doubled()["problem"]
    assert problem.startswith("dras-a.example writes alone: dras-b.example does not have the whole book: ")
    first.order("e-2", "umeda")
    second.start()
    first.await_whole()
    assert first.rows() == second.rows()
    assert second.end() == 0


def test_a_standby_that_comes_back_is_waited_for_and_no_more(pair: tuple[Host, Host]) -> None:
    first, second = pair
    second.kill()
    order = event("e-1", "umeda")
    assert "is away" in refused(first, "POST", "/DRAS/events", order)
    second.start()
    awaited("it serves again", first.is_serving)
    # What was not confirmed then is now, and the same order is the same event.
    assert first.operate("POST", "/DRAS/events", order)[0] == HTTPStatus.OK
    assert first.rows() == second.rows()


def test_a_standby_whose_disk_is_full_is_named(pair: tuple[Host, Host]) -> None:
    first, second = pair
    assert second.process
    most = (second.folder / "vtn.sqlite-wal").stat().st_size
    _, hard = resource.prlimit(second.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(second.process.pid, resource.RLIMIT_FSIZE, (most, hard))

    def is_full() -> bool:
        name = f"e-{len(first.rows()['event'])}"
        return first.operate("POST", "/DRAS/events", event(name, "umeda"))[0] == HTTPStatus.CONFLICT

    awaited("an order is not confirmed", is_full)
    text = refused(first)
    assert "dras-b.example: its book cannot be written: " in text
    assert len(second.rows()["event"]) == len(first.rows()["event"]) - 1
    resource.prlimit(second.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    first.await_whole()
    assert second.rows() == first.rows()


Said = tuple[int, str]


def asked(host: Host, credentials: Credentials, path: str, document: Any) -> Said:
    """Ask the receiver of a host as another host does."""
    plain = socket.create_connection(("127.0.0.1", host.pair_port), 10)
    with plain, client_context(credentials).wrap_socket(plain, server_hostname=host.name) as secure:
        connection = http.client.HTTPConnection(host.name)
        connection.sock = secure
        connection.request("POST", path, json.dumps(document))
        with connection.getresponse() as answer:
            return answer.status, answer.read().decode()


def rows(epoch: int, after: int) -> dict[str, Any]:
    return {"epoch": epoch, "after": after, "seq": after + 1, "counts": True, "horizon": 0, "rows": []}


def test_nobody_but_the_other_host_gives_rows(
    authority: Authority, pair: tuple[Host, Host], tmp_path: Path
) -> None:
    first, second = pair
    seq = 0
    # The writer's own certificate is let in: what is refused is refused for its name.
    status, text = asked(second, first.credentials, "/rows", rows(1, seq + 7))
    assert (status, text) == (HTTPStatus.UNPROCESSABLE_ENTITY, "dras-b.example has transaction 0, not 7")
    ven = authority.issue("umeda.example")
    said = "a certificate for umeda.example is not the other host of this VTN"
    assert asked(second, ven, "/rows", rows(1, seq)) == (HTTPStatus.FORBIDDEN, said)
    (tmp_path / "other").mkdir()
    foreign = replace(Authority(tmp_path / "other").issue(NAMES[0]), trust=first.credentials.trust, crls=None)
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        asked(second, foreign, "/rows", rows(1, seq))
    assert first.is_serving()


def test_a_revoked_host_gives_no_rows(authority: Authority, pair: tuple[Host, Host]) -> None:
    first, second = pair
    first.order("e-1", "umeda")
    authority.revoke(first.credentials.certificate)
    assert second.process
    second.process.send_signal(signal.SIGHUP)
    awaited(
        "it is refused",
        lambda: first.operate("POST", "/DRAS/events", event("e-2", "umeda"))[0] == HTTPStatus.CONFLICT,
    )
    assert [row[1] for row in second.rows()["event"]] == ["e-1"]


@pytest.mark.parametrize(
    ("document", "status", "text"),
    [
        (rows(0, 0), 409, "dras-a.example is the writer of epoch 1"),
        (rows(2, 0), 422, "dras-b.example does not know epoch 2 yet"),
        ({**rows(1, 0), "rows": 1}, 422, "rows: rows: is wrong: must be a list"),
        (
            {**rows(1, 0), "rows": [{"table": "ven", "number": 1, "seq": 1, "values": [1, [2], "", "", ""]}]},
            422,
            "rows: [2] is no list of one text in Base64",
        ),
        (
            {
                **rows(1, 0),
                "rows": [{"table": "ven", "number": 1, "seq": 1, "values": [1, "a", "b", "c", []]}],
            },
            422,
            "rows: [] is no list of one text in Base64",
        ),
        (
            {
                **rows(1, 0),
                "rows": [{"table": "ven", "number": 1, "seq": 1, "values": [1, "a", 2, "c", None]}],
            },
            507,
            "its book cannot be written: NOT NULL constraint failed: ven.registered",
        ),
        (
            {**rows(1, 0), "rows": [{"table": "sqlite_schema", "number": 1, "seq": 1, "values": None}]},
            422,
            "table sqlite_schema is another one here; install the same release on both",
        ),
    ],
)
def test_rows_that_are_not_due_change_nothing(
    pair: tuple[Host, Host], document: Any, status: int, text: str
) -> None:
    first, second = pair
    before = second.rows()
    assert asked(second, first.credentials, "/rows", document) == (status, text)
    assert second.rows() == before
    first.await_whole()


def test_a_ven_is_told_which_host_does_not_answer(
    tmp_path: Path, authority: Authority, running: list[Program], pair: tuple[Host, Host]
) -> None:
    first, _ = pair
    battery = Battery(tmp_path / "umeda-battery.sock")
    # It asks the standby first.
    ven = ven_of(tmp_path, authority, "umeda", (pair[1], pair[0]))
    started(running, ven)
    first.order("e-1", "umeda")
    awaited("it is answered", lambda: first.show("e-1") == {"umeda": ("optIn", True)})
    first.kill()
    awaited("it says why no one answers", lambda: "is the standby of" in ven.log.read_text())
    battery.close()


def test_a_vtn_without_a_second_host_cannot_take_over(
    tmp_path: Path, authority: Authority, running: list[Program]
) -> None:
    alone = Host(tmp_path / "alone", authority, VENS, VTN_NAME)
    started(running, alone)
    assert alone.operate("POST", "/DRAS/takeover") == (
        400,
        "VTN DRAS has no second host; see its configuration",
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": NAMES[1]}, "vtns[0].doubled: is wrong: dras-b.example is both hosts"),
        ({"port": 0}, "vtns[0].doubled.port: is wrong: 0 is not a whole number from 1 to 65535"),
    ],
)
def test_a_second_host_that_is_wrong_is_told(
    tmp_path: Path, authority: Authority, changes: dict[str, Any], problem: str
) -> None:
    made, _ = hosts(tmp_path, authority, VENS)
    document = json.loads(made.config.read_text())
    document["vtns"][0]["doubled"] |= changes
    made.config.write_text(json.dumps(document))
    command = [sys.executable, "-m", "heiiki_agent.openadr", "vtn", str(made.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"{made.config}: {problem}\n")
