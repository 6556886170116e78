"""The two closed networks, and what the checks need to know of each."""

from dataclasses import dataclass
from enum import StrEnum


class Network(StrEnum):
    """A closed network of the service: A is the IP-VPN, B the LTE APN (TR-1072 5.3.1)."""

    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True)
class ClosedNetwork:
    """One of the two closed networks, as the checks need it.

    Attributes:
        transit: who has the carrier's word that no packet of it crosses the Internet, when and where, as
            human-readable text; empty: no one.
    """

    name: Network
    kind: str
    carrier: str
    monthly_yen: int
    included_mb: int | None
    yen_per_extra_mb: float
    transit: str = ""
