"""What the configuration of a VTN says of its second host."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Annotated

Port = Annotated[int, range(1, 65_536)]


@dataclass(frozen=True, kw_only=True)
class PeerSettings:
    """The other host.

    Attributes:
        name: the DNS name in its certificate.
        address, port: where it takes the book.
    """

    name: str
    address: Annotated[str, IPv4Address]
    port: Port


@dataclass(frozen=True, kw_only=True)
class DoubledSettings:
    """This host and the other one. Which of them writes is no setting: their books say it.

    Attributes:
        name: the DNS name in the certificate of this host.
        port: where this host takes the book, at the address of the VTN.
        peer: the other host.
    """

    name: str
    port: Port
    peer: PeerSettings

    def __post_init__(self) -> None:
        """Refuse a host that is its own standby."""
        if self.name == self.peer.name:
            raise ValueError(f"{self.name} is both hosts")
