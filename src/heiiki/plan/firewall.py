"""Packet filters of each kind of device: default deny, and what is opened (R-ISO-*)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan import addresses as addr
from heiiki.plan.model import InputService, Limit
from heiiki_agent.crl_mirror import PORT as CRL_MIRROR
from heiiki_agent.est.places import PORT as EST
from heiiki_agent.mms.places import PORT as MMS
from heiiki_agent.openadr.places import PAIR_PORT as OPENADR_PAIR
from heiiki_agent.openadr.places import PORT as OPENADR
from heiiki_agent.openadr.places import REST_PORT as REST
from heiiki_agent.radius import PORT as RADIUS
from heiiki_agent.radius import RADSEC_PORT as RADSEC
from heiiki_agent.xmpp.places import PORT as XMPP

BGP, BFD_SINGLE, BFD_MULTIHOP, LDP = 179, 3784, 4784, 646
STAMP, VAULT, VAULT_CLUSTER, NTP = 862, 8200, 8201, 123
IKE, IKE_NAT = 500, 4500
GTP_C, GTP_U = 2123, 2152

_LIMITS = {
    "bgp": Limit(10, 20),
    "ldp": Limit(10, 20),
    "bfd": Limit(50, 100),
    "vrrp": Limit(50, 100),
    "ldp_hello": Limit(50, 100),
    "ospf": Limit(200, 400),
    "ike": Limit(50, 200),
    "echo": Limit(200, 400),
    "stamp": Limit(500, 1000),
    "crl_mirror": Limit(5, 20, connections=4),
    "vault": Limit(20, 100, connections=16, octets=64, octets_burst=1024),
    "vault_cluster": Limit(20, 100, connections=64),
    "ntp": Limit(10, 100),
    "openadr": Limit(5, 20, connections=4),
    "openadr_pair": Limit(5, 20, connections=16),
    "xmpp": Limit(5, 20, connections=4),
    "mms": Limit(5, 20, connections=8),
    "rest": Limit(10, 40, connections=8),
    "radius": Limit(20, 100),
    "radsec": Limit(5, 20, connections=8),
    "est": Limit(2, 20, connections=4, octets=16, octets_burst=256),
}
"""For each source, ten times and more of what a peer that works sends: BFD and VRRP 4 packets a second, a
STAMP stream 50, a probe of the verification some hundred echoes at once, an enrolment 10 kB, a
clock's start 4 packets."""

_GTP_OF_A_SIM, _GTP_LEAST = 4, 50
"""One SGW speaks for all SIMs: after its restart each has an old session deleted and a new one made."""

_Source = IPv4Address | IPv4Network


def _networks(sources: Iterable[_Source]) -> tuple[IPv4Network, ...]:
    return tuple(addr.only(item) if isinstance(item, IPv4Address) else item for item in sources)


