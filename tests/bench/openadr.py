"""A VTN and a thousand VENs on this machine, stock openleadr beside ours: `python tests/bench/openadr.py`.

The VENs are connections of one process: each has a certificate of its own, sends what a VEN sends, and looks
for events alone in what comes. So the clock's seconds are those of a machine that plays all 1,001 ends at
once; those of the VTN's processor stand beside them: what a machine of its own would need. Ours keeps its
state on the disk of the temporary folder, and an answer that changes it waits for that; openleadr has its
state in memory.
"""

import asyncio
import json
import os
import platform
import re
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
from free_ports import free_port

from heiiki_agent.openadr import messages as m
from heiiki_agent.openadr.codec import encode
from heiiki_agent.openadr.parts import EiResponse, EventResponse, QualifiedEventId
from heiiki_agent.openadr.places import PATH
from heiiki_agent.tls import Credentials, client_context

sys.path.insert(0, str(Path(__file__).parents[1]))
from openadr_loopback import VTN_NAME, Authority, Vtn, event, memory_kib

GOAL_S = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")
_EVENT = re.compile(rb"eventID>([^<]+)<.*?modificationNumber>(\d+)<", re.DOTALL)


@dataclass
class Client:
    """One VEN: a kept connection."""

    ven_id: str
    context: ssl.SSLContext
    port: int
    events: set[bytes] = field(default_factory=set)

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.context, server_hostname=VTN_NAME
        )

    async def ask(self, service: str, body: bytes) -> bytes:
        """Post a message; return the answer."""
        head = (
            f"POST {PATH}{service} HTTP/1.1\r\nHost: {VTN_NAME}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", answer)
        if not answer.startswith(b"HTTP/1.1 200") or length is None:
            raise RuntimeError(f"{self.ven_id}: {answer!r}")
        return await self._reader.readexactly(int(length[1]))

    async def register(self) -> None:
        """Register."""
        await self.open()
        message = m.CreatePartyRegistration(request_id=f"r-{self.ven_id}", ven_name=self.ven_id, pull=True)
        await self.ask("EiRegisterParty", encode(message))

    async def poll(self) -> None:
        """Poll, and opt in to what comes and has not been answered."""
        answer = await self.ask("OadrPoll", encode(m.Poll(ven_id=self.ven_id)))
        for event_id, modification in _EVENT.findall(answer):
            if event_id not in self.events:
                about = QualifiedEventId(event_id=event_id.decode(), modification=int(modification))
                response = EventResponse(request_id="d", event=about, opt="optIn")
                await self.ask(
                    "EiEvent",
                    encode(m.CreatedEvent(response=EiResponse(), events=(response,), ven_id=self.ven_id)),
                )
                self.events.add(event_id)

    def close(self) -> None:
        """Hang up."""
        self._writer.transport.abort()


@dataclass(frozen=True)
class Figures:
    """What was measured of one VTN."""

    name: str
    idle_mib: float
    full_mib: float
    register_s: float
    polls_a_second: float
    processor_ms_a_poll: float
    fan_out_s: float
    fan_out_processor_s: float


