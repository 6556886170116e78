"""The mobile network: subscribers, packet gateway, identities of its nodes."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, slots=True)
class Sim:
    """A subscriber of the APN; the keys are a path into the secret store, never values."""

    imsi: str
    apn: str
    address: IPv4Address
    device: str
    keys: str


@dataclass(frozen=True, slots=True)
class Pgw:
    """The packet gateway of the APN (TS 23.401)."""

    apn: str
    pool: IPv4Network
    mtu: int
    gtp_address: IPv4Address
    sims: tuple[Sim, ...]


@dataclass(frozen=True, slots=True)
class MobilePlan:
    """Identity of the mobile network (TS 23.003), the names of its nodes, and the SGW's own address."""

    plmn: str
    tac: int
    apn: str
    hss: str
    mme: str
    sgw: str
    pgw: str
    enb: str
    sgw_address: IPv4Address
