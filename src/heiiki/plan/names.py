"""Names of devices and interfaces: decided here once."""

from heiiki.intent import Site

HUB_CE_A, HUB_CE_B, HUB_LAN = "hub-ce-a", "hub-ce-b", "hub-lan"
DRAS, XMPP, VAULT = "dras", "xmpp", "vault"
EDGE, PGW, SGW, MME, HSS, ENB = "b-edge", "b-pgw", "b-sgw", "b-mme", "b-hss", "b-enb"
SECOND_HQ, SECOND_BRANCH, STRANGER = "second-hq", "second-branch", "stranger"

LAN_IF, LAN_VIRTUAL_IF, ACCESS_A_IF, ACCESS_B_IF, WWAN_IF, RADIO_IF = (
    "lan0",
    "lan0-v",
    "access-a",
    "access-b",
    "wwan0",
    "radio0",
)
TUNNEL_A_IF, TUNNEL_B_IF = "tun-a", "tun-b"
"""A site's end of its tunnel over each network."""

ESP_A_IF, ESP_B_IF = "esp-a", "esp-b"
"""The hub's end of the IPsec VPN to each carrier's edge (R-SEC-ESP)."""

EDGE_LINE_IF, EDGE_ESP_IF = "ac-hub", "esp-hub"
"""A carrier's edge towards the hub: the line, and the IPsec VPN on it."""

LAN_IFS = (LAN_IF, LAN_VIRTUAL_IF)
"""The leg to a LAN, and the interface of its virtual gateway: what hosts send arrives on the second."""

HUB_VRF, SECOND_VRF = "hub", "second"


def carrier_a(router: str) -> str:
    """Name of a router of carrier A."""
    return f"a-{router}"


def doubled(site: Site) -> bool:
    """Tell whether the site has a gateway on each network (figure 5.18 b)."""
    return site.redundancy == "networks_and_equipment"


def _host(site: Site) -> str:
    """Host names know no ``_`` (RFC 1123), site names no ``-``: so the change is without collision."""
    return site.name.replace("_", "-")


def gateway_a(site: Site) -> str:
    """Name of the site's gateway on network A."""
    return f"{_host(site)}-ce-a" if doubled(site) else f"{_host(site)}-gw"


def gateway_b(site: Site) -> str:
    """Name of the site's gateway on network B."""
    return f"{_host(site)}-gw-b" if doubled(site) else f"{_host(site)}-gw"


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


def tunnel(site: Site, network: str) -> str:
    """Interface on the hub's CE router to `network` that leads to the site."""
    return f"gre-{network}{site.number:04d}"


def connection(site: Site) -> str:
    """Name of the IPsec connection with a site, on the hub's CE routers."""
    return f"s{site.number:04d}"


def radio(site: Site) -> str:
    """Interface on the eNB that stands for the radio to the site's gateway."""
    return f"ue{site.number:04d}"


def link(one: str, other: str) -> str:
    """Name of the link between two devices."""
    return f"{one}--{other}"
