"""Identities, certificates, and the Vault server that issues them."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network


class DeviceClass(StrEnum):
    """Class of a certificate's holder; the issuing CA has a role for each."""

    ROUTER = "router"
    GATEWAY = "gateway"
    ACCESS_POINT = "access_point"
    EMS = "ems"
    SERVER = "server"
    ESP = "esp"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Identity:
    """The names that a device's certificate bears (RFC 5280 4.2.1.6): these, and no other.

    Attributes:
        kind: what its certificates are good for.
        dns: host names; the first is the common name and the identity in IKEv2 (RFC 7296 3.5, ID_FQDN).
        addresses: addresses that clients connect to.
        uris: ``urn:heiiki:<service>:<device>``.
        jids: XMPP addresses (RFC 6120 13.7.1.4, otherName id-on-xmppAddr).
    """

    device: str
    kind: DeviceClass
    dns: tuple[str, ...]
    uris: tuple[str, ...]
    addresses: tuple[IPv4Address, ...] = ()
    jids: tuple[str, ...] = ()

    @property
    def common_name(self) -> str:
        """The first host name."""
        return self.dns[0]


@dataclass(frozen=True, slots=True)
class AuditLog:
    """One of the server's audit devices; each holds every request and answer.

    Attributes:
        name: of the device.
        folder: of the log; each is on a volume of its own.
        rotate_mib: size at which it is put aside, MiB.
        kept: how many of those are kept.
        memory_mib: size of the volume where it is in memory, MiB; 0: on a disk.
    """

    name: str
    folder: str
    rotate_mib: int
    kept: int
    memory_mib: int = 0

    @property
    def path(self) -> str:
        """The file that is written."""
        return f"{self.folder}/audit.log"


@dataclass(frozen=True, slots=True)
class VaultHost:
    """A Vault server as others know it.

    Attributes:
        device: its name, by which it is known in the cluster too.
        host: its host name, which its certificate bears.
        address: where hosts of the closed group and controllers reach it, through the tunnels.
        service_address: where gateways and edges reach it, outside of their tunnels: else none could begin.
    """

    device: str
    host: str
    address: IPv4Address
    service_address: IPv4Address


@dataclass(frozen=True, slots=True)
class VaultServer:
    """Configuration of the Vault API server: OpenBao or HashiCorp Vault, raft storage, TLS, audit logs.

    Attributes:
        cluster_port: where the servers of a cluster speak to each other, on `address`.
        peers: the other servers of its cluster; none: it is alone, and speaks to none.
        audit_logs: it answers as long as it can write one of them.
        request_limit: octets of a request at most; our largest is a policy of the server.
    """

    address: IPv4Address
    service_address: IPv4Address
    port: int
    cluster_port: int
    node_id: str
    peers: tuple[VaultHost, ...]
    request_limit: int
    audit_logs: tuple[AuditLog, ...]


@dataclass(frozen=True, slots=True)
class VaultClient:
    """Where a device's connections to the Vault server come from.

    Attributes:
        address: one of its own.
        interface: the one that they leave by, whatever route is the best; empty: as routed.
    """

    address: IPv4Address
    interface: str = ""


@dataclass(frozen=True, slots=True)
class CrlMirror:
    """A device that serves the CRLs that it has.

    Attributes:
        device: its name.
        address: where it answers this verifier.
        client: where the verifier's connections to it come from.
    """

    device: str
    address: IPv4Address
    client: VaultClient


@dataclass(frozen=True, slots=True)
class VaultEndpoint:
    """A Vault server as one device reaches it.

    Attributes:
        url: ``https://address:port``.
        host: the name that its certificate bears.
    """

    url: str
    host: str


@dataclass(frozen=True, slots=True)
class CrlSource:
    """Where a verifier of certificates gets the CRL of the issuing CA, and how often it asks.

    Attributes:
        servers: asked one after the other, until one answers.
        mirrors: asked when no server does.
    """

    servers: tuple[VaultEndpoint, ...]
    every_s: int
    mirrors: tuple[CrlMirror, ...]


@dataclass(frozen=True, slots=True)
class Suite:
    """Algorithms of IKE and ESP (RFC 8247, RFC 8221), in strongSwan's words."""

    ike: str
    esp: str


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what the CA makes is good.

    Attributes:
        certificate_h: a device's certificate, hours.
        renew_share: share of a certificate's life after which it is renewed.
        issuing_h, root_h: the CAs' own, hours.
        crl_h: a CRL, hours; until then a verifier that cannot get a newer one goes on with it.
        delta_crl_min: interval of delta CRLs, minutes.
    """

    certificate_h: int
    renew_share: float
    issuing_h: int
    root_h: int
    crl_h: int
    delta_crl_min: int


@dataclass(frozen=True, slots=True)
class Registrar:
    """A host that has certificates signed for devices which enrol by a protocol (registration authority).

    Attributes:
        device: its name.
        host: the name in its certificate, by which it logs in at the Vault server.
        sources: where it logs in from.
        devices: for whom, and for no other.
    """

    device: str
    host: str
    sources: tuple[IPv4Network, ...]
    devices: tuple[Identity, ...]


@dataclass(frozen=True, slots=True)
class Pki:
    """Who vouches for whom: the Vault API servers, their CAs, and what they are asked for.

    Attributes:
        domain: suffix of every host name of the service.
        servers: one, or the members of a cluster; a set-up begins with the first.
        root_mount, issuing_mount, secrets_mount: paths of its engines (PKI, PKI, KV version 2).
        operator: identity of the person who runs playbooks.
        controllers: where those who log in at the server come from; from elsewhere it takes no log-in.
        registrar: has certificates signed for devices that enrol by a protocol; None: there is none.
    """

    domain: str
    servers: tuple[VaultHost, ...]
    port: int
    root_mount: str
    issuing_mount: str
    secrets_mount: str
    lifetimes: Lifetimes
    suite: Suite
    operator: Identity
    controllers: tuple[IPv4Network, ...]
    registrar: Registrar | None = None

    @property
    def vault(self) -> str:
        """Name of the device that runs the first server."""
        return self.servers[0].device

    @property
    def host(self) -> str:
        """Host name of the first server."""
        return self.servers[0].host

    @property
    def address(self) -> IPv4Address:
        """Address of the first server, for hosts of the closed group and controllers."""
        return self.servers[0].address

    @property
    def service_address(self) -> IPv4Address:
        """Address of the first server, for gateways and edges."""
        return self.servers[0].service_address

    @property
    def vaults(self) -> tuple[str, ...]:
        """Names of the devices that run the servers."""
        return tuple(one.device for one in self.servers)
