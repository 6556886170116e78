"""A host with FRRouting as tests see it: the daemon of `frr_daemon`, and NAPALM's driver of it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import frr_daemon
import napalm
import pytest
from frr_daemon import PASSWORD, USER, Host
from waiting import awaited

from heiiki.fleet.cli.wire import host_key
from heiiki.fleet.frr_driver import FrrDriver
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.model import Login, Target

CONFIG = """\
router bgp 65001
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 neighbor 127.0.0.2 remote-as 65002
 neighbor 127.0.0.2 port {port}
 neighbor 127.0.0.2 description the other
 neighbor 127.0.0.2 update-source 127.0.0.1
 neighbor 127.0.0.2 disable-connected-check
 neighbor 127.0.0.2 timers connect 1
 neighbor 192.0.2.9 remote-as 65009
 neighbor 192.0.2.9 shutdown
exit
"""
NEIGHBOUR = """\
router bgp 65002
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 neighbor 127.0.0.1 remote-as 65001
 neighbor 127.0.0.1 passive
 neighbor 127.0.0.1 update-source 127.0.0.2
 neighbor 127.0.0.1 disable-connected-check
"""
MORE = "router bgp 65001\n neighbor 192.0.2.8 remote-as 65008\n"


@dataclass
class FrrHost:
    """A host with FRRouting, and how it is reached."""

    host: Host
    process: "subprocess.Popen[str]"
    port: int
    neighbour: int
    keys: Path
    initial: str = ""

    def driver(self, **changed: Any) -> FrrDriver:
        options = {
            "port": self.port,
            "known_hosts": str(self.keys),
            "frr_reload": "frr-reload.py",
            "folder": str(self.host.folder / "drafts"),
        }
        password = changed.pop("password", PASSWORD)
        made: FrrDriver = napalm.get_network_driver("frr")(
            "127.0.0.1", USER, password, timeout=60, optional_args=options | changed
        )
        return made

    def pin(self) -> None:
        """Pin the key that the host has now."""
        self.keys.unlink(missing_ok=True)
        keys = HostKeys(self.keys)
        keys.examine("frr", "127.0.0.1", self.port, asyncio.run(host_key(self.target, keys, 15.0)))

    def new_key(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def as_before(self, driver: FrrDriver) -> None:
        """Give it its programs and the configuration of the beginning."""
        self.host = Host(self.host.root, self.host.folder)
        words = ["systemctl", "stop", "napalm-frr-revert.timer"]
        subprocess.run(words, env=self.host.environment, check=True)
        awaited("no timer runs", lambda: not driver.has_pending_commit())
        driver.load_replace_candidate(config=self.initial)
        driver.commit_config()

    @property
    def target(self) -> Target:
        """How the fleet reaches it."""
        return Target("frr", "frr", "127.0.0.1", Login(USER, PASSWORD), "", self.port)

    def program(self, name: str, text: str) -> None:
        path = self.host.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture(scope="module")
def frr_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrrHost]:
    root = frr_daemon.unpacked()
    if root is None:
        pytest.skip("apt cannot fetch FRRouting here")
    folder = tmp_path_factory.mktemp("frr")
    argv = [sys.executable, frr_daemon.__file__, str(root), str(folder)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    port, neighbour = map(int, process.stdout.readline().split())
    made = FrrHost(Host(root, folder), process, port, neighbour, folder / "known_hosts")
    made.pin()
    peer = folder / "peer.conf"
    peer.write_text(NEIGHBOUR)
    vtysh = [root / "usr/bin/vtysh", "--vty_socket", folder / "neighbour", "--config_dir", folder / "etc"]
    subprocess.run([*vtysh, "-f", peer], env=made.host.environment, check=True, timeout=60)
    with made.driver() as driver:
        made.initial = driver.get_config("running")["running"] + CONFIG.format(port=neighbour)
        driver.load_replace_candidate(config=made.initial)
        driver.commit_config()
    yield made
    assert process.stdin
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


@pytest.fixture
def driver(frr_host: FrrHost) -> Iterator[FrrDriver]:
    """The driver, connected; afterwards the host is as it was in the beginning."""
    frr_host.pin()
    with frr_host.driver() as made:
        yield made
        frr_host.as_before(made)