@dataclass(frozen=True)
class Server:
    """A VTN that is measured: its process, and how an event for all is sent and awaited."""

    name: str
    port: int
    pid: int
    send: Callable[[], Awaitable[None]]
    answered: Callable[[], Awaitable[None]]

    def processor_s(self) -> float:
        """Return the seconds of processor that the process has had."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


async def measured(
    server: Server, contexts: dict[str, ssl.SSLContext], seconds: float, every_s: float
) -> Figures:
    """Register all, poll as fast as it goes, then send an event to VENs that poll every so often."""
    clients = [Client(ven_id, context, server.port) for ven_id, context in contexts.items()]
    idle = memory_kib(server.pid)
    start = time.monotonic()
    await in_turns(clients, Client.register, 32)
    registered = time.monotonic() - start
    await in_turns(clients, Client.poll, 64)

    start, processor, polls = time.monotonic(), server.processor_s(), 0
    while time.monotonic() - start < seconds:
        await in_turns(clients, Client.poll, 64)
        polls += len(clients)
    took, processor = time.monotonic() - start, server.processor_s() - processor

    polling = [
        asyncio.create_task(regularly(client, at * every_s / len(clients), every_s))
        for at, client in enumerate(clients)
    ]
    await asyncio.sleep(every_s)
    start, fan_out = time.monotonic(), server.processor_s()
    await server.send()
    await server.answered()
    fanned, fan_out = time.monotonic() - start, server.processor_s() - fan_out
    full = memory_kib(server.pid)
    for task in polling:
        task.cancel()
    await asyncio.gather(*polling, return_exceptions=True)
    for client in clients:
        client.close()
    return Figures(
        server.name,
        idle / 1024,
        full / 1024,
        registered,
        polls / took,
        1000 * processor / polls,
        fanned,
        fan_out,
    )


async def in_turns(clients: list[Client], work: Callable[[Client], Awaitable[None]], at_once: int) -> None:
    """Do something for every client, so many at once."""
    waiting = iter(clients)

    async def worker() -> None:
        for client in waiting:
            await work(client)

    await asyncio.gather(*(worker() for _ in range(at_once)))


async def regularly(client: Client, first_s: float, every_s: float) -> None:
    """Poll every so often."""
    await asyncio.sleep(first_s)
    while True:
        start = time.monotonic()
        await client.poll()
        await asyncio.sleep(max(0.0, every_s - (time.monotonic() - start)))


async def ours(
    folder: Path, authority: Authority, contexts: dict[str, ssl.SSLContext], seconds: float, every_s: float
) -> Figures:
    """Measure our VTN."""
    vtn = Vtn(folder, authority, tuple(contexts))
    vtn.start()
    assert vtn.process

    async def send() -> None:
        status, text = await asyncio.to_thread(vtn.operate, "POST", "/DRAS/events", event("e-1", *contexts))
        assert status == 200, text

    async def answered() -> None:
        while True:
            states = await asyncio.to_thread(vtn.show, "e-1")
            if all(acknowledged for _, acknowledged in states.values()):
                return
            await asyncio.sleep(0.1)

    server = Server("ours", vtn.port, vtn.process.pid, send, answered)
    figures = await measured(server, contexts, seconds, every_s)
    vtn.end()
    return figures


async def stock(
    authority: Authority, contexts: dict[str, ssl.SSLContext], seconds: float, every_s: float
) -> Figures:
    """Measure openleadr's."""
    files, port = authority.issue(VTN_NAME), free_port()
    program = str(Path(__file__).parents[1] / "openleadr_peer.py")
    arguments = [
        "crowd",
        str(port),
        str(files.certificate),
        str(files.key),
        str(files.trust),
        str(len(contexts)),
    ]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, *arguments, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
    )
    assert process.stdin
    assert process.stdout
    stdin, stdout = process.stdin, process.stdout

    async def told(word: str) -> None:
        wanted = json.dumps({"crowd": word}).encode()
        while said := await stdout.readline():
            if said.strip() == wanted:
                return
        raise RuntimeError("openleadr ended")

    async def send() -> None:
        stdin.write(b"\n")

    await told("serving")
    server = Server("openleadr", port, process.pid, send, lambda: told("done"))
    figures = await measured(server, contexts, seconds, every_s)
    process.kill()
    await process.wait()
    return figures


def table(figures: list[Figures], every_s: float) -> str:
    """Return the figures as a table."""
    rows = [
        ("memory, nobody registered", "MiB", [one.idle_mib for one in figures]),
        ("memory, all registered, event sent", "MiB", [one.full_mib for one in figures]),
        ("all connect and register", "s", [one.register_s for one in figures]),
        ("polls, as fast as it goes", "1/s", [one.polls_a_second for one in figures]),
        ("processor of the VTN for a poll", "ms", [one.processor_ms_a_poll for one in figures]),
        (f"event to all, every opt back, polls every {every_s:g} s", "s", [one.fan_out_s for one in figures]),
        ("processor of the VTN for that", "s", [one.fan_out_processor_s for one in figures]),
    ]
    head = f"{'':52}{'':5}" + "".join(f"{one.name:>12}" for one in figures)
    return "\n".join(
        [
            head,
            *(
                f"{name:52}{unit:5}" + "".join(f"{value:12.2f}" for value in values)
                for name, unit, values in rows
            ),
        ]
    )


@click.command(help=__doc__)
@click.option(
    "--vens", default=1000, show_default=True, help="VENs, each with a certificate and a connection."
)
@click.option("--seconds", default=10.0, show_default=True, help="How long polls are counted.")
@click.option(
    "--every", default=3.0, show_default=True, help="Seconds between two polls of a VEN in the fan-out."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(vens: int, seconds: float, every: float, as_json: bool) -> None:
    """Measure both and print a table."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        authority = Authority(folder)
        contexts = {f"ven-{number}": _context(authority, number) for number in range(vens)}
        figures = [
            asyncio.run(ours(folder, authority, contexts, seconds, every)),
            asyncio.run(stock(authority, contexts, seconds, every)),
        ]
    if as_json:
        click.echo(json.dumps([vars(one) for one in figures]))
        return
    load = os.getloadavg()[0]
    click.echo(
        f"{vens} VENs, {os.cpu_count()} processors, load {load:.1f}, Python {platform.python_version()}"
    )
    click.echo(table(figures, every))
    click.echo(
        f"goal: every opt back within {GOAL_S:g} s: {'met' if figures[0].fan_out_s <= GOAL_S else 'missed'}"
    )


def _context(authority: Authority, number: int) -> ssl.SSLContext:
    files: Credentials = authority.issue(f"ven-{number}.example")
    return client_context(Credentials(certificate=files.certificate, key=files.key, trust=files.trust))


if __name__ == "__main__":
    main()
