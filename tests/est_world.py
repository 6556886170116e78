"""The registration authority as a program of its own before a real Vault server, and devices that enrol."""

import base64
import hashlib
import http.client
import json
import secrets
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import forked_programs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from forked_programs import Forked
from free_ports import free_port
from vault_server import RunningVault, SetUpVault, set_up_vault, unsealed_vault
from vendor_service import FOLDER
from waiting import awaited

from heiiki.intent import load
from heiiki.pki.authorities import trust_anchors
from heiiki.pki.registrar import admit
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan import build
from heiiki.plan.model import Device, Est, Plan
from heiiki.render.est import document
from heiiki_agent.errors import AgentError
from heiiki_agent.operate import asked

CISCO, ESP = "otemae-ce-a", "esp-kansai"
VOUCHER = "voucher 123"
_PREFIX = "/.well-known/est"
_LOOPBACK = IPv4Network("127.0.0.1/32")


def plan() -> Plan:
    """Return a service with routers of vendors and an ESP's system, which enrol by EST; all on loopback."""
    intent = load(FOLDER)
    made = build(intent.model_copy(update={"service": _with_est(intent.service)}))
    assert made.pki.registrar is not None
    return replace(made, pki=replace(made.pki, registrar=replace(made.pki.registrar, sources=(_LOOPBACK,))))


def _with_est(service: Any) -> Any:
    # Named as the test server's certificate wants it.
    return service.model_copy(update={"service": "lab", "enrolment": "est"})


def server(of: Plan) -> tuple[Device, Est]:
    """Return the host of the registration authority, and what it serves."""
    (found,) = (device for device in of.devices if device.est is not None)
    assert found.est is not None
    return found, found.est


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def certificates(self) -> list[x509.Certificate]:
        """The certificates of a PKCS #7 without a signer, as OpenSSL reads them."""
        assert self.status == 200, self.text
        assert self.headers["content-type"] == "application/pkcs7-mime; smime-type=certs-only"
        command = ["openssl", "pkcs7", "-inform", "DER", "-print_certs"]
        done = subprocess.run(command, input=base64.b64decode(self.body), capture_output=True, check=True)
        return x509.load_pem_x509_certificates(done.stdout)

    @property
    def certificate(self) -> x509.Certificate:
        """The one certificate of an enrolment."""
        (found,) = self.certificates
        return found


