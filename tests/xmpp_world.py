"""A real prosody with the configuration that the XMPP server is sent, and certificates of a test."""

import datetime as dt
import os
import shutil
import signal
import socket
import ssl
import subprocess
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from free_ports import free_port
from waiting import awaited

from heiiki.pki.issue import general_names
from heiiki.plan.model import Device, DeviceClass, Function, Identity, Role, XmppServer
from heiiki.render import xmpp
from heiiki_agent import files
from heiiki_agent.pki.publish import revoked_serials
from heiiki_agent.pki.x509 import RevocationList
from heiiki_agent.xmpp.client import Client, Place

DOMAIN = "test.internal"
_DAY = dt.timedelta(days=1)
_PEM = serialization.Encoding.PEM


def jid(name: str) -> str:
    return f"{name}@{DOMAIN}"


def identity(name: str) -> Identity:
    return Identity(device=name, kind=DeviceClass.EMS, dns=(f"{name}.{DOMAIN}",), uris=(), jids=(jid(name),))


def server_identity() -> Identity:
    return replace(identity("xmpp"), dns=(f"xmpp.{DOMAIN}", DOMAIN))


def server_device(port: int, devices: tuple[str, ...]) -> Device:
    server = XmppServer(
        domain=DOMAIN,
        address=IPv4Address("127.0.0.1"),
        port=port,
        dras=jid("dras"),
        devices=tuple(map(jid, devices)),
        probe=jid("xmpp"),
    )
    return Device("xmpp", Role.XMPP_SERVER, Function.XMPP, "linux_host", (), xmpp=server)


@dataclass
class Issued:
    """A certificate with what leads to the root, and its key."""

    certificate: x509.Certificate
    file: Path
    key: Path


class Authority:
    """A root and an issuing CA, with a list each."""

    def __init__(self, folder: Path, name: str = "test") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._root_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self._root_name, self._name = _named(f"{name} root"), _named(f"{name} issuing")
        self.root = _signed(self._root_name, self._root_key, self._root_name, self._root_key, ca=True)
        self.issuing = _signed(self._root_name, self._root_key, self._name, self._key, ca=True)
        self.revoked: list[x509.Certificate] = []
        self._number = 0

    def issue(self, who: Identity, days: int = 1) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName(general_names(who))
        found = _signed(self._name, self._key, _named(who.common_name), key, names=names, days=days)
        file, key_file = (
            self.folder / f"{who.device}-{found.serial_number % 10**6}.{end}" for end in ("pem", "key")
        )
        file.write_bytes(found.public_bytes(_PEM) + self.issuing.public_bytes(_PEM))
        form = serialization.PrivateFormat.PKCS8
        key_file.write_bytes(key.private_bytes(_PEM, form, serialization.NoEncryption()))
        return Issued(found, file, key_file)

    @property
    def trust(self) -> str:
        return (self.root.public_bytes(_PEM) + self.issuing.public_bytes(_PEM)).decode()

    def lists(self) -> list[str]:
        self._number += 1
        made = ((self._root_name, self._root_key, []), (self._name, self._key, self.revoked))
        return [_listed(name, key, self._number, revoked) for name, key, revoked in made]


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _signed(
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
    names: x509.SubjectAlternativeName | None = None,
    days: int = 1,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if names is not None:
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _listed(
    issuer: x509.Name, key: ec.EllipticCurvePrivateKey, number: int, revoked: list[x509.Certificate]
) -> str:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer)
        .last_update(now - dt.timedelta(hours=1))
        .next_update(now + _DAY)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number).revocation_date(now).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(key, hashes.SHA256()).public_bytes(_PEM).decode()


_IN_ROOT = """
mount -t tmpfs tmpfs "$1/tmp"
mkdir -p "$1$2"
mount --bind "$2" "$1$2"
mount --rbind /dev "$1/dev"
exec chroot "$1" /usr/bin/prosody --config "$2/prosody.cfg.lua" -F
"""
"""Its files are seen at the same place inside; nothing of the root is changed, for all mounts are its own."""


