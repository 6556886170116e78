"""A site's LAN on the air (IEEE 802.11): its access point and its station."""

from dataclasses import dataclass

_FIRST_BAND = 14
"""Channels of 2.4 GHz end before this number."""


@dataclass(frozen=True, slots=True)
class Air:
    """What both ends of a wireless LAN agree on.

    Attributes:
        ssid: its name on the air, 32 octets at most.
        channel: of 20 MHz, by its number (IEEE 802.11-2020 annex E).
        country: whose rules hold (ISO 3166-1).
    """

    ssid: str
    channel: int
    country: str

    @property
    def mode(self) -> str:
        """The band, by the letter that hostapd has for it."""
        return "g" if self.channel < _FIRST_BAND else "a"

    @property
    def frequency_mhz(self) -> int:
        """The channel's centre (IEEE 802.11-2020 15.4.4.3, 17.3.8.4.2)."""
        return (2407 if self.channel < _FIRST_BAND else 5000) + 5 * self.channel


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """What a gateway serves as access point, with an EAP server of its own.

    Attributes:
        interface: its leg to the LAN.
        name: the DNS name in its certificate.
        station: the DNS name in the certificate of the only station that it lets in; its EAP identity too.
    """

    interface: str
    air: Air
    name: str
    station: str


@dataclass(frozen=True, slots=True)
class Station:
    """What a controller is on the air.

    Attributes:
        interface: its leg to the LAN.
        name: the DNS name in its certificate, which is its EAP identity.
        access_point: the DNS name in the certificate of the only access point that it joins.
    """

    interface: str
    air: Air
    name: str
    access_point: str
