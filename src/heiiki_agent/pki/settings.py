"""What the device's configuration and the controller's orders hold."""

import urllib.parse
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal

from heiiki_agent.pki.names import Names

CONFIG = Path("/etc/heiiki/credentials.json")
FOLDER = Path("/etc/heiiki/pki")
STATE = Path("/run/heiiki/revocation.json")
UNIT = "heiiki-revocation"


def _url(text: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError("must be https://HOST:PORT without a path: Vault is spoken to in TLS only")
    return f"https://{parts.netloc}"


def _closed(text: str) -> str:
    """A PEM text whose last line is closed, which Vault leaves open: another may follow it."""
    return f"{text.strip()}\n"


Url = Annotated[str, _url]
Pem = Annotated[str, _closed]
ApiPath = Annotated[str, r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*"]
Label = r"(?!-)[A-Za-z0-9-]{1,63}"
Dns = Annotated[str, rf"{Label}(\.{Label})*"]
Uri = Annotated[str, r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?@!*+%-]+"]
Jid = Annotated[str, r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+"]
Address = Annotated[str, IPv4Address]
Interface = Annotated[str, r"[A-Za-z0-9._-]{1,15}"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a connection to Vault comes from.

    Attributes:
        address: the device's own address.
        interface: the interface by which it leaves; empty: as routed.
    """

    address: Address
    interface: Interface = ""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A device that serves the CRLs that it has.

    Attributes:
        address, port: where it answers.
        source: where a connection to it comes from.
    """

    address: Address
    port: Annotated[int, range(1, 65_536)]
    source: Source


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server of Vault: its base URL, and the name that its certificate must bear."""

    url: Url
    host: str


@dataclass(frozen=True, slots=True)
class CrlSource:
    """Where CRLs come from.

    Attributes:
        url, host: base URL of Vault, and the name that its certificate must bear.
        others: further servers of its cluster.
        mounts: PKI engines whose CRLs are pulled.
        every_s: seconds between two pulls.
        mirrors: asked, all of them, when Vault does not answer.
    """

    url: Url
    host: str
    mounts: Annotated[tuple[ApiPath, ...], 1]
    every_s: Annotated[int, range(1, 86_401)]
    mirrors: tuple[Mirror, ...] = ()
    others: tuple[Endpoint, ...] = ()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every server."""
        return (Endpoint(self.url, self.host), *self.others)


@dataclass(frozen=True, slots=True)
class Copies:
    """Where a program that runs as a user of its own finds its key, and what goes with it.

    Attributes:
        folder: gets key.pem, certificate.pem with the CAs below the root, trust.pem with every CA that is
            known, and crl.pem with every CRL.
        user: who can read the key, beside root.
        plain: also verify.pem, which is trust.pem and crl.pem in one, and revoked.txt, the serial numbers of
            revoked certificates a line each: for a program that reads no CRL by itself.
    """

    folder: Path
    user: str
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration, parsed.

    Attributes:
        revocation: where CRLs are; None on a device that verifies no peers.
        sources: where connections to Vault come from, tried one after the other; none: as routed.
        links: paths that are to be symbolic links to a file of the generation in use.
        ca_folder, crl_folder: where each CA certificate and CRL stands in a file of its own besides.
        copies: for each program that may not read the store, or wants it in other files.
        users: commands that make a program load what is new; each must exit 0.
        listeners: the same, of programs that are told of new lists too, where strongSwan takes these alone.
        supervised: gateways that must be heard, at the hub: device by IPsec connection.
        initiated: IPsec connections that this device begins, and begins again when its clock was set back.
        associations: strongSwan is one of them: its IKE SAs re-authenticate when what they rest on is gone.
    """

    device: str
    dns: Annotated[tuple[Dns, ...], 1]
    addresses: tuple[Address, ...]
    uris: tuple[Uri, ...]
    jids: tuple[Jid, ...]
    revocation: CrlSource | None = None
    folder: Path = FOLDER
    sources: tuple[Source, ...] = ()
    links: dict[Path, Literal["key.pem", "certificate.pem", "chain.pem"]] = field(default_factory=dict)
    ca_folder: Path | None = None
    crl_folder: Path | None = None
    copies: tuple[Copies, ...] = ()
    users: tuple[tuple[str, ...], ...] = ()
    listeners: tuple[tuple[str, ...], ...] = ()
    associations: bool = False
    supervised: dict[str, str] = field(default_factory=dict)
    initiated: tuple[str, ...] = ()

    @property
    def names(self) -> Names:
        """Names that the device's certificate must have."""
        return Names(self.dns, self.addresses, self.uris, self.jids)


@dataclass(frozen=True, slots=True)
class Anchors:
    """Trust anchors in PEM.

    Attributes:
        anchors: root CAs of the service's certificates.
        server_anchors: CAs that Vault's own certificate may come from besides.
    """

    anchors: Annotated[tuple[Pem, ...], 1]
    server_anchors: tuple[Pem, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """A server, or one of several, that must answer within some seconds."""

    url: Url
    wait_s: int
    others: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What the controller sends for one certificate.

    Attributes:
        url, host: base URL of Vault, and the name that its certificate must bear.
        others: further servers of its cluster.
        path: API path of the signing role.
        parameters: what goes with the CSR, as the token's policy pins it.
        names: what the certificate must hold; the configuration has to say the same.
        generation: the generation whose CSR was looked at.
        compromised: earlier keys may be in other hands: those that are here go.
        token: wrapping token of a Vault token that may sign this device's names once.
        signed: the certificate and its chain, where the controller had the CSR signed: this device has no way
            to the server before it has them. There is no token then.
        lists: the CRLs that come with it.
        anchors, server_anchors: as in `Anchors`.
    """

    url: Url
    host: str
    path: ApiPath
    parameters: dict[str, Any]
    names: Names
    generation: int
    anchors: Annotated[tuple[Pem, ...], 1]
    server_anchors: tuple[Pem, ...]
    compromised: bool = False
    others: tuple[Endpoint, ...] = ()
    token: str = field(default="", repr=False)
    signed: tuple[Pem, ...] = ()
    lists: tuple[Pem, ...] = ()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every server."""
        return (Endpoint(self.url, self.host), *self.others)

    @property
    def trusted(self) -> Anchors:
        """The trust anchors that come with the order."""
        return Anchors(self.anchors, self.server_anchors)