@dataclass
class EstDevice:
    """A device: a key, a request, and what it was given."""

    name: str
    common_name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=partial(ec.generate_private_key, ec.SECP256R1()))

    def request(self, *extensions: x509.ExtensionType, key: Any = None, common_name: str = "") -> bytes:
        """Return a request, DER."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or self.common_name)])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        for one in extensions:
            builder = builder.add_extension(one, critical=False)
        return builder.sign(key or self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


class EstWorld:
    """A Vault server, and the program in front of it."""

    def __init__(self, vault: SetUpVault, folder: Path, changes: dict[str, Any]) -> None:
        self.vault, self.folder, self.plan = vault, folder, vault.plan
        self.host, est = server(self.plan)
        assert self.host.identity
        self.name = self.host.identity.common_name
        self._enrolled()
        self.config = folder / "est.json"
        settings = document(self.plan.pki, replace(est, addresses=(_LOOPBACK[0],), port=free_port()))
        self.port = settings["port"]
        endpoint = {"url": vault.running.server.url, "host": vault.running.server.host}
        settings |= {
            "database": str(folder / "est.sqlite"),
            "credentials": {
                one: str(folder / f"{one}.pem") for one in ("certificate", "key", "trust", "crls")
            },
            "log_in": str(folder / "log-in"),
            "control": str(folder / "control"),
            "status": str(folder / "status.json"),
            "vault": settings["vault"] | {"servers": [endpoint], **changes.pop("vault", {})},
            # As in service: it is set higher where a test asks more.
            "requests_per_s": 1000,
            "burst": 1000,
        }
        self.config.write_text(json.dumps(settings | changes))
        self.process: Forked | None = None

    def _enrolled(self) -> None:
        """Have the host's own certificate, as its own program has it."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self.vault.certificate(self.host.name, key)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / "key.pem").write_bytes(pem)
        (self.folder / "certificate.pem").write_text(made.certificate + "\n" + made.chain[0] + "\n")
        roots = trust_anchors(self.vault.access.vault, self.plan.pki)
        server_pem = self.vault.running.server.ca_pem
        (self.folder / "roots.pem").write_text(roots)
        (self.folder / "trust.pem").write_text(f"{roots}\n{made.chain[0]}\n{server_pem}")
        self.fetch_lists()

    def fetch_lists(self) -> None:
        """Have the newest revocation lists, as the host's own program has them."""
        mounts = self.plan.pki.issuing_mount, self.plan.pki.root_mount
        lists = [self.vault.access.vault.fetch(f"{mount}/crl/pem").decode() for mount in mounts]
        (self.folder / "crls.pem").write_text("\n".join(lists))

    @property
    def log(self) -> str:
        return (self.folder / "est.log").read_text()

    def start(self) -> None:
        log = self.folder / "est.log"
        self.process = forked_programs.start("heiiki_agent.est", "serve", str(self.config), log=log)
        awaited("the registration authority listens", self._listens)
        self.admit()

    def admit(self) -> bool:
        """Have the Vault server take its log-in."""
        assert self.plan.pki.registrar
        shown = self.operate("GET", "/log-in")["certificate"]
        with (
            logged_in(self.vault.access, AppRole.CONFIGURATOR) as session,
            logged_in(self.vault.access, AppRole.AUDITOR) as reader,
        ):
            return admit(session, reader, self.plan.pki.registrar, shown)

    def _listens(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log
        try:
            self.operate("GET", "/devices")
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except (OSError, AgentError):
            return False
        return True

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None

    def reload(self) -> None:
        """Have it read certificates and lists again; it hangs up on a connection of before."""
        assert self.process
        context = self.context()
        with (
            socket.create_connection(("127.0.0.1", self.port), 20) as line,
            context.wrap_socket(line, server_hostname=self.name) as tls,
        ):
            self.process.send_signal(signal.SIGHUP)
            tls.settimeout(60)
            assert tls.recv(1) == b""

    def operate(self, method: str, path: str, body: Any = None) -> Any:
        """Do what an operator does."""
        data = json.dumps(body).encode() if body is not None else b""
        return json.loads(asked("it", self.folder / "control", method, path, data))

    def secret(self, device: str, trust: str = VOUCHER, days: int = 7) -> str:
        """Make a secret of a device."""
        made = secrets.token_urlsafe(20)
        digest = hashlib.sha256(made.encode()).hexdigest()
        self.operate("POST", "/secrets", {"device": device, "digest": digest, "trust": trust, "days": days})
        return made

    def told(self, device: str) -> Any:
        """Return what the operator is told of a device."""
        (found,) = (one for one in self.operate("GET", "/devices") if one["device"] == device)
        return found

    def device(self, name: str) -> EstDevice:
        identity = self.plan.device(name).identity
        assert identity
        return EstDevice(name, identity.common_name)

    def context(
        self, shown: tuple[EstDevice, x509.Certificate] | None = None, version: Any = None
    ) -> ssl.SSLContext:
        """Return what a device connects with, which shows its certificate where it has one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.folder / "roots.pem")
        if version:
            context.minimum_version = context.maximum_version = version
        if shown:
            device, certificate = shown
            file = self.folder / "shown.pem"
            issuing = (self.folder / "certificate.pem").read_bytes().partition(b"-----END CERTIFICATE-----\n")
            pem = certificate.public_bytes(serialization.Encoding.PEM)
            file.write_bytes(device.key_pem + pem + issuing[2])
            context.load_cert_chain(file)
        return context

    def ask(
        self,
        method: str,
        operation: str,
        body: bytes | Callable[[ssl.SSLSocket], bytes] = b"",
        *,
        user: tuple[str, str] | None = None,
        context: ssl.SSLContext | None = None,
        **headers: str,
    ) -> Answer:
        """Send a request over a connection of its own, and return what comes back."""
        wanted = {one.replace("_", "-"): value for one, value in headers.items()}
        if user:
            wanted["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        with (
            socket.create_connection(("127.0.0.1", self.port), 60) as line,
            (context or self.context()).wrap_socket(line, server_hostname=self.name) as tls,
        ):
            connection = http.client.HTTPConnection("localhost")
            connection.sock = tls
            data = body if isinstance(body, bytes) else body(tls)
            connection.request(method, f"{_PREFIX}/{operation}", data, wanted)
            with connection.getresponse() as response:
                found = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, found, response.read())

    def enrol(self, device: EstDevice, secret: str, request: bytes | None = None) -> Answer:
        """Have a device ask for its first certificate."""
        body = base64.encodebytes(request or device.request())
        return self.ask(
            "POST",
            "simpleenroll",
            body,
            user=(device.name, secret),
            Content_Type="application/pkcs10",
        )

    def reenrol(self, shown: tuple[EstDevice, x509.Certificate], request: bytes) -> Answer:
        """Have a device ask for its next certificate."""
        return self.ask(
            "POST",
            "simplereenroll",
            base64.encodebytes(request),
            context=self.context(shown),
            Content_Type="application/pkcs10",
        )

    def certified(self, device: str) -> tuple[EstDevice, x509.Certificate]:
        """Return a device that has enrolled."""
        one = self.device(device)
        return one, self.enrol(one, self.secret(device)).certificate

    def issued(self, device: str) -> int:
        """Return how many certificates the CA has made for a device."""
        names = {self.device(device).common_name}
        found = self.vault.enroller.details(f"{self.plan.pki.issuing_mount}/certs/detailed").values()
        return sum(1 for one in found if names & set(one.get("dns_names") or ()))


@contextmanager
def est_vault(folder: Path) -> Iterator[SetUpVault]:
    """Give a Vault server of its own, set up for the service."""
    (folder / "vault").mkdir()
    with unsealed_vault(folder / "vault") as running, est_set_up(running, folder) as made:
        yield made


@contextmanager
def est_set_up(running: RunningVault, folder: Path) -> Iterator[SetUpVault]:
    """Set a server up for the service."""
    with set_up_vault(running, plan(), folder / "state") as made:
        yield made


@contextmanager
def est_world(set_up: SetUpVault, folder: Path, **changes: Any) -> Iterator[EstWorld]:
    """Give the program in front of a Vault server, which listens."""
    made = EstWorld(set_up, folder, changes)
    try:
        made.start()
        yield made
    finally:
        made.end(signal.SIGKILL)
