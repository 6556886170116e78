"""What a person writes of a site's LAN: what it is made of, and where on the air it is."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from heiiki.errors import Problem
from heiiki.intent.forms import Country, refused
from heiiki.intent.networks import Model
from heiiki.intent.yaml_source import YamlSource

CHANNELS = (*range(1, 14), 36, 40, 44, 48)
"""Channels of 20 MHz without detection of radar (IEEE 802.11-2020 annex E): 2.4 GHz and 5.2 GHz (W52)."""


def _channel(number: int) -> int:
    if number not in CHANNELS:
        refused(
            "is no channel that an access point may begin on at once",
            "write one of 1 to 13 (2.4 GHz), 36, 40, 44, 48 (5.2 GHz, indoors)",
        )
    return number


Channel = Annotated[
    int, Field(strict=True, json_schema_extra={"enum": list(CHANNELS)}), AfterValidator(_channel)
]
"""A channel of 20 MHz, by its number."""


class WiredLan(Model):
    """A LAN of cables: Ethernet."""

    medium: Literal["wired"] = "wired"
    access: Literal["open", "dot1x"] = Field(
        default="open",
        description="Who is let in: any device (`open`), or by IEEE 802.1X with EAP-TLS the "
        "controller alone (`dot1x`). The gateway is the authenticator, the controller its only supplicant.",
    )


class WirelessLan(Model):
    """A LAN on the air: the gateway is the access point, the controller its only station."""

    medium: Literal["wifi"]
    channel: Channel = Field(
        description="Channel of the access point, 20 MHz: 1 to 13 (2.4 GHz), 36, 40, 44 or 48 (5.2 GHz, "
        "indoors). What the country allows of these decides the access point's own driver."
    )
    country: Country = Field(
        default="JP", description="Where the access point stands (ISO 3166-1): its rules hold on the air."
    )


SiteLan = Annotated[WiredLan | WirelessLan, Field(discriminator="medium")]


def controlled(lan: WiredLan | WirelessLan) -> bool:
    """Tell whether a LAN is of cables, and its ports are controlled."""
    return isinstance(lan, WiredLan) and lan.access == "dot1x"


def authenticated(lan: WiredLan | WirelessLan) -> bool:
    """Tell whether both ends of a LAN authenticate each other by EAP: on the air, or by controlled ports."""
    return isinstance(lan, WirelessLan) or controlled(lan)


def problems(sites: Iterable[tuple[YamlSource, bool, SiteLan]]) -> Iterator[Problem]:
    """Yield what a site with two gateways cannot have.

    Args:
        sites: of each its file, whether it has a gateway on each network, and its LAN.
    """
    for source, doubled, lan in sites:
        if doubled and controlled(lan):
            yield source.problem(
                ("site_lan", "access"),
                "IEEE 802.1X is not built on a LAN with two gateways: their controlled ports are at a switch "
                "that does not forward EAPOL (IEEE 802.1Q 8.6.3), and either would shut out the VRRP and BFD "
                "of the other",
                "leave `access` out, or write `redundancy: networks`",
            )
        if doubled and isinstance(lan, WirelessLan):
            yield source.problem(
                ("site_lan", "medium"),
                "a LAN with two gateways is not built on the air: VRRP and BFD of both run on it, and each "
                "would be lost with the other's access point",
                "write `wired`, or `redundancy: networks`",
            )
