"""Identities, certificates, and the Vault server that issues them."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network


class DeviceClass(StrEnum):
    """Class of a certificate's holder; the issuing CA has a role for each."""

    ROUTER = "router"
    GATEWAY = "gateway"
    EMS = "ems"
    SERVER = "server"
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
class VaultServer:
    """Configuration of the Vault API server: OpenBao or HashiCorp Vault, raft storage, TLS, audit logs.

    Attributes:
        audit_logs: it answers as long as it can write one of them.
        request_limit: octets of a request at most; our largest is a policy of the server.
    """

    address: IPv4Address
    service_address: IPv4Address
    port: int
    node_id: str
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
class CrlSource:
    """Where a verifier of certificates gets the CRL of the issuing CA, and how often it asks.

    Attributes:
        mirrors: asked when the server does not answer.
    """

    url: str
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
class Pki:
    """Who vouches for whom: the Vault API server, its CAs, and what they are asked for.

    Attributes:
        domain: suffix of every host name of the service.
        vault: name of the device that runs the server.
        host: its host name, which its certificate bears.
        address: where hosts of the closed group and controllers reach it, through the tunnels.
        service_address: where gateways and edges reach it, outside of their tunnels: else none could begin.
        root_mount, issuing_mount, secrets_mount: paths of its engines (PKI, PKI, KV version 2).
        operator: identity of the person who runs playbooks.
        controllers: where those who log in at the server come from; from elsewhere it takes no log-in.
    """

    domain: str
    vault: str
    host: str
    address: IPv4Address
    service_address: IPv4Address
    port: int
    root_mount: str
    issuing_mount: str
    secrets_mount: str
    lifetimes: Lifetimes
    suite: Suite
    operator: Identity
    controllers: tuple[IPv4Network, ...]
