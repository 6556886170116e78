"""A CA in memory, and a server that answers as Vault does, or wrongly on purpose: it hangs, drops, lies."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

HOST = "vault.lab.internal"
XMPP_ADDRESS = ObjectIdentifier("1.3.6.1.5.5.7.8.5")


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def general_names(names: dict[str, list[str]]) -> x509.SubjectAlternativeName:
    jids = [
        x509.OtherName(XMPP_ADDRESS, bytes([0x0C, len(jid)]) + jid.encode()) for jid in names.get("jids", [])
    ]
    return x509.SubjectAlternativeName(
        [
            *(x509.DNSName(name) for name in names["dns"]),
            *(x509.IPAddress(ip_address(name)) for name in names.get("addresses", [])),
            *(x509.UniformResourceIdentifier(name) for name in names.get("uris", [])),
            *jids,
        ]
    )


class Authority:
    """A CA with its key; `parent` None makes a root."""

    def __init__(self, name: str, parent: "Authority | None" = None, *, extended: bool = True) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name
        self.extended = extended
        self.parent = parent or self
        self.certificate = self.parent.sign(self.key.public_key(), name, None)
        self.numbers = 0

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(
        self,
        public: Any,
        name: str,
        names: dict[str, list[str]] | None,
        days: float = 10.0,
        since: timedelta = timedelta(minutes=-1),
    ) -> x509.Certificate:
        """Sign for a CA when there are no `names`, for a device when there are."""
        begins = datetime.now(UTC) + since
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self.name))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .add_extension(_usage(authority=names is None), critical=True)
        )
        if names is not None:
            builder = builder.add_extension(general_names(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def crl(self, number: int, serials: tuple[int, ...] = (), hours: float = 1.0) -> str:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(_name(self.name))
            .last_update(now)
            .next_update(now + timedelta(hours=hours))
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
        )
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass
class FakeVault:
    """What the server is to answer; a test changes it while the server runs.

    Attributes:
        wrong: what goes wrong: ``hang``, ``drop``, ``drip``, ``sealed`` and others (`_Handler`).
        at: part of the paths at which it does.
        names: the names that it signs, whatever the CSR says.
        unheard: clients whose connections it takes, and then says nothing: a network that loses what is long.
    """

    root: Authority
    issuing: Authority
    names: dict[str, list[str]]
    url: str = ""
    wrong: str = ""
    at: str = ""
    signer: Authority | None = None
    chain: list[str] | None = None
    days: float = 10.0
    since: timedelta = timedelta(minutes=-1)
    crls: dict[str, dict[str, tuple[Authority, str]]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    peers: list[Any] = field(default_factory=list)
    unheard: frozenset[str] = frozenset()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if path.endswith("sys/wrapping/unwrap"):
            return 200, json.dumps({"auth": {"client_token": "inner-canary-9c1d"}}).encode()
        if "/sign/" in path:
            return 200, json.dumps({"data": self._signed(body)}).encode()
        mount = path.split("/")[2]
        crls = self.crls.get(mount, {})
        if path.endswith("/issuers?list=true"):
            return 200, json.dumps({"data": {"keys": list(crls)}}).encode()
        authority, crl = crls[path.split("/")[4]]
        return 200, (crl if path.endswith("/crl/pem") else authority.pem).encode()

    def _signed(self, body: dict[str, Any]) -> dict[str, Any]:
        request = x509.load_pem_x509_csr(body["csr"].encode())
        key: Any = request.public_key()
        if self.wrong == "another key":
            key = ec.generate_private_key(ec.SECP256R1()).public_key()
        signer = self.signer or self.issuing
        certificate = signer.sign(key, self.names["dns"][0], self.names, self.days, self.since)
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        chain = [signer.pem, signer.parent.pem] if self.chain is None else self.chain
        return {"certificate": pem, "issuing_ca": signer.pem, "ca_chain": chain}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._answer(json.loads(self.rfile.read(length)) if length else {})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self, body: dict[str, Any]) -> None:
        fake = self.server.fake
        fake.asked.append((self.command, self.path, self.headers.get("X-Vault-Token", "")))
        fake.bodies.append(body)
        fake.peers.append(self.client_address)
        wrong = fake.wrong if fake.at in self.path else ""
        statuses = {
            "sealed": (503, b'{"errors":["Vault is sealed"]}'),
            "spent": (400, b'{"errors":["wrapping token is not valid or does not exist"]}'),
            "forbidden": (403, b'{"errors":["1 error occurred:\\n\\t* permission denied\\n\\n"]}'),
            "none": (404, b'{"errors":[]}'),
            "broken": (500, b'{"errors":["1 error occurred"]}'),
            "garbage": (200, b"<html>welcome</html>"),
            "empty": (200, b'{"data": null}'),
        }
        if wrong == "hang":
            self.server.over.wait(30)
        elif wrong == "drop":
            self.close_connection = True
        elif wrong == "drip":
            self._drip()
        else:
            self._send(*statuses.get(wrong) or fake.answer(self.path, body), whole=wrong != "cut")

    def _send(self, status: int, data: bytes, *, whole: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if whole else data[: len(data) // 2])
        if not whole:
            self.close_connection = True

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.over.wait(0.05):
            self.wfile.write(b"x")
            self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, fake: FakeVault, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake
        self.over = threading.Event()
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Speak TLS in the connection's own thread, so that a silent client delays no other."""
        if client_address[0] in self.fake.unheard:
            self.over.wait(30)
            return
        with self._context.wrap_socket(request, server_side=True) as stream:
            super().finish_request(stream, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed is what is tested."""


@contextmanager
def fake_vault(folder: Path, names: dict[str, list[str]], host: str = HOST) -> Iterator[FakeVault]:
    """Run a server whose certificate bears `host` and comes from the issuing CA."""
    root = Authority("Test Root")
    issuing = Authority("Test Issuing", root)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issuing.sign(key.public_key(), host, {"dns": [host]})
    (folder / "fake.pem").write_text(
        certificate.public_bytes(serialization.Encoding.PEM).decode() + issuing.pem, encoding="ascii"
    )
    (folder / "fake.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "fake.pem", folder / "fake.key")
    fake = FakeVault(root, issuing, names)
    server = _Server(fake, context)
    fake.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        time.sleep(0)