def newest_root() -> Path | None:
    """Return the lab's root with prosody that was made last."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "heiiki" / "root"
    found = [one for one in cache.glob("*") if (one / "usr/bin/prosody").exists()]
    return max(found, key=lambda one: one.stat().st_mtime, default=None)


class Prosody:
    """The daemon, for DRAS and some devices; `Authority.issue` makes who logs in.

    It is the machine's, or where `root` is given the one in there.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        devices: tuple[str, ...] = ("umeda", "namba"),
        root: Path | None = None,
    ) -> None:
        self._root = root
        self.folder, self.authority, self.port = folder, authority, free_port()
        self.credentials = folder / "credentials"
        self.credentials.mkdir(parents=True)
        self.config, self.log = folder / "prosody.cfg.lua", folder / "prosody.log"
        self.device = server_device(self.port, devices)
        module = folder / "modules" / "mod_auth_heiiki.lua"
        module.parent.mkdir()
        self.devices = folder / "devices.txt"
        for file in xmpp.parts(None, self.device).files:  # type: ignore[arg-type, union-attr]
            if file.path.endswith("devices.txt"):
                self.devices.write_text(file.content)
            elif file.path.endswith("mod_auth_heiiki.lua"):
                module.write_text(file.content)
            elif file.path.endswith("prosody.cfg.lua"):
                self.config.write_text(self._here(file.content, module.parent))
        self.process: subprocess.Popen[bytes] | None = None

    def _here(self, content: str, modules: Path) -> str:
        places = {
            "/etc/heiiki/pki/xmpp": self.credentials,
            "/usr/local/lib/heiiki/prosody": modules,
            "/etc/heiiki/xmpp_devices.txt": self.devices,
            "/run/prosody/prosody.pid": self.folder / "prosody.pid",
        }
        for path, here in places.items():
            content = content.replace(path, str(here))
        return f'data_path = "{self.folder}"\nrun_as_root = true\n{content}'

    @property
    def place(self) -> Place:
        return Place(domain=DOMAIN, address="127.0.0.1", port=self.port)

    def enrol(self) -> None:
        """Give the daemon its certificate, and the lists of now."""
        own = self.authority.issue(server_identity())
        shutil.copy(own.file, self.credentials / "certificate.pem")
        shutil.copy(own.key, self.credentials / "key.pem")
        self.publish()

    def publish(self) -> None:
        """Write CAs and lists as the device's own program does."""
        lists = self.authority.lists()
        serials = revoked_serials(map(RevocationList.read, lists))
        whole = self.authority.trust + "".join(lists)
        for name, text in (
            ("trust.pem", self.authority.trust),
            ("verify.pem", whole),
            ("revoked.txt", serials),
        ):
            files.write(self.credentials / name, text)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        awaited("prosody listens", self._listens)

    def command(self) -> list[str]:
        """Return what starts it, in a root with mounts of its own."""
        if self._root is None:
            return ["prosody", "--config", str(self.config), "-F"]
        inside = ["sh", "-ec", _IN_ROOT, "sh", str(self._root), str(self.folder)]
        return ["unshare", "--mount", "--propagation", "private", *inside]

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def reload(self) -> None:
        os.kill(int((self.folder / "prosody.pid").read_text()), signal.SIGHUP)

    def stop(self) -> None:
        if self.process is not None:
            os.kill(int((self.folder / "prosody.pid").read_text()), signal.SIGTERM)
            self.process.wait(20)

    def context(self, who: Issued | None, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        found.maximum_version = newest
        found.load_verify_locations(self.credentials / "trust.pem")
        if who is not None:
            found.load_cert_chain(who.file, who.key)
        return found

    def client(self, who: Issued | None, **options: Any) -> Client:
        return Client(self.place, self.context(who, **options))

    def logged_in(self, who: Issued | None, resource: str = "test", **options: Any) -> Client:
        client = self.client(who, **options)
        try:
            client.log_in(resource)
        except BaseException:
            client.close()
            raise
        return client
