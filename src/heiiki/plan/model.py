"""Frozen models of the plan: devices, links, addresses, routing, filters, paths and faults.

Below this module nobody computes an address or invents a name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network


class Role(StrEnum):
    """What a device does; the name of the Ansible role that provisions it, where one does."""

    PE_ROUTER = "pe_router"
    CE_ROUTER = "ce_router"
    LTE_GATEWAY = "lte_gateway"
    APN_GATEWAY = "apn_gateway"
    CLOSED_GROUP_HOST = "closed_group_host"
    EMS = "ems"
    VAULT_SERVER = "vault_server"
    MOBILE_CORE = "mobile_core"
    LAN_SWITCH = "lan_switch"
    WITNESS = "witness"


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
    XMPP = "XMPP"
    VAULT = "Vault"
    BEMS = "BEMS"
    ERC = "ERC"
    SWITCH = "switch"
    SECOND_CUSTOMER = "second customer"
    STRANGER = "stranger UE"


class Manner(StrEnum):
    """How an element is failed: see `docs/decisions` D17."""

    SILENT = "silent"
    DOWN = "down"
    KILL = "kill"
    POWEROFF = "poweroff"


class DeviceClass(StrEnum):
    """Class of a certificate's holder; the issuing CA has a role for each."""

    ROUTER = "router"
    GATEWAY = "gateway"
    EMS = "ems"
    SERVER = "server"
    OPERATOR = "operator"


class EspMode(StrEnum):
    """Mode of an ESP security association (RFC 4303 3.1)."""

    TRANSPORT = "transport"
    TUNNEL = "tunnel"


@dataclass(frozen=True, slots=True)
class BfdProfile:
    """Timers of one BFD session type (RFC 5880); detection is interval times multiplier, milliseconds."""

    name: str
    interval_ms: int
    multiplier: int

    @property
    def detection_ms(self) -> int:
        """Longest time until a silent peer is noticed, milliseconds."""
        return self.interval_ms * self.multiplier


@dataclass(frozen=True, slots=True)
class IkeTimers:
    """Timers of IKEv2 (RFC 7296): how soon a tunnel is back; BFD, not these, decides the switch-over.

    Attributes:
        dpd_delay_s: a peer not heard for so long is asked for liveness.
        retransmit_s: wait before the first retransmission; each next one is `retransmit_base` times as long.
        retransmit_tries: retransmissions before the peer is given up.
        rekey_ike_s: life of an IKE SA before it is made anew.
        rekey_esp_s: life of an ESP SA before it is made anew, with a key exchange of its own (PFS).
    """

    dpd_delay_s: int
    retransmit_s: float
    retransmit_base: float
    retransmit_tries: int
    rekey_ike_s: int
    rekey_esp_s: int

    @property
    def give_up_s(self) -> float:
        """Longest time until a dead peer is given up, seconds: silence, then every retransmission."""
        waits = (self.retransmit_s * self.retransmit_base**turn for turn in range(self.retransmit_tries + 1))
        return self.dpd_delay_s + sum(waits)


@dataclass(frozen=True, slots=True)
class Timers:
    """Every timer of the service, resolved from its profile.

    Attributes:
        active: BFD of the path that carries traffic, of each access line and of the LAN.
        standby: BFD of the path that waits.
        vrrp_advert_ms: VRRPv3 advertisement interval (RFC 9568).
        vrrp_preempt_delay_s: how long a returning master waits before it takes over again.
        lan_probe_ms: interval of the LAN watch's ARP probes.
        lan_probe_lost: how many lost probes in a row make the LAN dead.
        bgp_connect_s: BGP connect retry.
        ospf_spf_ms: hold-down of the carrier's shortest-path computation.
    """

    profile: str
    active: BfdProfile
    standby: BfdProfile
    vrrp_advert_ms: int
    vrrp_preempt_delay_s: int
    lan_probe_ms: int
    lan_probe_lost: int
    bgp_connect_s: int
    ospf_spf_ms: int
    ike: IkeTimers


@dataclass(frozen=True, slots=True)
class Gre:
    """A GRE tunnel (RFC 2784) between two addresses of a closed network."""

    local: IPv4Address
    remote: IPv4Address


