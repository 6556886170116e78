"""How devices are joined: links, and each site's paths over them."""

from dataclasses import dataclass


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
