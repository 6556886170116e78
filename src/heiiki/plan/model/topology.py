"""How devices are joined: links, and each site's paths over them."""

from dataclasses import dataclass
from enum import StrEnum

from heiiki.plan.model.networks import Network

ETHERNET_MTU = 1500


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a link."""

    device: str
    interface: str

    def __str__(self) -> str:
        """``device:interface``."""
        return f"{self.device}:{self.interface}"


class LinkKind(StrEnum):
    """What a link is; in the mobile core the reference point that it carries (TS 23.401 4.2)."""

    CORE = "core"
    ACCESS = "access"
    LAN = "lan"
    WLAN = "wlan"
    RADIO = "radio"
    S1_MME = "S1-MME"
    S1_U = "S1-U"
    S5 = "S5"
    S6A = "S6a"
    S11 = "S11"
    SGI = "SGi"


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a line carries IP packets, kbit/s.

    Attributes:
        down: towards its subscriber, a site or the hub: what end a of the link sends.
        up: from there.
    """

    down: int
    up: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link between two devices.

    Attributes:
        name: unique name, ``<device>--<device>`` or the 3GPP reference point with the devices.
        network: the closed network that it is part of; None for a leg of a LAN.
        site: the site that it serves alone, or None.
        mtu: the largest IP packet on it, octets.
        rate: what the carrier promises; None: the intent does not say it, or it is no carrier's line.
    """

    name: str
    a: Endpoint
    b: Endpoint
    network: Network | None
    kind: LinkKind
    site: str | None = None
    mtu: int = ETHERNET_MTU
    rate: Rate | None = None

    @property
    def segment(self) -> str:
        """``a``, ``b`` or ``lan``, for reports."""
        return self.network or "lan"

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
    network: Network
    elements: tuple[str, ...]
