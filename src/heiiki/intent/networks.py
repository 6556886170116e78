"""What a person writes of the two closed networks, and of how fast a line is."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from heiiki.intent.forms import (
    Apn,
    Day,
    Figure,
    Kbps,
    Mtu,
    Name,
    Plmn,
    Prefix,
    PrivateAs,
    RouterName,
    Text,
    Yen,
)

BANDWIDTH = (
    "How fast the carrier promises IP packets on it, towards site or hub, kbit/s; left out: R-FIT/rate is "
    "unknown, and nothing is shaped."
)
BANDWIDTH_UP = "The same from site or hub, where that differs."


class Model(BaseModel):
    """Base of the intent's models: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tariff(Model):
    """What a line of a closed network costs, yen a month, consumption tax left out."""

    monthly_yen: Yen = Field(description="Price of a line a month, yen.")
    included_mb: Annotated[int, Field(ge=0, strict=True)] | None = Field(
        default=None, description="Volume included, megabytes (10⁶ B) a month; left out: unlimited."
    )
    yen_per_extra_mb: Figure = Field(
        default=0.0, description="Price of each further megabyte, yen; due beside `included_mb`."
    )


class CarrierRouter(Model):
    """A router of carrier A's core."""

    name: RouterName = Field(description="Short: it stands in the names of interfaces.")
    function: Literal["pe", "p"] = Field(description="pe: customers attach here; p: core only.")
    number: Annotated[int, Field(ge=1, le=63, strict=True)] = Field(
        description="Permanent; its loopback address follows from it."
    )


class CoreLink(Model):
    """A link between two routers of carrier A's core."""

    number: Annotated[int, Field(ge=1, le=47, strict=True)] = Field(
        description="Permanent; its /30 follows from it."
    )
    between: tuple[RouterName, RouterName] = Field(description="The two routers.")


class Examined(Model):
    """Who looked, when, and at what: for what no device of the service can tell."""

    by: Text = Field(description="Who it was.")
    date: Day = Field(description="The day.")
    source: Text = Field(description="What was looked at, such as the carriers' route documents.")


_TRANSIT = (
    "Who has the carrier's word that it leads no packet of this network over the Internet. Left out: "
    "R-CLOSED/carrier is unknown."
)


class IpVpn(Model):
    """Closed network A: an IP-VPN (MPLS L3VPN, RFC 4364) of one carrier."""

    kind: Literal["ip_vpn"]
    carrier: Name
    as_number: PrivateAs
    infrastructure: Prefix = Field(description="A /24 for the carrier's loopbacks and core links.")
    routers: tuple[CarrierRouter, ...] = Field(min_length=1)
    links: tuple[CoreLink, ...] = ()
    hub_pe: RouterName = Field(description="The PE to which the hub's CE router is attached.")
    mtu: Mtu = Field(default=1500, description="Largest IP packet on a site's access line, octets.")
    bandwidth_kbps: Kbps | None = Field(default=None, description=BANDWIDTH)
    bandwidth_up_kbps: Kbps | None = Field(default=None, description=BANDWIDTH_UP)
    transit: Examined | None = Field(default=None, description=_TRANSIT)
    tariff: Tariff


class LteApn(Model):
    """Closed network B: an APN of an LTE carrier, closed to all but its own SIMs (TS 23.401)."""

    kind: Literal["lte_apn"]
    carrier: Name
    as_number: PrivateAs
    infrastructure: Prefix = Field(description="A /24 for the tunnel endpoint and the core's links.")
    plmn: Plmn = Field(description="MCC and MNC (TS 23.003), quoted.")
    tac: Annotated[int, Field(ge=1, le=65535, strict=True)] = Field(description="Tracking area code.")
    apn: Apn = Field(description="Access point name.")
    mtu: Mtu = Field(
        default=1358, description="Largest IP packet on a bearer, octets; TS 23.060 9.3 advises 1358."
    )
    bandwidth_kbps: Kbps | None = Field(default=None, description=BANDWIDTH)
    bandwidth_up_kbps: Kbps | None = Field(default=None, description=BANDWIDTH_UP)
    transit: Examined | None = Field(default=None, description=_TRANSIT)
    tariff: Tariff


class Networks(Model):
    """The two independent closed networks (R-DUAL)."""

    a: IpVpn
    b: LteApn
