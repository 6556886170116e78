"""The XMPP server and a thousand devices on this machine: `python tests/bench/xmpp.py`, as root.

The server is prosody of the lab's own root, or of the machine with `--machine`, with the configuration and
the module that it is sent. The devices are connections of one process, each with a certificate of its own,
which log in as a device does and answer what DRAS sends. So the clock's seconds are those of a machine that
plays all 1,002 ends at once; those of the server's processor stand beside them: what a machine of its own
would need.
"""

import asyncio
import base64
import json
import os
import platform
import resource
import ssl
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self
from xml.etree.ElementTree import Element

import click

from heiiki_agent.xmpp.client import BIND, CLIENT, SASL, STREAMS, TLS
from heiiki_agent.xmpp.stream import Reader

sys.path.insert(0, str(Path(__file__).parents[1]))
from openadr_loopback import memory_kib
from xmpp_world import DOMAIN, Authority, Prosody, identity, newest_root

GOAL_S = 5.0
_REQUEST, _ANSWER = 2000, 1500
"""Octets of an event request and of an opt (TR-1072 table 5.5)."""
_AT_ONCE = 32
_LONGEST_S = 120.0
_CHUNK = 65_536
_TICKS = os.sysconf("SC_CLK_TCK")


class Server(Prosody):
    """prosody for many devices, and what it costs."""

    @property
    def memory_mib(self) -> float:
        """Memory that it has."""
        return memory_kib(self.pid) / 1024

    @property
    def pid(self) -> int:
        """Its process."""
        return int((self.folder / "prosody.pid").read_text())

    def processor_s(self) -> float:
        """Return the seconds of processor that it has had."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


class Session:
    """One end that is logged in (RFC 6120)."""

    RESOURCE = "bench"

    def __init__(self, name: str, context: ssl.SSLContext, port: int) -> None:
        """Be the device of that name, or DRAS."""
        self._name, self._context, self._port = name, context, port
        self._stanzas: list[Element] = []
        self.jid = ""

    async def log_in(self) -> Self:
        """Connect, have it encrypted, log in by certificate and bind a resource."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        await self._open()
        self.send(f"<starttls xmlns='{TLS}'/>")
        await self._next(f"{{{TLS}}}proceed")
        await self._writer.start_tls(self._context, server_hostname=DOMAIN)
        await self._open()
        self.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>")
        await self._next(f"{{{SASL}}}success")
        await self._open()
        self.send(
            f"<iq type='set' id='bind'><bind xmlns='{BIND}'><resource>{self.RESOURCE}</resource></bind></iq>"
        )
        bound = await self._next(f"{{{CLIENT}}}iq")
        found = bound.find(f"{{{BIND}}}bind/{{{BIND}}}jid")
        if found is None or not found.text:
            raise RuntimeError(f"{self._name}: no resource was bound")
        self.jid = found.text
        return self

    def send(self, text: str) -> None:
        """Send some XML."""
        self._writer.write(text.encode())

    async def drain(self) -> None:
        """Wait until what was sent is on its way."""
        await self._writer.drain()

    async def stanza(self) -> Element:
        """Return what comes next."""
        while not self._stanzas:
            data = await self._reader.read(_CHUNK)
            if not data:
                raise RuntimeError(f"{self._name}: the server hung up")
            self._stanzas += self._stream.feed(data)
        return self._stanzas.pop(0)

    async def answer(self) -> None:
        """Answer every request of DRAS by a result."""
        filler = _filler(_ANSWER)
        while True:
            one = await self.stanza()
            if one.tag == f"{{{CLIENT}}}iq" and one.get("type") == "set":
                self.send(f"<iq type='result' id='{one.get('id')}' to='{one.get('from')}'>{filler}</iq>")

    def close(self) -> None:
        """Hang up."""
        self._writer.transport.abort()

    async def _open(self) -> None:
        self._stream, self._stanzas = Reader(), []
        self.send(f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}' version='1.0' to='{DOMAIN}'>")
        await self._next(f"{{{STREAMS}}}features")

    async def _next(self, tag: str) -> Element:
        one = await self.stanza()
        if one.tag != tag:
            raise RuntimeError(f"{self._name}: {one.tag} came where {tag} was awaited")
        return one