@dataclass(frozen=True, slots=True)
class Xfrm:
    """An IPsec interface: what is routed there leaves in the ESP tunnel whose policies carry `if_id`."""

    if_id: int
    underlay: str


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of a device.

    Attributes:
        name: name on the device, at most 15 characters.
        kind: ``ethernet`` (a link of the plan ends here), ``loopback``, ``vrf``, ``gre``, ``xfrm``, ``wwan``
            (made by the modem), ``radio`` (the lab's stand-in for radio; the modem's own, never routed).
        addresses: addresses the device owns there.
        peer: what stands at the other end, for descriptions.
        vrf: the VRF the interface is in.
        table: routing table, for kind ``vrf``.
        mpls: labelled packets are accepted here.
    """

    name: str
    kind: str
    addresses: tuple[IPv4Interface, ...] = ()
    peer: str = ""
    vrf: str | None = None
    table: int | None = None
    mtu: int | None = None
    mpls: bool = False
    gre: Gre | None = None
    xfrm: Xfrm | None = None


@dataclass(frozen=True, slots=True)
class PrefixSet:
    """A named list of prefixes, matched exactly or, with `le`, up to that length."""

    name: str
    prefixes: tuple[IPv4Network, ...]
    le: int | None = None


@dataclass(frozen=True, slots=True)
class BgpNeighbor:
    """One BGP session (RFC 4271).

    Attributes:
        address: the peer.
        device: name of the peer in the plan.
        bfd: name of the BFD profile that decides over the session, or None.
        accept: name of the prefix set that is accepted; None: nothing but what the address family demands.
        announce: name of the prefix set that is announced.
        local_preference: preference given to what is accepted.
        vpn: the session carries VPNv4 (RFC 4364) instead of IPv4.
    """

    address: IPv4Address
    remote_as: int
    device: str
    update_source: str | None = None
    bfd: str | None = None
    accept: str | None = None
    announce: str | None = None
    local_preference: int | None = None
    next_hop_self: bool = False
    vpn: bool = False


@dataclass(frozen=True, slots=True)
class VpnTargets:
    """Route distinguisher and route targets of a VRF (RFC 4364)."""

    distinguisher: str
    imports: tuple[str, ...]
    exports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BgpInstance:
    """BGP in one VRF of a device; `vrf` None is the device's own table."""

    asn: int
    router_id: IPv4Address
    neighbors: tuple[BgpNeighbor, ...]
    networks: tuple[IPv4Network, ...] = ()
    vrf: str | None = None
    vpn: VpnTargets | None = None
    redistribute_connected: bool = False


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """A route that is written, not learned; `via` an address, an interface, or both.

    Attributes:
        distance: administrative distance; 0: before every route that is learned.
    """

    prefix: IPv4Network
    via: IPv4Address | None = None
    interface: str | None = None
    vrf: str | None = None
    distance: int = 0


@dataclass(frozen=True, slots=True)
class Router:
    """Routing of a device: BGP everywhere, OSPF and LDP inside carrier A's core."""

    router_id: IPv4Address
    bgp: tuple[BgpInstance, ...] = ()
    prefix_sets: tuple[PrefixSet, ...] = ()
    bfd_profiles: tuple[BfdProfile, ...] = ()
    core_interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForwardPair:
    """Packets that may pass a device: from prefixes `inside` to prefixes `outside`, and back.

    Stateless on purpose: after a switch of paths a flow continues through a device that never saw its start.
    """

    name: str
    inside: tuple[IPv4Network, ...]
    outside: tuple[IPv4Network, ...]
    inside_interfaces: tuple[str, ...]
    outside_interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transit:
    """Packets that may pass between two groups of interfaces, both ways, by no address: a carrier's own."""

    name: str
    inside: tuple[str, ...]
    outside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllowedSource:
    """Anti-spoofing (RFC 2827): the prefixes that may be sources on one interface."""

    interface: str
    prefixes: tuple[IPv4Network, ...]


@dataclass(frozen=True, slots=True)
class InputService:
    """What a device answers itself: `protocol` tcp, udp, gre, esp, vrrp, icmp, sctp or ospf."""

    name: str
    protocol: str
    ports: tuple[int, ...]
    sources: tuple[IPv4Network, ...]


@dataclass(frozen=True, slots=True)
class Firewall:
    """Packet filter of a device: default deny in `input` and `forward` (R-ISO-*).

    Attributes:
        separated: interfaces between which nothing passes, whatever the other rules say (D2).
        encrypted: interfaces on which GRE passes, in and out, only inside of ESP (R-SEC-ACCESS); where the
            interface is itself the inside of a tunnel, that is ESP of its own.
    """

    services: tuple[InputService, ...] = ()
    pairs: tuple[ForwardPair, ...] = ()
    sources: tuple[AllowedSource, ...] = ()
    transits: tuple[Transit, ...] = ()
    separated: tuple[str, ...] = ()
    encrypted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vrrp:
    """The virtual gateway of a LAN (RFC 9568)."""

    interface: str
    virtual_interface: str
    router_id: int
    priority: int
    address: IPv4Address
    peer: IPv4Address
    advert_ms: int
    preempt_delay_s: int


@dataclass(frozen=True, slots=True)
class LanWatch:
    """The LAN route stands only while somebody on the LAN answers ARP (D4)."""

    interface: str
    prefix: IPv4Network
    source: IPv4Address
    targets: tuple[IPv4Address, ...]
    probe_ms: int
    lost: int


