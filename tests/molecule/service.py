"""The provisioned service for tests that let it work meanwhile: playbooks, what devices say, test packets."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from waiting import awaited

from heiiki.errors import VaultError
from heiiki.intent import load
from heiiki.pki.server import bootstrap, login
from heiiki.plan import Plan, build
from heiiki.report.faults import GAP_BOUND_S
from heiiki.state import of_service
from heiiki.verify.faults.campaign import streams
from heiiki.verify.fleet import fleet
from heiiki.verify.stamp import measuring
from heiiki_lab.client import NodeClient
from heiiki_lab.state import lab_dir, socket_path
from heiiki_lab.transport import LabTransport

from .commands import BIN, Commands

SITE, HUB = "umeda-gw-b", "hub-ce-b"
VAULT_SERVICE = "heiiki-vault.service"
CREDENTIALS = ("python3", "/usr/local/lib/heiiki/heiiki-agent.pyz", "credentials")
RECAP = re.compile(
    r"^(?P<host>[\w-]+) +: ok=\d+ +changed=(?P<changed>\d+) .* failed=(?P<failed>\d+)", re.MULTILINE
)


class Service:
    """The provisioned lab: playbooks against it, and what its devices say; a copy is compiled apart."""

    def __init__(
        self, lab: Commands, inventory: Path, folder: Path, build_folder: Path | None = None
    ) -> None:
        self.plan: Plan = build(load(inventory))
        self.transport = LabTransport(lab_dir())
        self._lab, self._inventory, self.artifacts = lab, inventory, folder
        self._build = build_folder or lab.state / "build"
        trust = self.plan.pki
        self.access = login.access(
            trust,
            of_service(self.plan.service, inventory, take_over=True).secrets,
            {},
            lambda _: self._connect,
        )

    def _connect(self) -> Any:
        trust = self.plan.pki
        return NodeClient(socket_path(lab_dir(), trust.vault)).connect(str(trust.address), trust.port)

    def start(self, playbook: str, *arguments: str) -> "subprocess.Popen[str]":
        paths = f"heiiki_build={self._build}", f"heiiki_artifacts={self.artifacts}"
        command = ["-i", str(self._inventory), f"playbooks/{playbook}.yml", "-e", paths[0], "-e", paths[1]]
        return subprocess.Popen(
            [BIN / "ansible-playbook", *command, *arguments],
            cwd=self._lab.root,
            env=self._lab.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def play(self, playbook: str, *arguments: str, code: int = 0) -> str:
        started = self.start(playbook, *arguments)
        said = started.communicate()[0]
        assert started.returncode == code, said
        return said

    def run(self, device: str, *argv: str, stdin: str = "") -> str:
        done = self.transport.run(device, argv, stdin=stdin.encode())
        assert done.rc == 0, f"{device}: {argv}: {done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()

    def lab(self, *arguments: str) -> str:
        """Call `heiiki lab`."""
        return self._lab.run("heiiki", "lab", *arguments)

    def heiiki(self, command: str, verb: str, *arguments: str) -> str:
        """Call a verb of `heiiki COMMAND` for the service."""
        return self._lab.run("heiiki", command, verb, str(self._inventory), *arguments)

    def status(self, device: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(device, *CREDENTIALS, "status"))
        return found

    def serial(self, device: str) -> str:
        return str(self.status(device)["certificate"]["serial"])

    def associations(self, device: str, name: str) -> set[str]:
        said = self.run(device, "swanctl", "--list-sas", "--ike", name)
        return set(re.findall(r"^\S+: #(\d+), ESTABLISHED", said, re.MULTILINE))

    def pull(self, *devices: str) -> None:
        """Have the watch do now what it does every minute."""
        for device in devices:
            self.run(device, "systemctl", "reload", "heiiki-revocation.service")

    def installed(self) -> dict[str, tuple[str, bool]]:
        """Serial number of each certificate, and whether it is whole."""
        devices = [device.name for device in self.plan.managed() if device.identity]
        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(devices, pool.map(self.status, devices), strict=True))
        return {name: (one["certificate"]["serial"], not one["problems"]) for name, one in found.items()}

    def server_dies(self) -> None:
        """It ends without a farewell, and systemd does not start it again."""
        self.run(self.plan.pki.vault, "systemctl", "kill", "--signal=KILL", VAULT_SERVICE)
        self.run(self.plan.pki.vault, "systemctl", "stop", VAULT_SERVICE)

    def server_returns(self) -> None:
        self.run(self.plan.pki.vault, "systemctl", "start", VAULT_SERVICE)
        awaited("the server answers", self._answers)
        bootstrap.unseal(self.access)

    def _answers(self) -> bool:
        try:
            return self.access.vault.health().initialised
        except VaultError:
            return False


def changed(said: str) -> dict[str, int]:
    assert "PLAY RECAP" in said, said
    return {found["host"]: int(found["changed"]) for found in RECAP.finditer(said)}


@contextmanager
def uninterrupted(service: Service, device: str, interface: str) -> Iterator[None]:
    """Ping the other end of a tunnel every 50 ms meanwhile: no interruption lasts half a second."""
    address = json.loads(service.run(device, "ip", "-j", "address", "show", interface))[0]["addr_info"][0]
    hub = str(service.plan.device(device).interface(interface).addresses[0].network[1])
    assert address["local"] != hub
    pings = f"ping -i 0.05 -W 1 {hub} > /tmp/pings 2>&1 < /dev/null & echo $!"
    pid = service.run(device, "sh", "-c", pings).strip()
    try:
        yield
    finally:
        # Two seconds more: what comes late counts too, and the block may have ended within a few pings.
        service.run(device, "ping", "-q", "-c", "40", "-i", "0.05", "-W", "1", hub)
        # It writes the rest of its output when it ends.
        ended = f"kill -INT {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.1; done"
        service.run(device, "sh", "-c", ended)
        seen = {
            int(one) for one in re.findall(r"icmp_seq=(\d+) ttl", service.run(device, "cat", "/tmp/pings"))
        }
    lost = set(range(1, max(seen) + 1)) - seen
    assert len(seen) > 20
    # What is on its way when an old association goes may be lost, for less than half a second.
    runs = groupby(range(1, max(seen) + 1), lost.__contains__)
    silent = max((len(list(run)) for gone, run in runs if gone), default=0)
    assert silent * 0.05 < 0.5, f"of {max(seen)} pings were lost: {sorted(lost)}"
    assert len(lost) <= 5 + max(seen) // 50, f"of {max(seen)} pings were lost: {sorted(lost)}"


@contextmanager
def in_service(service: Service) -> Iterator[list[float]]:
    """Send test packets between the aggregator and every site, each way, meanwhile.

    No site is silent for as long as R-GAP bounds an interruption. The block may read the longest silence
    from what it was given once it is over, seconds.
    """
    longest: list[float] = []
    listeners = dict.fromkeys(stream.listener for stream in streams(service.plan))
    # The recorder keeps 9,000 packets of each peer: a quarter of an hour.
    begin = {"do": "start", "interval_ms": 100}
    with (
        fleet(service.transport, len(listeners)) as asked,
        measuring(service.plan, asked, listeners, 1800) as session,
    ):
        assert not session.failures
        started = session.ask(dict.fromkeys(listeners, (begin,)))
        since = max(answer.data["answers"][0]["now"] for answer in started.values()) + 1
        threading.Event().wait(2)
        try:
            yield longest
        finally:
            gaps = {"do": "gaps", "since": since, "until": since + 1800}
            heard = session.ask(dict.fromkeys(listeners, (gaps,)))
    silences: dict[str, float] = {}
    for stream in streams(service.plan):
        found = heard[stream.listener].data["answers"][0]["peers"][stream.sender]
        assert found["count"] > 10, f"{stream.listener} heard nothing of {stream.sender}"
        assert not found["truncated"]
        silences[f"{stream.listener} from {stream.sender}"] = found["gap"]
    longest.append(max(silences.values()))
    assert longest[0] < GAP_BOUND_S, silences
