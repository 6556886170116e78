"""Certificates while the service goes on: renewed, revoked, the server gone in the middle.

Every test leaves the lab as it found it, but for newer certificates.
"""

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from heiiki.errors import VaultError
from heiiki.intent import load
from heiiki.lab.client import NodeClient
from heiiki.lab.state import lab_dir, socket_path
from heiiki.plan import Plan, build
from heiiki.secrets import FileSecrets
from heiiki.transports import LabTransport
from heiiki.vault import bootstrap
from heiiki.vault.bootstrap import logged_in
from heiiki.vault.enrol import facts, order, planned
from heiiki.vault.policies import Purpose
from heiiki.vault.revoke import revoke_device

from .conftest import BIN, Commands

SITE, HUB = "umeda-gw-b", "hub-ce-b"
PROGRAM = "/usr/local/lib/heiiki/credentials.py"
RECAP = re.compile(
    r"^(?P<host>[\w-]+) +: ok=\d+ +changed=(?P<changed>\d+) .* failed=(?P<failed>\d+)", re.MULTILINE
)


class Service:
    """The provisioned lab: playbooks against it, and what its devices say."""

    def __init__(self, lab: Commands, inventory: Path, folder: Path) -> None:
        self.plan: Plan = build(load(inventory))
        self.transport = LabTransport(lab_dir())
        self._lab, self._inventory, self.artifacts = lab, inventory, folder
        trust = self.plan.trust
        self.access = bootstrap.access(trust, FileSecrets(lab.state), {}, self._connect)

    def _connect(self) -> Any:
        trust = self.plan.trust
        return NodeClient(socket_path(lab_dir(), trust.vault)).connect(str(trust.address), trust.port)

    def start(self, playbook: str, *arguments: str) -> "subprocess.Popen[str]":
        paths = f"heiiki_build={self._lab.state}/build", f"heiiki_artifacts={self.artifacts}"
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

    def status(self, device: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(device, "python3", PROGRAM, "status"))
        return found

    def serial(self, device: str) -> str:
        return str(self.status(device)["certificate"]["serial"])

    def associations(self, device: str, name: str) -> set[str]:
        said = self.run(device, "swanctl", "--list-sas", "--ike", name)
        return set(re.findall(r"^\S+: #(\d+), ESTABLISHED", said, re.MULTILINE))

    def pull(self, *devices: str) -> None:
        """Have the watch do now what it does every minute."""
        for device in devices:
            self.run(device, "pkill", "-HUP", "-f", f"{PROGRAM} watch")

    def held(self) -> dict[str, tuple[str, bool]]:
        """Serial number of each certificate, and whether it is whole."""
        devices = [device.name for device in self.plan.managed() if device.identity]
        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(devices, pool.map(self.status, devices), strict=True))
        return {name: (one["certificate"]["serial"], not one["problems"]) for name, one in found.items()}

    def server_dies(self) -> None:
        self.run(self.plan.trust.vault, "sh", "-c", "kill -KILL $(cat /run/heiiki-vault/pid)")

    def server_returns(self, root: Path) -> None:
        program = (root / "plugins/module_utils/service_manager.py").read_text(encoding="utf-8")
        self.run(self.plan.trust.vault, "python3", "-", "start-all", stdin=program)
        awaited("the server answers", self._answers)
        bootstrap.unseal(self.access)

    def _answers(self) -> bool:
        try:
            return self.access.vault.health().initialised
        except VaultError:
            return False


