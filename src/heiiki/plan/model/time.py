"""Time of a device: whom it asks, by which key, and whom it answers."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, slots=True)
class TimeKey:
    """A symmetric key of NTP (RFC 8573) that a device shares with the time servers.

    Attributes:
        number: the key identifier; it never moves.
        path: where the key is kept.
    """

    number: int
    path: str


@dataclass(frozen=True, slots=True)
class TimeServer:
    """A host that hands the service's time on.

    Attributes:
        address: where hosts of the closed group ask it, through the tunnels.
        service_address: where gateways and edges ask it, outside of their tunnels: else none could begin.
    """

    device: str
    address: IPv4Address
    service_address: IPv4Address


@dataclass(frozen=True, slots=True)
class Clock:
    """How a device gets its time.

    Attributes:
        key: its own, by which it asks; None on the Vault server's host: the key would be kept in that server.
        servers: the addresses that it asks.
        source: the address of its own that it asks from; None: as routed.
        references: NTP servers outside of the plan, which have no key of ours.
        is_reference: its own clock is the time of the service.
        clients: the keys of those that it answers; none where it is no time server.
        allowed: where requests may come from.
    """

    key: TimeKey | None
    servers: tuple[IPv4Address, ...]
    source: IPv4Address | None = None
    references: tuple[IPv4Address, ...] = ()
    is_reference: bool = False
    clients: tuple[TimeKey, ...] = ()
    allowed: tuple[IPv4Network, ...] = ()
