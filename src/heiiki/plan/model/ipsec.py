"""IPsec connections of a device."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan.model.networks import Network


class EspMode(StrEnum):
    """Mode of an ESP security association (RFC 4303 3.1)."""

    TRANSPORT = "transport"
    TUNNEL = "tunnel"


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
        local_id: ID_FQDN of this device.
        remote_id: ID_FQDN that the peer's certificate must bear.
        if_id: the IPsec interface that the SA belongs to; 0: none.
        initiates: this side makes the SA; the other answers.
        uplink: the interface that a site gateway has to that network; empty elsewhere.
    """

    name: str
    peer: str
    protects: str
    network: Network
    local: IPv4Address
    remote: IPv4Address
    local_id: str
    remote_id: str
    mode: EspMode
    selector: TrafficSelector
    if_id: int = 0
    initiates: bool = False
    uplink: str = ""
