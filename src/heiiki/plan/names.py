"""Names of devices and interfaces: decided here once."""

from dataclasses import dataclass

from heiiki.intent import Site, pppoe
from heiiki.plan.model import Network

HUB_CE_A = "hub-ce-a"
HUB_CE_B = "hub-ce-b"
HUB_LAN = "hub-lan"
DRAS = "dras"
XMPP = "xmpp"
RADIUS = "radius"
HUB_HOSTS = (DRAS, XMPP)

EDGE = "b-edge"
PGW = "b-pgw"
SGW = "b-sgw"
MME = "b-mme"
HSS = "b-hss"
ENB = "b-enb"

SECOND_HQ = "second-hq"
SECOND_BRANCH = "second-branch"
TEST_UE = "test-ue"

LOOPBACK_IF = "lo"
LAN_IF = "lan0"
LAN_VIRTUAL_IF = "lan0-v"
ACCESS_A_IF = "access-a"
LINE_A_IF = "line-a"
"""The port below `ACCESS_A_IF` where that is a session of PPPoE."""
WWAN_IF = "wwan0"
RADIO_IF = "radio0"
LAN_IFS = (LAN_IF, LAN_VIRTUAL_IF)
"""The leg to a LAN, and the interface of its virtual gateway: what hosts send arrives on the second."""

EDGE_LINE_IF = "ac-hub"
"""A carrier's edge towards the hub: the attachment circuit (RFC 4026)."""

EDGE_ESP_IF = "esp-hub"
"""The same edge's end of the IPsec VPN on that line."""

SECOND_HQ_IF = "ac-second-hq"
SECOND_BRANCH_IF = "ac-second-br"
TEST_UE_IF = "ue-test"

HUB_VRF = "hub"
SECOND_VRF = "second"


@dataclass(frozen=True, slots=True)
class NetworkNames:
    """Names that a device has once for each closed network.

    Attributes:
        uplink: a site's gateway towards the carrier.
        tunnel: a site's end of its tunnel.
        hub_ce: the hub's router to the carrier.
        hub_line: that router's interface towards the carrier.
        hub_esp: that router's end of the IPsec VPN to the carrier's edge (R-SEC-ESP).
    """

    uplink: str
    tunnel: str
    hub_ce: str
    hub_line: str
    hub_esp: str


ON = {
    Network.A: NetworkNames(ACCESS_A_IF, "tun-a", HUB_CE_A, ACCESS_A_IF, "esp-a"),
    Network.B: NetworkNames(WWAN_IF, "tun-b", HUB_CE_B, "access-b", "esp-b"),
}
"""The names on each network."""


def core_router(router: str) -> str:
    """Name of a router of carrier A."""
    return f"a-{router}"


def doubled(site: Site) -> bool:
    """Tell whether the site has a gateway on each network (figure 5.18 b)."""
    return site.redundancy == "networks_and_equipment"


def _host(site: Site) -> str:
    """A host name has no ``_`` (RFC 1123) and a site name no ``-``, so no two sites share a name."""
    return site.name.replace("_", "-")


def gateway(site: Site, network: Network) -> str:
    """Name of the site's gateway on `network`; one gateway may serve both."""
    if not doubled(site):
        return f"{_host(site)}-gw"
    return f"{_host(site)}-ce-a" if network is Network.A else f"{_host(site)}-gw-b"


def controller(site: Site) -> str:
    """Name of the site's BEMS or ERC."""
    return f"{_host(site)}-{site.controller}"


def lan_switch(site: Site) -> str:
    """Name of the switch of the site's LAN."""
    return f"{_host(site)}-lan"


def vrf(site: Site) -> str:
    """Name of the site's VRF on its PE."""
    return f"s{site.number:04d}"


def attachment(site: Site) -> str:
    """Interface on the PE that leads to the site."""
    return f"ac{site.number:04d}"


def attachment_port(site: Site) -> str:
    """Port on the PE at which the site's line ends: below what is routed, where that is a session."""
    return f"ln{site.number:04d}" if pppoe.is_used(site) else attachment(site)


def access_port(site: Site) -> str:
    """Port of the site's gateway at which its line to network A ends."""
    return LINE_A_IF if pppoe.is_used(site) else ACCESS_A_IF


def esp(name: str) -> str:
    """Name of the system of an energy service provider."""
    return f"esp-{name.replace('_', '-')}"


def tunnel(site: Site, network: Network) -> str:
    """Interface on the hub's CE router to `network` that leads to the site."""
    return f"gre-{network}{site.number:04d}"


def tunnels(network: Network) -> str:
    """Every such interface to `network`, in the words of a packet filter."""
    return f"gre-{network}*"


def connection(site: Site) -> str:
    """Name of the IPsec connection with a site, on the hub's CE routers."""
    return f"s{site.number:04d}"


def radio(site: Site) -> str:
    """Interface on the eNB that stands for the radio to the site's gateway."""
    return f"ue{site.number:04d}"


def link(one: str, other: str) -> str:
    """Name of the link between two devices."""
    return f"{one}--{other}"