@dataclass(frozen=True, slots=True)
class Sim:
    """A subscriber of the APN; the keys are a path into the secret store, never values."""

    imsi: str
    apn: str
    address: IPv4Address
    device: str
    keys: str


@dataclass(frozen=True, slots=True)
class Pgw:
    """The packet gateway of the APN (TS 23.401)."""

    apn: str
    pool: IPv4Network
    gtp_address: IPv4Address
    sims: tuple[Sim, ...]


@dataclass(frozen=True, slots=True)
class StampStream:
    """A stream of STAMP packets (RFC 8762) to `address`, for the site named; no site: the control."""

    site: str
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Identity:
    """The names that a device's certificate bears (RFC 5280 4.2.1.6): these, and no other.

    Attributes:
        kind: the issuing CA's role.
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
class TrafficSelector:
    """What an ESP security association carries (RFC 7296 3.13); `protocol` None is every one."""

    local: IPv4Network
    remote: IPv4Network
    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class IpsecConnection:
    """One IKEv2 peer of a device, authenticated by certificates on both sides, and its ESP SA.

    Attributes:
        name: name of the connection and of its child SA on the device.
        peer: the other device.
        protects: ``R-SEC-ESP`` for hub CE and carrier edge, ``R-SEC-ACCESS`` for a site gateway and the hub.
        network: ``a`` or ``b``.
        local_id: ID_FQDN of this device.
        remote_id: ID_FQDN that the peer's certificate must bear.
        if_id: the IPsec interface that the SA belongs to; 0: none.
        initiates: this side makes the SA; the other answers.
    """

    name: str
    peer: str
    protects: str
    network: str
    local: IPv4Address
    remote: IPv4Address
    local_id: str
    remote_id: str
    mode: EspMode
    selector: TrafficSelector
    if_id: int = 0
    initiates: bool = False


@dataclass(frozen=True, slots=True)
class VaultServer:
    """Configuration of the Vault API server: OpenBao or HashiCorp Vault, raft storage, TLS, audit log."""

    address: IPv4Address
    service_address: IPv4Address
    port: int
    node_id: str


@dataclass(frozen=True, slots=True)
class RevocationList:
    """Where a verifier of certificates gets the CRL of the issuing CA, and how often it asks."""

    url: str
    every_s: int


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the service, with everything its configuration needs.

    Attributes:
        managed: a role of ours provisions it; otherwise it is a carrier's, the customer's, or the lab's.
        site: name of the site it stands at, or None.
        networks: the closed networks whose path it is on, of ``a`` and ``b``.
        host: name used in certificates and on the console.
        revoked: since when and why the device is shut out, in words; empty when it is not.
        revoked_sim: IMSI of the SIM that was in it then.
    """

    name: str
    role: Role
    function: Function
    platform: str
    networks: tuple[str, ...]
    managed: bool = True
    site: str | None = None
    interfaces: tuple[Interface, ...] = ()
    router: Router | None = None
    firewall: Firewall | None = None
    vrrp: Vrrp | None = None
    lan_watch: LanWatch | None = None
    routes: tuple[StaticRoute, ...] = ()
    pgw: Pgw | None = None
    subscribers: tuple[Sim, ...] = ()
    sim: Sim | None = None
    stamp: tuple[StampStream, ...] = ()
    identity: Identity | None = None
    ipsec: tuple[IpsecConnection, ...] = ()
    vault: VaultServer | None = None
    revocation: RevocationList | None = None
    revoked: str = ""
    revoked_sim: str | None = None

    def interface(self, name: str) -> Interface:
        """Return the interface called `name`; KeyError when the device has none of that name."""
        for interface in self.interfaces:
            if interface.name == name:
                return interface
        raise KeyError(name)

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """Every address that the device owns; the virtual gateway and the stand-in for radio are left out."""
        owned = (interface for interface in self.interfaces if interface.kind != "radio")
        return tuple(address.ip for interface in owned for address in interface.addresses)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a link."""

    device: str
    interface: str

    def __str__(self) -> str:
        """``device:interface``."""
        return f"{self.device}:{self.interface}"


@dataclass(frozen=True, slots=True)
class Link:
    """A link between two devices.

    Attributes:
        name: unique name, ``<device>--<device>`` or the 3GPP reference point with the devices.
        network: ``a``, ``b``, or ``lan`` for a leg of a LAN.
        kind: ``core``, ``access``, ``lan``, ``radio`` or a 3GPP reference point such as ``S1-U``.
        site: the site that it serves alone, or None.
    """

    name: str
    a: Endpoint
    b: Endpoint
    network: str
    kind: str
    site: str | None = None

    @property
    def ends(self) -> tuple[Endpoint, Endpoint]:
        """Both ends."""
        return (self.a, self.b)


@dataclass(frozen=True, slots=True)
class Path:
    """The way of one site's traffic over one closed network, hop by hop from the controller to the hub LAN.

    Attributes:
        elements: names of devices and links, alternating, in order.
    """

    site: str
    network: str
    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One single failure that R-GAP must survive (D17).

    Attributes:
        target: a link's or device's name.
        kind: ``link`` or ``node``.
        sites: the sites whose path the element is on.
        exempt: why R-GAP does not apply (clause), or the empty string.
    """

    target: str
    kind: str
    manner: Manner
    network: str
    sites: tuple[str, ...]
    exempt: str = ""

    @property
    def name(self) -> str:
        """``target/manner``, the subject of the verdict."""
        return f"{self.target}/{self.manner}"


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What a site is, resolved."""

    number: int
    name: str
    customer: str
    redundancy: str
    primary: str
    lan: IPv4Network
    virtual_gateway: IPv4Address
    controller: str
    controller_address: IPv4Address
    gateways: tuple[str, ...]
    sim_address: IPv4Address
    resources: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ClosedNetwork:
    """One of the two closed networks, as the checks need it."""

    letter: str
    kind: str
    carrier: str
    monthly_yen: int
    included_mb: int | None
    yen_per_extra_mb: float


@dataclass(frozen=True, slots=True)
class MobilePlan:
    """Identity of the mobile network (TS 23.003), the names of its nodes, and the SGW's own address."""

    plmn: str
    tac: int
    apn: str
    hss: str
    mme: str
    sgw: str
    pgw: str
    enb: str
    sgw_address: IPv4Address


