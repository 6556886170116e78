"""Interfaces, routes and settings: as wanted, as the kernel has them, and what differs."""

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface
from typing import Annotated, Literal

from heiiki_agent.links.queues import Discipline

# Routes are marked with a protocol number of their own, so that stale ones can be told from all others.
PROTOCOL = 211
KEEPALIVED = 18  # rtnetlink's number: virtual addresses are keepalived's business
MAIN_TABLE = 254
# A VRF without a route for a packet must not fall through to the main table: that would join the customer to
# the carrier's own network. This metric loses to every routing protocol's (kernel doc, networking/vrf).
LAST_RESORT_METRIC = 4278198272
# The rule "local" moves behind the VRFs' rule, or a customer reaches the device's addresses outside his VRF.
LOCAL_RULE = 32765
L3MDEV_RULE = 1000
MPLS_LABELS = "100000"
LABELS = "net/mpls/platform_labels"

MADE_KINDS = ("vrf", "gre", "xfrm", "dummy")
OTHERS_KINDS = frozenset({"wwan", "ppp"})
"""What a modem or pppd makes, and gives its address: it may come late and go."""
UNICAST, UNREACHABLE = 1, 7
GLOBAL_SCOPE = 253  # scopes from here on (link, host) are the kernel's own


Name = Annotated[str, r"(?!\.\.?$)[A-Za-z0-9._-]{1,15}"]
Kind = Literal["vrf", "gre", "xfrm", "dummy", "ethernet", "loopback", "wwan", "ppp"]
_Address = Annotated[str, IPv4Address]
_LinkAddress = Annotated[str, r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}"]
"""Of a single station (IEEE 802): the last bit of the first octet is 0."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The outer addresses of a GRE tunnel."""

    local: _Address
    remote: _Address


@dataclass(frozen=True, slots=True)
class Xfrm:
    """What ties an IPsec interface to its policies, and the port below it; neither can be changed later."""

    if_id: Annotated[int, range(1, 2**32)]
    underlay: Name


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as wanted, or as the kernel has it (then `addresses` are those that count).

    Attributes:
        rate_kbps: how much a tunnel sends at the most, kbit/s of encrypted packets; None: no bound. As the
            kernel has it, that is among the state's `queues`.
    """

    name: Name
    kind: Kind
    mtu: Annotated[int, range(68, 65_536)] | None = None
    vrf: Name | None = None
    table: Annotated[int, range(1, 2**32)] | None = None
    gre: Tunnel | None = None
    xfrm: Xfrm | None = None
    addresses: tuple[Annotated[str, IPv4Interface], ...] = ()
    mpls: bool = False
    link_address: _LinkAddress | None = None
    rate_kbps: Annotated[int, range(1, 2**25)] | None = None
    up: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """An IPv4 route of our own; `device` "" leaves the choice to the kernel."""

    table: int
    prefix: str
    via: str = ""
    device: str = ""
    kind: int = UNICAST
    metric: int = 0

    @property
    def key(self) -> tuple[int, str, int]:
        """What the kernel tells routes apart by."""
        return (self.table, self.prefix, self.metric)

    def fulfils(self, wanted: "Route") -> bool:
        """Tell whether this route, read from the kernel, is the `wanted` one."""
        return self == (wanted if wanted.device else replace(wanted, device=self.device))

    def __str__(self) -> str:
        """As ``ip route`` writes it."""
        words = ["unreachable"] if self.kind == UNREACHABLE else []
        words += [self.prefix]
        words += ["via", self.via] if self.via else []
        words += ["dev", self.device] if self.device else []
        # The LAN's own route, by which the neighbour would be reached, comes later and may go (LAN watch).
        words += ["onlink"] if self.via and self.device else []
        words += ["table", str(self.table)] if self.table != MAIN_TABLE else []
        words += ["metric", str(self.metric)] if self.metric else []
        return " ".join([*words, "proto", str(PROTOCOL)])


@dataclass(frozen=True, slots=True, order=True)
class Neighbour:
    """A permanent entry of the kernel's table of neighbours (RFC 826): which station has an address."""

    address: _Address
    link_address: _LinkAddress
    interface: Name

    def __str__(self) -> str:
        """As ``ip neigh`` writes it."""
        return f"{self.address} lladdr {self.link_address} dev {self.interface} nud permanent"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The file, parsed."""

    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    sysctls: dict[str, str]
    neighbours: tuple[Neighbour, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Names of the listed interfaces."""
        return frozenset(link.name for link in self.links)

    @property
    def made(self) -> dict[str, str]:
        """Kind of each interface that this program makes, by name."""
        return {link.name: link.kind for link in self.links if link.kind in MADE_KINDS}


@dataclass(frozen=True, slots=True)
class State:
    """What the kernel has: `sysctls` only those asked for (None: no such setting); `owned` kinds by name."""

    links: dict[str, Link]
    routes: frozenset[Route] = frozenset()
    rules: frozenset[tuple[int, str]] = frozenset()
    sysctls: dict[str, str | None] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)
    neighbours: frozenset[Neighbour] = frozenset()
    queues: dict[str, frozenset[Discipline]] = field(default_factory=dict)

    def without(self, names: frozenset[str]) -> "State":
        """Return the state after the links `names` are gone, with their routes and their hold on members."""
        links = {
            name: replace(link, vrf=None) if link.vrf in names else link
            for name, link in self.links.items()
            if name not in names
        }
        routes = frozenset(route for route in self.routes if route.device not in names)
        queues = {name: there for name, there in self.queues.items() if name not in names}
        return replace(self, links=links, routes=routes, queues=queues)


@dataclass(frozen=True, slots=True)
class Difference:
    """What to do: `batch` for ``ip``, `repeats` after it, `queues` for ``tc``, and settings before and after.

    Attributes:
        repeats: routes and neighbours that were there but may have gone with a change of their interface.
        before: settings that exist already; the new interfaces inherit some of them.
        after: settings of interfaces that the batch makes.
    """

    batch: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    queues: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[str, ...]:
        """Every change, for people."""
        settings = (
            f"sysctl {key.replace('/', '.')}={value}" for key, value in (self.before | self.after).items()
        )
        return (*self.batch, *self.queues, *settings)