def _filler(octets: int) -> str:
    """Return an element of that size, whose content cannot be made shorter."""
    content = base64.b64encode(os.urandom(octets))[: octets - len("<bench xmlns='urn:heiiki:bench'></bench>")]
    return f"<bench xmlns='urn:heiiki:bench'>{content.decode()}</bench>"


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Attributes:
        fan_outs_s: an event to every device, and every answer back, each time.
    """

    idle_mib: float
    full_mib: float
    logins_s: float
    login_processor_ms: float
    fan_outs_s: tuple[float, ...]
    fan_out_processor_s: float


async def measured(
    server: Server, contexts: dict[str, ssl.SSLContext], dras: ssl.SSLContext, times: int
) -> Figures:
    """Log everybody in, and have DRAS ask all of them, several times."""
    idle = server.memory_mib
    devices = [Session(name, context, server.port) for name, context in contexts.items()]
    start, processor = time.monotonic(), server.processor_s()
    await _logged_in(devices)
    took, processor = time.monotonic() - start, server.processor_s() - processor
    answering = [asyncio.create_task(one.answer()) for one in devices]
    center = await Session("dras", dras, server.port).log_in()
    fanning = server.processor_s()
    asked = [await _fan_out(center, devices, f"{number}-") for number in range(times)]
    fanning = (server.processor_s() - fanning) / times
    full = server.memory_mib
    for task in answering:
        task.cancel()
    failed = [
        one for one in await asyncio.gather(*answering, return_exceptions=True) if isinstance(one, Exception)
    ]
    if failed:
        raise failed[0]
    for one in (center, *devices):
        one.close()
    return Figures(idle, full, len(devices) / took, 1000 * processor / len(devices), tuple(asked), fanning)


async def _logged_in(devices: list[Session]) -> None:
    waiting = iter(devices)

    async def worker() -> None:
        for device in waiting:
            await device.log_in()

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))


async def _fan_out(center: Session, devices: list[Session], prefix: str) -> float:
    """Ask every device at once; return the seconds until the last has answered."""
    filler, start = _filler(_REQUEST), time.monotonic()
    open_ids = {f"{prefix}{number}": device.jid for number, device in enumerate(devices)}

    async def ask() -> None:
        for name, to in list(open_ids.items()):
            center.send(f"<iq type='set' id='{name}' to='{to}'>{filler}</iq>")
            await center.drain()

    sending = asyncio.create_task(ask())
    async with asyncio.timeout(_LONGEST_S):
        while open_ids:
            one = await center.stanza()
            if one.get("type") != "result":
                raise RuntimeError(f"{one.get('from')} did not answer: {one.get('type')}")
            if open_ids.pop(str(one.get("id")), None) != one.get("from"):
                raise RuntimeError(f"{one.get('from')} answered what it was not asked")
    await sending
    return time.monotonic() - start


def table(found: Figures) -> str:
    """Return the figures as a table."""
    rows = (
        ("memory, nobody logged in", "MiB", found.idle_mib),
        ("memory, all logged in, events sent", "MiB", found.full_mib),
        ("logins, as fast as it goes", "1/s", found.logins_s),
        ("processor of the server for a login", "ms", found.login_processor_ms),
        (
            f"event to all, every answer back, median of {len(found.fan_outs_s)}",
            "s",
            median(found.fan_outs_s),
        ),
        ("the same, the longest", "s", max(found.fan_outs_s)),
        ("processor of the server for that", "s", found.fan_out_processor_s),
    )
    return "\n".join(f"{name:52}{unit:5}{value:10.2f}" for name, unit, value in rows)


def lab_root() -> Path:
    """Return the root that prosody is taken from."""
    if (found := newest_root()) is None:
        raise click.ClickException(
            "there is no root with prosody; run `make demo`, or give --machine or --root"
        )
    return found


@click.command(help=__doc__)
@click.option("--devices", default=1000, show_default=True, help="Each with a certificate and a session.")
@click.option("--times", default=5, show_default=True, help="How often all of them are asked.")
@click.option(
    "--root", type=click.Path(path_type=Path), help="Root that prosody is in; else the lab's newest."
)
@click.option("--machine", is_flag=True, help="Take the prosody of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(devices: int, times: int, root: Path | None, machine: bool, as_json: bool) -> None:
    """Measure it and print a table."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    names = tuple(f"site-{number}-bems" for number in range(devices))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        authority = Authority(folder / "authority")
        server = Server(folder / "server", authority, names, None if machine else root or lab_root())
        server.enrol()
        server.start()
        try:
            contexts = {name: server.context(authority.issue(identity(name))) for name in names}
            dras = server.context(authority.issue(identity("dras")))
            found = asyncio.run(measured(server, contexts, dras, times))
        finally:
            server.stop()
    if as_json:
        click.echo(json.dumps(vars(found)))
        return
    load = os.getloadavg()[0]
    click.echo(
        f"{devices} devices, {os.cpu_count()} processors, load {load:.1f}, Python {platform.python_version()}"
    )
    click.echo(table(found))
    met = max(found.fan_outs_s) <= GOAL_S
    click.echo(f"goal: every answer back within {GOAL_S:g} s: {'met' if met else 'missed'}")


if __name__ == "__main__":
    main()
