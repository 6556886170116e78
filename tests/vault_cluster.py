"""Three real servers of the Vault API on loopback, by their rendered configuration with other ports.

What differs from hosts: all have one address, and each writes its files in a folder of its own.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from free_ports import free_port
from three_vaults import VAULTS, with_vaults
from vault_server import _program, make_tls

from heiiki.pki.server.bootstrap import Shares, apply
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import Access, access, ca_path
from heiiki.pki.server.pinned import Server
from heiiki.pki.server.reconcile import Change
from heiiki.plan.model import Plan, VaultHost
from heiiki.render.compile import compile_device
from heiiki.state import FileSecrets
from heiiki_agent.pki.settings import Endpoint

SHARES = Shares(3, 2)


@dataclass
class Node:
    """One server of the cluster, which may be killed, held and started again."""

    planned: VaultHost
    folder: Path
    server: Server
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def session(self) -> Vault:
        return Vault(self.server)

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        (self.folder / "raft").mkdir(exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            argv = [_program(), "server", "-config=vault.hcl"]
            self.process = subprocess.Popen(
                argv, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        awaited(self.answers, 60, lambda: self.log)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            self.session.within(1, 5).health()
        except Exception:  # noqa: BLE001  # whatever it is, it does not answer yet
            return False
        return True

    def signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def lose(self) -> None:
        """Kill it, and take its storage away."""
        self.kill()
        shutil.rmtree(self.folder / "raft")


@dataclass
class Cluster:
    """The servers of a plan, and the controller's state."""

    plan: Plan
    folder: Path
    nodes: Mapping[str, Node] = field(default_factory=dict)

    def access(self, environment: Mapping[str, str] | None = None) -> Access:
        """Return the controller's way to the servers."""
        named = ",".join(node.server.url for node in self.nodes.values())
        return access(self.plan.pki, self.store, {"VAULT_ADDR": named, **(environment or {})})

    @property
    def store(self) -> FileSecrets:
        return FileSecrets(self.folder / "state")

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The servers as a device knows them."""
        return tuple(Endpoint(node.server.url, node.server.host) for node in self.nodes.values())

    @property
    def ca_pems(self) -> tuple[str, ...]:
        return tuple(node.server.ca_pem for node in self.nodes.values())

    def apply(self, *, check: bool = False) -> tuple[Change, ...]:
        """Apply role pki, as in a lab."""
        way = self.access()
        try:
            return apply(way, self.plan, shares=SHARES, unsealing=True, check=check)
        finally:
            way.vault.close()

    def leader(self, within_s: float = 30) -> Node:
        """Return the server that leads."""
        found: list[Node] = []

        def leads() -> bool:
            found[:] = [node for node in self.nodes.values() if status(node) == "active"]
            return len(found) == 1

        awaited(leads, within_s, lambda: "no server leads")
        return found[0]

    def followers(self) -> tuple[Node, ...]:
        leader = self.leader()
        return tuple(node for node in self.nodes.values() if node is not leader)


def status(node: Node) -> str:
    """Return what a server says of itself: active, standby, sealed, new or silent."""
    try:
        health = node.session.within(1, 2).fields("sys/health?standbycode=200&sealedcode=200&uninitcode=200")
    except Exception:  # noqa: BLE001  # held or killed
        return "silent"
    if not health["initialized"]:
        return "new"
    if health["sealed"]:
        return "sealed"
    return "standby" if health["standby"] else "active"


def awaited(condition: Callable[[], bool], within_s: float, told: Callable[[], str]) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.05)


def configured(plan: Plan, nodes: Mapping[str, Node], ports: Mapping[str, list[int]]) -> None:
    """Write each server's rendered configuration, with its folders and ports here."""
    for name, node in nodes.items():
        made = compile_device(plan, plan.device(name))
        text = next(file.content for file in made.files if file.path == "/etc/heiiki/vault.hcl")
        own = ports[name]
        text = text.replace("127.0.0.1:8202", f"127.0.0.1:{own[3]}")
        text = text.replace("127.0.0.1:8201", f"127.0.0.1:{own[1]}")
        for other, planned in ((one, node.planned) for one, node in nodes.items()):
            text = text.replace(f"{planned.address}:8200", f"127.0.0.1:{ports[other][0]}")
            text = text.replace(f"{planned.address}:8201", f"127.0.0.1:{ports[other][1]}")
            text = text.replace(f"{planned.service_address}:8200", f"127.0.0.1:{ports[other][2]}")
        for there, here in {
            "/var/lib/heiiki-vault": f"{node.folder}/raft",
            "/run/heiiki-vault/peers.pem": f"{node.folder}/anchors.pem",
            "/run/heiiki-vault/certificate.pem": f"{node.folder}/server.pem",
            "/run/heiiki-vault/key.pem": f"{node.folder}/server.key",
            "/run/heiiki-vault/pid": f"{node.folder}/pid",
            # The same name at each: a server does not lead with other audit logs than the cluster's.
            "/var/log/heiiki-vault/audit.log": "audit.log",
            "/var/log/heiiki/audit/audit.log": "audit-2.log",
        }.items():
            text = text.replace(there, here)
        (node.folder / "vault.hcl").write_text(text)


@contextmanager
def running(
    folder: Path, *hosts: str, before: Callable[[Mapping[str, Node], Mapping[str, str]], None] | None = None
) -> Iterator[Cluster]:
    """Start new servers, not initialised, and end them.

    Args:
        folder: for all that they and the controller keep.
        hosts: names of the servers; none: the usual three.
        before: called before they start, with the servers and the address of each in its cluster.
    """
    plan = with_vaults(*hosts)
    store = FileSecrets(folder / "state")
    nodes, ports = {}, {}
    for planned in plan.pki.servers:
        ports[planned.device] = [free_port() for _ in range(4)]
        place = folder / planned.device
        place.mkdir(parents=True)
        pem = make_tls(place, planned.host)
        (place / "anchors.pem").write_text(pem)
        store.write(ca_path(plan.pki, planned.device), {"pem": pem})
        url = f"https://127.0.0.1:{ports[planned.device][0]}"
        nodes[planned.device] = Node(planned, place, Server(url, planned.host, pem))
    configured(plan, nodes, ports)
    if before is not None:
        before(nodes, {name: f"127.0.0.1:{used[1]}" for name, used in ports.items()})
    try:
        for node in nodes.values():
            node.start()
        yield Cluster(plan, folder, nodes)
    finally:
        for node in nodes.values():
            if node.process is not None:
                node.signal(signal.SIGCONT)
            node.kill()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three servers that role pki has set up; a test leaves them as they are."""
    with running(tmp_path_factory.mktemp("cluster")) as made:
        assert [change.path for change in made.apply(check=True)] == ["sys/init"]
        done = [change.path for change in made.apply()]
        assert done[:2] == ["sys/init", "sys/seal-status of vault.lab.internal"]
        assert done[-2:] == [f"sys/storage/raft/join at {name}.lab.internal" for name in VAULTS[1:]]
        yield made


@pytest.fixture
def whole(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, put right again afterwards as role pki does it."""
    yield cluster
    for node in cluster.nodes.values():
        if node.process is None:
            node.start()
        else:
            node.signal(signal.SIGCONT)
    cluster.apply()
