"""An event that is pushed to many VENs over XMPP: `python tests/bench/push.py`, as root.

The VTN is the program, prosody that of the lab's own root, or of the machine with `--machine`. The VENs are
connections of one process, each with a certificate of its own: they answer what is pushed, and then the
event, without keeping a book of it. Seconds count from the event's row in the VTN's book to that of the last
opt: in between each VEN has two requests answered, and the VTN has committed each opt.
"""

import asyncio
import os
import platform
import resource
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import click

sys.path.insert(0, str(Path(__file__).parents[1]))
from openadr_loopback import Vtn, event, memory_kib
from xmpp import Session, lab_root
from xmpp_openadr import Issuer
from xmpp_world import DOMAIN, Authority, Prosody, jid

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.parts import EiResponse, EventResponse, QualifiedEventId
from heiiki_agent.openadr.xmpp import VEN_RESOURCE, VTN_RESOURCE, read, written
from heiiki_agent.tls import client_context

GOAL_S = 5.0
_AT_ONCE = 16
_LONGEST_S = 300.0
_OPTS = """
SELECT count(*), max(received) FROM event_answer WHERE event_id = ? AND modification = ? AND opt = 'optIn'
"""
_SENT = "SELECT created FROM event_version WHERE event_id = ? AND modification = ?"


class PushedVen(Session):
    """A VEN that answers what is pushed to it."""

    RESOURCE = VEN_RESOURCE

    def __init__(self, name: str, issuer: Issuer, port: int) -> None:
        super().__init__(name, client_context(issuer.issue(f"{name}.example")), port)
        self._ven_id, self._number = name, 0

    async def register(self) -> None:
        """Log in and register."""
        await self.log_in()
        self._ask(m.CreatePartyRegistration(request_id="r-1", transport="xmpp", address=self.jid))
        answer = decode(read((await self.stanza())[0]))
        if not isinstance(answer, m.CreatedPartyRegistration) or answer.ven_id != self._ven_id:
            raise RuntimeError(f"{self._ven_id} is not registered: {answer}")

    async def serve(self) -> None:
        """Say that an event has come, then opt in."""
        while True:
            one = await self.stanza()
            if one.get("type") != "set":
                continue
            pushed = decode(read(one[0]))
            if not isinstance(pushed, m.DistributeEvent):
                raise RuntimeError(f"{pushed.NAME} was pushed")  # noqa: TRY004 - of the message, not of a variable
            well = EiResponse(code="200", description="OK", request_id=pushed.request_id)
            content = written(encode(m.Response(response=well, ven_id=self._ven_id)))
            self.send(f"<iq type='result' id='{one.get('id')}' to='{one.get('from')}'>{content}</iq>")
            self._ask(self._opt(pushed))

    def _opt(self, pushed: m.DistributeEvent) -> m.CreatedEvent:
        descriptors = [one.descriptor for one in pushed.events]
        answers = tuple(
            EventResponse(
                request_id=pushed.request_id,
                event=QualifiedEventId(event_id=one.event_id, modification=one.modification),
                opt="optIn",
            )
            for one in descriptors
        )
        return m.CreatedEvent(response=EiResponse(), events=answers, ven_id=self._ven_id)

    def _ask(self, message: m.Message) -> None:
        self._number += 1
        to = f"{jid('dras')}/{VTN_RESOURCE}"
        self.send(f"<iq type='set' id='b{self._number}' to='{to}'>{written(encode(message))}</iq>")


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Attributes:
        logins_s: log-ins and registrations a second.
        pushes_s: an event to every VEN until the last opt is in the book, each time.
        vtn_mib: memory of the VTN at the end.
    """

    logins_s: float
    pushes_s: tuple[float, ...]
    vtn_mib: float


async def measured(vtn: Vtn, vens: list[PushedVen], times: int) -> Figures:
    """Have everybody register, and send events, one after the other has been answered."""
    loop = asyncio.get_running_loop()
    began, waiting = loop.time(), iter(vens)

    async def worker() -> None:
        for ven in waiting:
            await ven.register()

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))
    logins_s = len(vens) / (loop.time() - began)
    serving = [asyncio.create_task(one.serve()) for one in vens]
    names = [one.jid.partition("@")[0] for one in vens]
    pushes = [await _pushed(vtn, f"e-{number}", names, serving) for number in range(times)]
    assert vtn.process
    return Figures(logins_s, tuple(pushes), memory_kib(vtn.process.pid) / 1024)


async def _pushed(vtn: Vtn, name: str, vens: list[str], serving: list[asyncio.Task[None]]) -> float:
    """Send an event, and cancel it; return the seconds from its row to that of the last opt."""
    status, text = await asyncio.to_thread(vtn.operate, "POST", "/DRAS/events", event(name, *vens))
    if status != 200:
        raise RuntimeError(text)
    took = await _answered(vtn, name, 0, serving)
    await asyncio.to_thread(vtn.operate, "DELETE", f"/DRAS/events/{name}")
    await _answered(vtn, name, 1, serving)
    return took


async def _answered(vtn: Vtn, name: str, version: int, serving: list[asyncio.Task[None]]) -> float:
    """Wait until every VEN has answered a version; return the seconds from its row to the last answer's."""
    async with asyncio.timeout(_LONGEST_S):
        with closing(sqlite3.connect(vtn.config.parent / "vtn.sqlite")) as book:
            while (found := book.execute(_OPTS, (name, version)).fetchone())[0] < len(serving):
                for task in serving:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.1)
            (sent,) = book.execute(_SENT, (name, version)).fetchone()
    return (datetime.fromisoformat(found[1]) - datetime.fromisoformat(sent)).total_seconds()


@click.command(help=__doc__)
@click.option("--vens", default=50, show_default=True, help="Each with a certificate and a session.")
@click.option("--times", default=5, show_default=True, help="How many events are sent.")
@click.option(
    "--root", type=click.Path(path_type=Path), help="Root that prosody is in; else the lab's newest."
)
@click.option("--machine", is_flag=True, help="Take the prosody of this machine.")
def main(vens: int, times: int, root: Path | None, machine: bool) -> None:
    """Measure it and print a table."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    names = tuple(f"site-{number}" for number in range(vens))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        authority = Authority(folder / "authority")
        server = Prosody(folder / "server", authority, names, None if machine else root or lab_root())
        server.enrol()
        server.start()
        issuer = Issuer(authority, server)
        places = [{"address": "127.0.0.1", "port": server.port}]
        own = {"domain": DOMAIN, "servers": places, "jid": jid("dras")}
        vtn = Vtn(folder, issuer, names, xmpp=own)  # type: ignore[arg-type]
        try:
            vtn.start()
            sessions = [PushedVen(name, issuer, server.port) for name in names]
            found = asyncio.run(measured(vtn, sessions, times))
        finally:
            vtn.end()
            server.stop()
    load = os.getloadavg()[0]
    click.echo(
        f"{vens} VENs, {os.cpu_count()} processors, load {load:.1f}, Python {platform.python_version()}"
    )
    click.echo(f"log-ins and registrations, as fast as it goes  1/s {found.logins_s:10.1f}")
    click.echo(f"event to all, every opt in the book, median    s   {median(found.pushes_s):10.2f}")
    click.echo(
        f"the same, the longest of {len(found.pushes_s)}                     s   {max(found.pushes_s):10.2f}"
    )
    click.echo(f"memory of the VTN                              MiB {found.vtn_mib:10.1f}")
    met = max(found.pushes_s) <= GOAL_S
    click.echo(f"goal: every opt within {GOAL_S:g} s: {'met' if met else 'missed'}")


if __name__ == "__main__":
    main()
