"""How long it takes to give a thousand devices their certificates: `make bench`, second part.

A real server (OpenBao with raft, TLS and an audit log) and all devices share this machine, and what each
device would do alone is done here in threads, so the figures are those of a machine that does everybody's
work at once. Setting the server up for the plan is not counted. A busy machine spoils the clock's seconds, so
those of the processors stand beside them, this process, openssl and the server together; by the number of
processors they are what an idle machine would need at least, and the goal is judged by that.

Two ways are measured. First the parts of which the goal speaks, each for all devices before the next begins:
a key and a CSR by one call of openssl a device, and the signatures over kept connections with one token. Then
the way as it is in the field: request, check and wrapped token on the controller, and on the device a
connection, the token unwrapped, the signature, two calls of openssl to check it, and files that are on the
disk (fsync) before `current` points to them.
"""

import os
import platform
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from heiiki import intent
from heiiki.cli.new_service import generate
from heiiki.pki import enrol
from heiiki.pki.issue import signing_call
from heiiki.pki.server import reconcile as pki
from heiiki.pki.server.connection import Vault
from heiiki.plan import Plan, build
from heiiki.plan.model import Identity
from heiiki.render.credentials import names
from heiiki_agent.pki.enrol import install, request
from heiiki_agent.pki.names import Names
from heiiki_agent.pki.settings import Anchors, Endpoint, Order, Settings
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.vault import Server
from heiiki_agent.pki.x509 import new_key

sys.path.insert(0, str(Path(__file__).parents[1]))
from vault_server import RunningVault, unsealed_vault

GOAL_S = 3.0
DEVICES_A_SITE = 2


@dataclass(frozen=True)
class Step:
    """What was done for every device, and the seconds of clock and processors for all of them."""

    name: str
    clock: float
    processor: float


def planned(count: int, seed: int, folder: Path) -> tuple[Plan, list[Identity]]:
    """Return a generated service with at least `count` identities, and the first so many of them."""
    (folder / "sites").mkdir(parents=True)
    for path, text in generate("bench", count // DEVICES_A_SITE + 1, seed).items():
        (folder / path).write_text(text, encoding="utf-8")
    plan = build(intent.load(folder))
    found = list(plan.identities())[:count]
    if len(found) < count:
        raise click.ClickException(f"the generated service has {len(found)} identities only, not {count}")
    return plan, found


class Bench:
    """One measurement."""

    def __init__(self, plan: Plan, server: RunningVault, folder: Path, threads: int) -> None:
        self._plan, self._server, self._folder, self._threads = plan, server, folder, threads
        self.steps: list[Step] = []
        self._shared = {
            **enrol.planned(plan),
            **enrol.facts(server.session(), plan),
        }

    def _each(self, name: str, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        began, used = time.perf_counter(), self._processor()
        with ThreadPoolExecutor(self._threads) as pool:
            done = list(pool.map(work, items))
        self.steps.append(Step(name, time.perf_counter() - began, self._processor() - used))
        return done

    def _processor(self) -> float:
        """Seconds of the processors that this process, its children and the server have had."""
        ours = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        stat = Path(f"/proc/{self._server.process.pid}/stat").read_text(encoding="utf-8")
        ticks = sum(map(int, stat.rpartition(")")[2].split()[11:13]))
        return sum(one.ru_utime + one.ru_stime for one in ours) + ticks / os.sysconf("SC_CLK_TCK")

    def parts(self, identities: list[Identity]) -> None:
        """Measure key with CSR, then signature."""
        made = self._each("key and CSR", lambda one: new_key(_names(one))[1], identities)
        calls = [signing_call(self._plan.pki, one) for one in identities]
        kept = threading.local()

        def sign(call: tuple[tuple[str, dict[str, str]], str]) -> None:
            (path, parameters), csr = call
            if not hasattr(kept, "server"):
                kept.server = self._connection()
            kept.server.document("POST", path, self._server.root_token, {**parameters, "csr": csr})

        self._each("sign, kept connections", sign, zip(calls, made, strict=True))

    def _connection(self) -> Server:
        where = self._server.server
        return Server([Endpoint(where.url, where.host)], Anchors((where.ca_pem,)))

    def whole(self, identities: list[Identity]) -> None:
        """Measure the way from no key to an installed certificate."""
        vault = self._server.root
        configs = [self._config(one) for one in identities]
        made = self._each("device: key, CSR, files", request, configs)
        orders = self._each(
            "controller: check, wrapped token",
            lambda pair: self._order(vault, *pair),
            zip(identities, made, strict=True),
        )
        self._each(
            "device: unwrap, sign, check, install",
            lambda pair: install(*pair),
            zip(configs, orders, strict=True),
        )
        for config in configs:
            if Store(config.folder).current() != 1:
                raise click.ClickException(f"{config.device} has no certificate: the measurement is void")

    def _config(self, identity: Identity) -> Settings:
        return Settings(
            **asdict(_names(identity)), device=identity.device, folder=self._folder / identity.device
        )

    def _order(self, vault: Vault, identity: Identity, made: dict[str, Any]) -> Order:
        token, order = enrol.order(vault, self._shared, identity.device, made["csr"])
        return Order(
            token=token,
            url=self._server.server.url,
            host=self._server.server.host,
            path=order["path"],
            parameters=order["parameters"],
            names=_names(identity),
            generation=made["generation"],
            anchors=tuple(order["anchors"]),
            server_anchors=tuple(order["server_anchors"]),
        )


def _names(identity: Identity) -> Names:
    return Names(**{kind: tuple(values) for kind, values in names(identity).items()})


def report(steps: list[Step], count: int) -> Iterator[str]:
    """Yield the lines of the report: the first two steps are the goal's, the rest is the whole way."""
    yield f"{'for all devices':<40}{'clock s':>9}{'processor s':>13}{'ms a device':>13}"
    rows = [*steps[:2], _sum("key, CSR and signature", steps[:2])]
    rows += [*steps[2:], _sum("from no key to an installed file", steps[2:])]
    for row in rows:
        yield f"{row.name:<40}{row.clock:>9.2f}{row.processor:>13.2f}{row.processor / count * 1000:>13.2f}"
    needed, goal = rows[2].processor / (os.cpu_count() or 1), GOAL_S * count / 1000
    met = "met" if needed <= goal else "missed"
    yield f"key, CSR and signature on this machine, idle: {needed:.2f} s; goal {goal:g} s: {met}"
    signing = steps[1].processor / (os.cpu_count() or 1)
    yield f"of that {signing:.2f} s are signing; in the field each device makes its own key beside the others"


def _sum(name: str, steps: list[Step]) -> Step:
    return Step(name, sum(step.clock for step in steps), sum(step.processor for step in steps))


@click.command()
@click.option("--devices", type=click.IntRange(10, 4000), default=1000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--threads", type=click.IntRange(1, 64), default=8, show_default=True)
def main(devices: int, seed: int, threads: int) -> None:
    """Measure the certificates of a generated service."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as place:
        plan, identities = planned(devices, seed, Path(name) / "service")
        with unsealed_vault(Path(place)) as server:
            pki.ensure(server.root, plan)
            bench = Bench(plan, server, Path(name) / "devices", threads)
            bench.parts(identities)
            bench.whole(identities)
        machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        click.echo(f"{devices} identities, {threads} threads; Python {platform.python_version()}, {machine}")
        for line in report(bench.steps, devices):
            click.echo(line)


if __name__ == "__main__":
    main()
