"""A device, and everything its configuration needs."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan.model.dot1x import Authenticator, Supplicant
from heiiki.plan.model.est import Est
from heiiki.plan.model.firewall import Firewall
from heiiki.plan.model.interfaces import Interface, InterfaceKind
from heiiki.plan.model.ipsec import IpsecConnection
from heiiki.plan.model.lan import LanWatch, Neighbour, Vrrp
from heiiki.plan.model.mms import MmsClient, MmsServer
from heiiki.plan.model.mobile import Pgw, Sim
from heiiki.plan.model.networks import Network
from heiiki.plan.model.openadr import Ven, Vtn
from heiiki.plan.model.pki import CrlSource, Identity, VaultClient, VaultServer
from heiiki.plan.model.pppoe import PppoeClient, PppoeLine, RadiusProxy, RadiusServer
from heiiki.plan.model.routing import Router, StaticRoute
from heiiki.plan.model.time import Clock
from heiiki.plan.model.wlan import AccessPoint, Station
from heiiki.plan.model.xmpp import XmppServer


class Role(StrEnum):
    """What a device does; the name of the Ansible role that provisions it, where one does."""

    PE_ROUTER = "pe_router"
    CE_ROUTER = "ce_router"
    LTE_GATEWAY = "lte_gateway"
    APN_GATEWAY = "apn_gateway"
    DRAS_SERVER = "dras_server"
    XMPP_SERVER = "xmpp_server"
    RADIUS_SERVER = "radius_server"
    EMS = "ems"
    VAULT_SERVER = "vault_server"
    MOBILE_CORE = "mobile_core"
    LAN_SWITCH = "lan_switch"
    ESP = "esp"
    TEST_EQUIPMENT = "test_equipment"


class Function(StrEnum):
    """The network function of a device, in the field's own word; finer than the role."""

    PE = "PE"
    P = "P"
    EDGE = "edge"
    CE = "CE"
    GATEWAY = "GW"
    PGW = "PGW"
    SGW = "SGW"
    MME = "MME"
    HSS = "HSS"
    ENB = "eNB"
    DRAS = "DRAS"
    DRAS_STANDBY = "DRAS standby"
    XMPP = "XMPP"
    RADIUS = "RADIUS"
    VAULT = "Vault"
    BEMS = "BEMS"
    ERC = "ERC"
    SWITCH = "switch"
    ESP = "ESP"
    SECOND_CUSTOMER = "second customer"
    TEST_UE = "test UE"


@dataclass(frozen=True, slots=True)
class StampStream:
    """A stream of STAMP packets (RFC 8762) to `address`, for the site named; no site: the control."""

    site: str
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the service, with everything its configuration needs.

    Attributes:
        managed: a role of ours provisions it; otherwise it is a carrier's, the customer's, or the lab's.
        by_hand: it is of a vendor's platform: its configuration is compiled, and no role provisions it.
        site: name of the site it stands at, or None.
        networks: the closed networks whose path it is on.
        neighbours: the other devices of its LAN, whose link addresses it knows by the plan.
        host: name used in certificates and on the console.
        crl_mirror: it serves the CRLs that it has to others.
        enrols_at: where it finds the registration authority; None: no protocol gives it certificates.
        revoked: why and since when the device is revoked, as human-readable text; empty when it is not.
        revoked_sim: IMSI of the SIM that was in it then.
    """

    name: str
    role: Role
    function: Function
    platform: str
    networks: tuple[Network, ...]
    managed: bool = True
    by_hand: bool = False
    site: str | None = None
    interfaces: tuple[Interface, ...] = ()
    router: Router | None = None
    firewall: Firewall | None = None
    vrrp: Vrrp | None = None
    lan_watch: LanWatch | None = None
    neighbours: tuple[Neighbour, ...] = ()
    routes: tuple[StaticRoute, ...] = ()
    pgw: Pgw | None = None
    subscribers: tuple[Sim, ...] = ()
    sim: Sim | None = None
    stamp: tuple[StampStream, ...] = ()
    identity: Identity | None = None
    ipsec: tuple[IpsecConnection, ...] = ()
    vault: VaultServer | None = None
    crl_source: CrlSource | None = None
    crl_mirror: bool = False
    clock: Clock | None = None
    vtn: Vtn | None = None
    ven: Ven | None = None
    xmpp: XmppServer | None = None
    access_point: AccessPoint | None = None
    station: Station | None = None
    authenticator: Authenticator | None = None
    supplicant: Supplicant | None = None
    mms_server: MmsServer | None = None
    mms_client: MmsClient | None = None
    est: Est | None = None
    enrols_at: IPv4Address | None = None
    pppoe: PppoeClient | None = None
    pppoe_lines: tuple[PppoeLine, ...] = ()
    radius_proxy: RadiusProxy | None = None
    radius: RadiusServer | None = None
    revoked: str = ""
    revoked_sim: str | None = None

    def interface(self, name: str) -> Interface:
        """Return the interface called `name`; KeyError when the device has none of that name."""
        for interface in self.interfaces:
            if interface.name == name:
                return interface
        raise KeyError(name)

    @property
    def configured(self) -> bool:
        """Whether a configuration is compiled for it, for a role or a person to load."""
        return self.managed or self.by_hand

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """Every address that the device owns; the virtual gateway and the stand-in for radio are left out."""
        owned = (interface for interface in self.interfaces if interface.kind is not InterfaceKind.RADIO)
        return tuple(address.ip for interface in owned for address in interface.addresses)

    @property
    def controlled_port(self) -> Authenticator | Supplicant | None:
        """Its end of a wired LAN with IEEE 802.1X, if it has one."""
        return self.authenticator or self.supplicant

    @property
    def below_sessions(self) -> tuple[str, ...]:
        """Ports that carry sessions of PPPoE, and no IP packet beside them."""
        return tuple(interface.port for interface in self.interfaces if interface.port)

    @property
    def shaped(self) -> bool:
        """Whether it sends into a tunnel no more than the line below carries."""
        return any(interface.rate for interface in self.interfaces)

    @property
    def session_keys(self) -> tuple[str, ...]:
        """Paths of the secrets of PPPoE and RADIUS that it needs."""
        proxy = self.radius_proxy
        found = [self.pppoe.password] if self.pppoe else []
        if proxy is not None:
            upstream = (proxy.upstream,) if proxy.upstream else ()
            found += [proxy.secret, *(one.secret for one in (*upstream, *proxy.clients))]
        if self.radius is not None:
            found += [user.password for user in self.radius.users]
        return tuple(found)

    @property
    def sources(self) -> tuple[IPv4Network, ...]:
        """Every address that packets of its own may have: no carrier and no hub translates any."""
        by_modem = (self.sim.address,) if self.sim is not None else ()
        return tuple(IPv4Network(address) for address in dict.fromkeys((*self.addresses, *by_modem)))

    @property
    def vault_clients(self) -> tuple[VaultClient, ...]:
        """Where it asks the Vault server from: its tunnels' ends, which are routed before any tunnel is up.

        On a gateway of both networks each leaves by its own: a carrier lets no address of the other's pass,
        and a route over a network that failed unnoticed must not hide the other (T15).
        """
        several = len({connection.network for connection in self.ipsec}) > 1
        found = (VaultClient(one.local, one.uplink if several else "") for one in self.ipsec)
        return tuple(dict.fromkeys(found))
