"""Both programs on loopback, with certificates of a test, a battery, and a line that loses exchanges."""

import datetime as dt
import http.client
import json
import re
import signal
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from typing import Any

import forked_programs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from forked_programs import Forked
from free_ports import free_port
from waiting import awaited

from heiiki_agent.openadr.ven.http import HttpTransport, Place
from heiiki_agent.openadr.ven.model import Unreachable
from heiiki_agent.tls import Credentials

VTN_NAME = "dras.example"


class Authority:
    """A CA that issues certificates and a CRL into a folder."""

    def __init__(self, folder: Path, name: str = "test CA") -> None:
        self.folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._signed(self._name, self._key, ca=True, names=())
        (folder / "ca.pem").write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self.revoke()

    def issue(self, name: str) -> Credentials:
        """Issue a certificate for `name` and return its files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key, ca=False, names=(name,))
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        trust, crls = self.folder / "ca.pem", self.folder / "crl.pem"
        return Credentials(certificate=files[0], key=files[1], trust=trust, crls=crls)

    def revoke(self, *certificates: Path) -> None:
        """Publish a CRL with these certificates."""
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(now).next_update(now + dt.timedelta(days=1))
        for file in certificates:
            serial = x509.load_pem_x509_certificate(file.read_bytes()).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(entry)
        crl = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        (self.folder / "crl.pem").write_bytes(crl)

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool, names: tuple[str, ...]
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        if names:
            alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternative, critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def written(credentials: Credentials) -> dict[str, str]:
    return {name: str(file) for name, file in vars(credentials).items() if file}


@dataclass
class Program:
    """A `vtn` or `ven`, in a process of its own."""

    role: str
    config: Path
    process: Forked | None = None

    @property
    def log(self) -> Path:
        return self.config.with_suffix(".log")

    def start(self) -> None:
        self.process = forked_programs.start(
            "heiiki_agent.openadr", self.role, str(self.config), log=self.log
        )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(number)
        status, self.process = self.process.wait(), None
        return status


class Vtn(Program):
    """The program `vtn`, and its operator."""

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        vens: tuple[str, ...],
        rest: dict[str, Any] | None = None,
        security: str = "standard",
        xmpp: dict[str, Any] | None = None,
        name: str = VTN_NAME,
    ) -> None:
        super().__init__("vtn", folder / "vtn.json")
        self.name, self.credentials = name, authority.issue(name)
        self.port, self.socket = free_port(), folder / "vtn.sock"
        vtn = {
            "vtn_id": "DRAS",
            "address": "127.0.0.1",
            "port": self.port,
            "database": str(folder / "vtn.sqlite"),
            "credentials": written(self.credentials),
            "security": security,
            "vens": [
                {
                    "ven_id": ven,
                    "certificate_name": f"{ven}.example",
                    **({"jid": f"{ven}@{xmpp['domain']}"} if xmpp else {}),
                }
                for ven in vens
            ],
            "poll_every_s": 1,
            "report_every_s": 1,
            "granularity_s": 1,
            **({"rest": rest} if rest else {}),
            **({"xmpp": xmpp} if xmpp else {}),
        }
        self.rest_port: int = rest["port"] if rest else 0
        self.config.write_text(json.dumps({"control": str(self.socket), "vtns": [vtn]}))

    def start(self) -> None:
        super().start()
        awaited("the VTN serves", self.is_up)

    def is_up(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        try:
            self.operate("GET", "/health")
        except OSError:
            return False
        return True

    def operate(self, method: str, path: str, document: Any = None) -> tuple[int, str]:
        """Speak to the control socket."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(str(self.socket))
            connection = http.client.HTTPConnection("localhost")
            connection.sock = line
            connection.request(method, path, None if document is None else json.dumps(document))
            with connection.getresponse() as response:
                return response.status, response.read().decode()

    def show(self, event_id: str) -> dict[str, tuple[str, bool]]:
        """Return opt and acknowledgement of each VEN."""
        status, text = self.operate("GET", f"/DRAS/events/{event_id}")
        assert status == 200, text
        return {one["ven_id"]: (one["opt"], one["acknowledged"]) for one in json.loads(text)["vens"]}


class Ven(Program):
    """The program `ven`."""

    def __init__(
        self,
        folder: Path,
        credentials: Credentials,
        port: int,
        name: str,
        security: str = "standard",
        xmpp: dict[str, Any] | None = None,
    ) -> None:
        super().__init__("ven", folder / f"{name}.json")
        self.credentials = credentials
        self.database = folder / f"{name}.sqlite"
        config = {
            "name": name,
            "vtn_name": VTN_NAME,
            "vtn_address": "127.0.0.1",
            "vtn_port": port,
            "database": str(self.database),
            "credentials": written(credentials),
            "resource": str(folder / f"{name}-battery.sock"),
            "security": security,
            "offers": [{"r_id": "power", "kind": "usage", "unit": "power:powerReal", "scale": "k"}],
            **({"xmpp": xmpp} if xmpp else {}),
        }
        self.config.write_text(json.dumps(config))


class Battery:
    """A resource behind a Unix socket, with a book of what it did."""

    def __init__(self, path: Path) -> None:
        self.book: list[str] = []
        self.measured = 0
        battery = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                answer = battery.answer(json.loads(self.rfile.readline()))
                self.wfile.write(json.dumps(answer).encode() + b"\n")

        self._server = ThreadingUnixStreamServer(str(path), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        if "decide" in question:
            return {"opt": "optIn"}
        if "measure" in question:
            self.measured += 1
            return {"value": self.measured}
        if question["key"] not in self.book:
            self.book.append(question["key"])
        return {"done": question["key"]}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class LossyProxy:
    """Stands between a VEN and a VTN with the certificates of both, and loses exchanges as it is told.

    `loses(kind, number)` is asked for each message, by its name and how many of that kind came before; it
    returns `question`, `answer` or nothing.
    """

    def __init__(
        self, server: Credentials, client: Credentials, port: int, loses: Callable[[str, int], str]
    ) -> None:
        self.lost: Counter[tuple[str, str]] = Counter()
        self.bodies: list[bytes] = []
        seen: Counter[str] = Counter()
        proxy, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                proxy.bodies.append(body)
                found = re.search(rb"<\w+:oadrSignedObject[^>]*>\s*<\w+:(\w+)", body)
                assert found
                kind = found[1].decode()
                with lock:
                    what = loses(kind, seen[kind])
                    seen[kind] += 1
                    if what:
                        proxy.lost[kind, what] += 1
                answer = None if what == "question" else self.forwarded(body)
                if answer is None or what == "answer":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def forwarded(self, body: bytes) -> bytes | None:
                transport = HttpTransport(Place(name=VTN_NAME, address="127.0.0.1", port=port), client)
                try:
                    return transport.exchange(self.path.rpartition("/")[2], body)
                except Unreachable:
                    return None
                finally:
                    transport.close()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.certificate, server.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def event(event_id: str, *vens: str) -> dict[str, Any]:
    """An event of an hour that begins in an hour."""
    start = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    steps = [{"duration": "PT1H", "value": -5.0}]
    return {
        "event_id": event_id,
        "vens": list(vens),
        "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration": "PT1H",
        "signals": [{"name": "LOAD_DISPATCH", "kind": "setpoint", "steps": steps}],
    }


def memory_kib(pid: int) -> int:
    """Return the resident memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0
