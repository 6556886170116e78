"""Direct control by MMS (IEC 61850-8-1): what a site's controller serves, and whom DRAS controls."""

from dataclasses import dataclass
from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class MmsServer:
    """What a controller serves.

    Attributes:
        address, port: where it listens.
        client: the DNS name in the certificate of the one that may control.
        client_address: where that one is.
        battery: a battery is among what is controlled directly; else heat stores alone.
    """

    address: IPv4Address
    port: int
    client: str
    client_address: IPv4Address
    battery: bool


@dataclass(frozen=True, slots=True)
class ControlledSite:
    """A site as the client knows it.

    Attributes:
        name: the site's.
        device: its controller.
        certificate_name: the DNS name in its certificate.
        address, port: where it listens.
        battery: as of its server.
    """

    name: str
    device: str
    certificate_name: str
    address: IPv4Address
    port: int
    battery: bool


@dataclass(frozen=True, slots=True)
class MmsClient:
    """Whom a device controls; a controller that is revoked is not among them."""

    sites: tuple[ControlledSite, ...]