@pytest.fixture(scope="module")
def service(
    lab: Commands, lab_inventory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    found = Service(lab, lab_inventory, tmp_path_factory.mktemp("artifacts"))
    yield found
    found.transport.close()


def changed(said: str) -> dict[str, int]:
    assert "PLAY RECAP" in said, said
    return {found["host"]: int(found["changed"]) for found in RECAP.finditer(said)}


def awaited(what: str, done: Callable[[], object], seconds: float = 20.0) -> None:
    until = monotonic() + seconds
    while not done():
        assert monotonic() < until, f"not within {seconds} s: {what}"
        threading.Event().wait(0.2)


@contextmanager
def uninterrupted(service: Service, device: str, interface: str) -> Iterator[None]:
    """Ping the other end of a tunnel every 50 ms meanwhile: the tunnel is never interrupted."""
    address = json.loads(service.run(device, "ip", "-j", "address", "show", interface))[0]["addr_info"][0]
    hub = str(service.plan.device(device).interface(interface).addresses[0].network[1])
    assert address["local"] != hub
    pings = f"ping -i 0.05 -W 1 {hub} > /tmp/pings 2>&1 < /dev/null & echo $!"
    pid = service.run(device, "sh", "-c", pings).strip()
    try:
        yield
    finally:
        service.run(device, "kill", "-INT", pid)
        seen = {
            int(one) for one in re.findall(r"icmp_seq=(\d+) ttl", service.run(device, "cat", "/tmp/pings"))
        }
    lost = set(range(1, max(seen) + 1)) - seen
    assert len(seen) > 20
    # What is on its way in the very moment that an old association goes may be lost: never two in a row.
    assert not any(one + 1 in lost for one in lost), f"of {max(seen)} pings were lost: {sorted(lost)}"
    assert len(lost) <= 1 + max(seen) // 200, f"of {max(seen)} pings were lost: {sorted(lost)}"


def in_use(service: Service, ends: Sequence[str]) -> bool:
    return all(service.status(end)["authenticated"] for end in ends)


def test_nothing_is_due(service: Service) -> None:
    said = service.play("renew")
    assert set(changed(said).values()) == {0}


def test_renewal_of_both_ends_interrupts_nothing(service: Service) -> None:
    ends = (SITE, HUB)
    before, old = {end: service.serial(end) for end in ends}, service.associations(HUB, "s0017")
    with uninterrupted(service, SITE, "tun-b"):
        said = service.play("renew", "-e", "force=true", "--limit", ",".join(ends))
        assert changed(said) == dict.fromkeys(ends, 1)
        service.pull(*ends)
        awaited("both ends use the new certificates", lambda: in_use(service, ends), 60)
    assert all(service.serial(end) != before[end] for end in ends)
    assert not old & service.associations(HUB, "s0017")
    assert len(service.associations(HUB, "s0017")) == 1, "none that is begun anew for ever"


def test_what_was_revoked_at_the_server_alone_is_gone_after_the_next_pull(service: Service) -> None:
    stolen = "namba-gw"
    assert service.associations(HUB, "s0023")
    identity = service.plan.device(stolen).identity
    assert identity
    with uninterrupted(service, SITE, "tun-b"):
        with logged_in(service.access, Purpose.REVOKER) as vault:
            assert revoke_device(vault, service.plan.trust, identity)
        service.pull(HUB)
        awaited("the hub lets it in no more", lambda: not service.associations(HUB, "s0023"), 45)
    service.run(stolen, "python3", PROGRAM, "pull")
    assert changed(service.play("renew", "--limit", f"{stolen},dras")) == {stolen: 1, "dras": 0}
    awaited("it is let in with its new certificate", lambda: service.associations(HUB, "s0023"), 45)


def short_lived(service: Service, device: str) -> None:
    """Give a device a certificate that is due within seconds."""
    made = json.loads(service.run(device, "python3", PROGRAM, "request"))
    shared = planned(service.plan) | facts(service.access.vault, service.plan)
    with logged_in(service.access, Purpose.ENROLLER) as vault:
        token, document = order(vault, shared, device, made["csr"])
    document |= {"token": token, "generation": made["generation"]}
    document["parameters"] = document["parameters"] | {"ttl": "40s"}
    service.run(device, "python3", PROGRAM, "install", stdin=json.dumps(document))


def test_only_what_is_due_is_renewed_and_check_mode_shows_it(service: Service) -> None:
    due, other = "namba-erc", "sakai-bems"
    short_lived(service, due)
    awaited("it is due", lambda: service.status(due)["certificate"]["share_used"] > 0.67, 40)
    before = service.held()
    looked = service.play("renew", "--check", "--diff", "--limit", f"{due},{other}")
    assert changed(looked) == {due: 1, other: 0}
    assert f"-serial: {before[due][0]}" in looked
    assert "+serial: (a new one)" in looked
    assert "-not after: 20" in looked
    assert changed(service.play("renew", "--limit", f"{due},{other}")) == {due: 1, other: 0}
    after = service.held()
    assert {name for name in after if after[name] != before[name]} == {due}


def test_a_server_that_is_gone_in_the_middle_of_a_renewal(service: Service, root: Path) -> None:
    devices = ["dras", "xmpp", "umeda-bems", SITE]
    limit = ("--limit", ",".join(devices))
    before = service.held()
    with uninterrupted(service, SITE, "tun-b"):
        run = service.start("renew", "-e", "force=true", *limit)
        awaited("the first is renewed", lambda: any(service.serial(one) != before[one][0] for one in devices))
        service.server_dies()
        run.communicate()
        between = service.held()
        assert all(whole for _, whole in between.values()), "nobody has a key without its certificate"
        # Nothing is due, so nothing fails; what is asked for all the same says what it needs.
        assert set(changed(service.play("renew", *limit)).values()) == {0}
        said = service.play("renew", "-e", "force=true", *limit, code=2)
        assert "needs a certificate: asked for. issuing certificates needs the Vault server" in " ".join(
            said.split()
        )
        assert service.held() == between
    service.server_returns(root)
    left = [one for one in devices if between[one] == before[one]]
    assert changed(service.play("renew", "-e", "force=true", "--limit", ",".join(left or devices)))