@dataclass(frozen=True, slots=True)
class Availability:
    """Unavailability of one component class, from the intent's reliability figures."""

    component: str
    mtbf_h: float
    mttr_h: float

    @property
    def unavailability(self) -> float:
        """MTTR / (MTBF + MTTR), a probability."""
        return self.mttr_h / (self.mtbf_h + self.mttr_h)


@dataclass(frozen=True, slots=True)
class Management:
    """How devices are reached: ``lab`` or ``ssh``; `sources` are where SSH may come from."""

    kind: str
    user: str = ""
    host_suffix: str = ""
    sources: tuple[IPv4Network, ...] = ()


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
class Trust:
    """Who vouches for whom: the Vault API server, its CAs, and what they are asked for.

    Attributes:
        domain: suffix of every host name of the service.
        vault: name of the device that runs the server.
        host: its host name, which its certificate bears.
        address: where hosts of the closed group and controllers reach it, through the tunnels.
        service_address: where gateways and edges reach it, outside of their tunnels: else none could begin.
        root_mount, issuing_mount, secrets_mount: paths of its engines (PKI, PKI, KV version 2).
        operator: identity of whoever runs playbooks.
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


@dataclass(frozen=True)
class Plan:
    """The whole service, resolved.

    Attributes:
        service: name of the service.
        digest: SHA-256 of the intent's files, for evidence.
    """

    service: str
    title: str
    digest: str
    timers: Timers
    networks: tuple[ClosedNetwork, ...]
    mobile: MobilePlan
    hub_lan: IPv4Network
    hub_virtual_gateway: IPv4Address
    devices: tuple[Device, ...]
    links: tuple[Link, ...]
    sites: tuple[SitePlan, ...]
    paths: tuple[Path, ...]
    faults: tuple[Fault, ...]
    trust: Trust
    reliability: tuple[Availability, ...] = ()
    management: Management = Management("lab")

    @cached_property
    def _by_name(self) -> dict[str, Device]:
        return {device.name: device for device in self.devices}

    @cached_property
    def _links_by_name(self) -> dict[str, Link]:
        return {link.name: link for link in self.links}

    def device(self, name: str) -> Device:
        """Return the device called `name`; KeyError when there is none."""
        return self._by_name[name]

    def link(self, name: str) -> Link:
        """Return the link called `name`; KeyError when there is none."""
        return self._links_by_name[name]

    def site(self, name: str) -> SitePlan:
        """Return the site called `name`; KeyError when there is none."""
        for site in self.sites:
            if site.name == name:
                return site
        raise KeyError(name)

    def identities(self) -> Iterator[Identity]:
        """Every identity that the plan gives a device, in plan order."""
        return (device.identity for device in self.devices if device.identity is not None)

    def managed(self) -> Iterator[Device]:
        """Every device that a role of ours provisions, in plan order."""
        return (device for device in self.devices if device.managed)

    def path(self, site: str, network: str) -> Path:
        """Return the path of `site` over `network`; KeyError when there is none."""
        for path in self.paths:
            if path.site == site and path.network == network:
                return path
        raise KeyError(f"{site} over {network}")