@dataclass(frozen=True, slots=True)
class On:
    """What is opened on some interfaces of a device, and there to some sources alone."""

    interfaces: tuple[str, ...]

    def _open(
        self,
        name: str,
        protocol: str,
        ports: tuple[int, ...],
        sources: Iterable[_Source],
        adjacent: tuple[int, ...] = (),
    ) -> InputService:
        limit = _LIMITS.get(name)
        return InputService(name, protocol, ports, self.interfaces, _networks(sources), limit, adjacent)

    def routing(self, *peers: _Source, adjacent: bool = True) -> tuple[InputService, ...]:
        """Open BGP, BFD and echo to routing peers; those of BGP are on the link, or any routers away."""
        return (
            self._open("bgp", "tcp", (BGP,), peers, (BGP,) if adjacent else ()),
            self._open("bfd", "udp", (BFD_SINGLE, BFD_MULTIHOP), peers, (BFD_SINGLE,)),
            self.echo(*peers),
        )

    def vrrp(self, *peers: _Source) -> InputService:
        """Open VRRP to the other gateway of the LAN."""
        return self._open("vrrp", "vrrp", (), peers)

    def gre(self, *peers: _Source) -> InputService:
        """Open GRE to tunnel peers."""
        return self._open("gre", "gre", (), peers)

    def ipsec(self, *peers: _Source) -> tuple[InputService, ...]:
        """Open IKEv2 (RFC 7296) and ESP (RFC 4303) to IPsec peers."""
        return self._open("ike", "udp", (IKE, IKE_NAT), peers), self._open("esp", "esp", (), peers)

    def ospf(self, *sources: _Source) -> InputService:
        """Open OSPF (RFC 2328)."""
        return self._open("ospf", "ospf", (), sources)

    def ldp(self, *sources: _Source) -> tuple[InputService, ...]:
        """Open LDP (RFC 5036): its hello messages and its sessions."""
        return self._open("ldp_hello", "udp", (LDP,), sources), self._open(
            "ldp", "tcp", (LDP,), sources, (LDP,)
        )

    def gtp(self, sims: int, *peers: _Source) -> tuple[InputService, ...]:
        """Open GTP, control and user plane (TS 29.274, TS 29.281), for so many SIMs."""
        rate = _GTP_LEAST + _GTP_OF_A_SIM * sims
        control = self._open("gtp_c", "udp", (GTP_C,), peers)
        return replace(control, limit=Limit(rate, 2 * rate)), self._open("gtp_u", "udp", (GTP_U,), peers)

    def vault(self, controllers: _Source, *devices: _Source) -> tuple[InputService, ...]:
        """Open the Vault API: enrolment, renewal, CRL and OCSP.

        A controller sets up all sites of a service, so the octets of `controllers` are not counted.
        """
        counted = self._open("vault", "tcp", (VAULT,), devices)
        limit = replace(_LIMITS["vault"], octets=0, octets_burst=0)
        return replace(counted, sources=_networks((controllers,)), limit=limit), counted

    def vault_cluster(self, *peers: _Source) -> InputService:
        """Open the port at which the Vault servers of a cluster speak to each other."""
        return self._open("vault_cluster", "tcp", (VAULT_CLUSTER,), peers)

    def crl_mirror(self, *sources: _Source) -> InputService:
        """Open the mirror of CRLs, over HTTP (RFC 5280 8)."""
        return self._open("crl_mirror", "tcp", (CRL_MIRROR,), sources)

    def echo(self, *sources: _Source) -> InputService:
        """Open ICMP echo: what a probe needs."""
        return self._open("echo", "icmp", (), sources)

    def ntp(self, *sources: _Source) -> InputService:
        """Open NTP (RFC 5905)."""
        return self._open("ntp", "udp", (NTP,), sources)

    def openadr(self, *sources: _Source) -> InputService:
        """Open the VTN to VENs, which keep a connection each (OpenADR 2.0b, simple HTTP, pull)."""
        return self._open("openadr", "tcp", (OPENADR,), sources)

    def openadr_pair(self, peer: _Source) -> InputService:
        """Open to the other host of the VTN the port at which it gives this one its book."""
        return self._open("openadr_pair", "tcp", (OPENADR_PAIR,), (peer,))

    def rest(self, *sources: _Source) -> InputService:
        """Open the REST API to the systems of energy service providers (TR-1072 8.3)."""
        return self._open("rest", "tcp", (REST,), sources)

    def est(self, *sources: _Source) -> InputService:
        """Open the registration authority to devices that enrol by EST (RFC 7030)."""
        return self._open("est", "tcp", (EST,), sources)

    def xmpp(self, *sources: _Source) -> InputService:
        """Open the XMPP server to its clients, which keep a connection each (RFC 6120)."""
        return self._open("xmpp", "tcp", (XMPP,), sources)

    def radius(self, *sources: _Source) -> InputService:
        """Open RADIUS to the PEs for which this one forwards (RFC 2865)."""
        return self._open("radius", "udp", (RADIUS,), sources)

    def radsec(self, *sources: _Source) -> InputService:
        """Open RADIUS over TLS (RFC 6614)."""
        return self._open("radsec", "tcp", (RADSEC,), sources)

    def mms(self, *sources: _Source) -> InputService:
        """Open the MMS server to its client (IEC 62351-4: MMS over TLS)."""
        return self._open("mms", "tcp", (MMS,), sources)

    def stamp(self, *sources: _Source) -> InputService:
        """Open the STAMP port (RFC 8762)."""
        return self._open("stamp", "udp", (STAMP,), sources)
