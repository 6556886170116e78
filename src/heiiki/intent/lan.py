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


def problems(sites: Iterable[tuple[YamlSource, bool, SiteLan]]) -> Iterator[Problem]:
    """Yield what no site can have on the air.

    Args:
        sites: of each its file, whether it has a gateway on each network, and its LAN.
    """
    for source, doubled, lan in sites:
        if doubled and isinstance(lan, WirelessLan):
            yield source.problem(
                ("site_lan", "medium"),
                "a LAN with two gateways is not built on the air: VRRP and BFD of both run on it, and each "
                "would be lost with the other's access point",
                "write `wired`, or `redundancy: networks`",
            )
