"""Typed, frozen models of what a person writes: one service, one file a site.

Nothing derivable is written: addresses, AS paths, names of devices and routes follow from the site's number.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from heiiki.errors import Problem
from heiiki.intent.forms import (
    Address,
    Circuit,
    Day,
    DeviceName,
    DrasHosts,
    EvidenceDays,
    HostSuffix,
    Imsi,
    Kbps,
    Mtbf,
    Mttr,
    Mtu,
    Name,
    OtherInterface,
    Prefix,
    PrivateAs,
    RouterName,
    SiteNumber,
    Text,
    User,
    VaultHosts,
)
from heiiki.intent.lan import SiteLan, WiredLan
from heiiki.intent.networks import BANDWIDTH, BANDWIDTH_UP, Examined, Model, Networks
from heiiki.intent.platforms import CePlatform

_OWN_BANDWIDTH = (
    "How fast the carrier promises IP packets on this line, towards the site, kbit/s; left out: as on the "
    "network's others."
)


class AddressPools(Model):
    """Pools from which addresses follow by the site's number; none may overlap another."""

    hub_lan: Prefix = Field(description="LAN of DRAS and XMPP server; at least a /28.")
    site_lan: Prefix = Field(description="A /28 a site.")
    access_a: Prefix = Field(description="A /30 a site: PE and CE router on network A.")
    loopback_a: Prefix = Field(description="An address a site: the gateway on network A.")
    sim_b: Prefix = Field(description="An address a site: its SIM in the APN.")
    tunnel_a: Prefix = Field(description="A /30 a site: inside the tunnel on network A.")
    tunnel_b: Prefix = Field(description="A /30 a site: inside the tunnel on network B.")


class Hub(Model):
    """The energy service provider's premises: DRAS, XMPP server and a CE router to each carrier."""

    as_number: PrivateAs
    mtu: Mtu = Field(default=1500, description="Largest IP packet on its lines to the carriers, octets.")
    bandwidth_kbps: Kbps | None = Field(default=None, description=BANDWIDTH)
    bandwidth_up_kbps: Kbps | None = Field(default=None, description=BANDWIDTH_UP)


class Component(Model):
    """Reliability of one class of element, as its supplier states it."""

    mtbf_h: Mtbf = Field(description="Mean time between failures, hours.")
    mttr_h: Mttr = Field(description="Mean time to repair, hours.")


class Reliability(Model):
    """Figures for R-AVAIL: each element of a path counts with the figure of its class."""

    ce_router: Component = Field(description="A CE router, at a site or the hub.")
    lte_gateway: Component = Field(description="An LTE gateway of a site.")
    ip_access: Component = Field(description="An access line, at a site or the hub.")
    ip_core: Component = Field(
        description="A router of carrier A's core, with the link behind it; each PE and P of a path counts."
    )
    lte_radio: Component = Field(description="A base station, with the radio to the gateway.")
    lte_core: Component = Field(
        description="A node of carrier B's core, with the link behind it; SGW, PGW and edge count each."
    )
    lan_switch: Component | None = Field(
        default=None,
        description="A switch of a LAN, at the hub or a site; left out: it does not count, as R-AVAIL says.",
    )


class SharedRisk(Model):
    """One thing whose failure strikes several elements at once."""

    name: Text = Field(description="What it is called, such as duct-3.")
    kind: Literal["duct", "power", "building", "base_station", "wholesale", "other"] = Field(
        description="wholesale: one carrier's network runs on that of another."
    )
    elements: tuple[Text, ...] = Field(
        min_length=2, description="Devices and links of the plan, such as a-pe2 or a-pe2--umeda-ce-a."
    )


class Risks(Model):
    """What the two networks share beside the elements of their paths, for R-DUAL."""

    examined: Examined | None = Field(
        default=None, description="Left out: not examined, and R-DUAL is unknown."
    )
    shared: tuple[SharedRisk, ...] = Field(
        default=(), description="What was found; a site with elements of both paths among them fails R-DUAL."
    )


class Time(Model):
    """Where the service's time comes from; DRAS and XMPP server hand it on to every device."""

    sources: tuple[Address, ...] = Field(
        default=(),
        description="NTP servers on the hub's LAN: satellite receivers, or what a carrier's line ends at. "
        "Without any, the clock of DRAS is the time of the service.",
    )


class Esp(Model):
    """An energy service provider whose own system orders events, by the REST API of DRAS (TR-1072 8.3)."""

    name: Name = Field(description="Permanent; its system is called `esp-NAME`, in its certificate too.")
    sites: tuple[Name, ...] = Field(
        min_length=1, description="The sites that it may address, or `[all]`. No other is there for it."
    )
    address: Address = Field(
        description="Of its system on the hub's LAN, where it is a host of the closed group; it asks from "
        "nowhere else."
    )


class OpenAdr(Model):
    """How the service speaks OpenADR 2.0b."""

    security: Literal["standard", "high"] = Field(
        default="standard",
        description="Security level (OpenADR 2.0b, clause 10). standard: TLS with certificates of both ends; "
        "high: each message is signed besides, and refused without its signature.",
    )
    transport: Literal["simpleHttp", "xmpp"] = Field(
        default="simpleHttp",
        description="How events reach controllers (oadrTransportName). simpleHttp: they poll DRAS by HTTP; "
        "xmpp: DRAS sends each at once by the XMPP server, and HTTP is the second way. Not with `high`.",
    )


class TestEquipment(Model):
    """Equipment that only proves separation: a second customer, and a test UE that belongs to no site."""

    overlaps: Name = Field(
        description="The site whose addresses the second customer uses too, in its own VRF."
    )


class LabManagement(Model):
    """Devices are nodes of the lab."""

    kind: Literal["lab"]


class SshManagement(Model):
    """Devices are reached by SSH, over a management network that is neither of the closed networks."""

    kind: Literal["ssh"]
    sources: tuple[Prefix, ...] = Field(
        min_length=1,
        description="Where SSH may come from: every device's packet filter opens port 22 to these.",
    )
    controllers: tuple[Prefix, ...] = Field(
        default=(),
        description="Where controllers reach the Vault server from: it takes log-ins from nowhere else. "
        "Left out: `sources`, and the hub's LAN.",
    )
    interface: OtherInterface | None = Field(
        default=None,
        description="The devices' interface to the management network; left out: any that the plan does not "
        "know, from `sources` alone.",
    )
    user: User = Field(description="The user to log in as; needs no password.")
    become: bool = Field(
        default=False,
        description="The user is not root and becomes it by `sudo`, which must ask for no password.",
    )
    host_suffix: HostSuffix = Field(
        default="", description="Appended to a device's name to make its management host name."
    )
    known_hosts: Text | None = Field(
        default=None,
        description="File of SSH host keys, relative to the service's folder; without it the user's own.",
    )


class Service(Model):
    """``service.yml``: what is common to all sites."""

    plugin: Literal["heiiki.network.intent"] | None = Field(
        default=None, description="With it, Ansible finds the inventory plugin by itself."
    )
    service: Name = Field(description="Name of the service, in reports.")
    title: Text = Field(description="What it is, in a few words.")
    timers: Literal["laboratory", "production"] = Field(
        description="Profile of BFD, VRRP and probe timers: see the timers page of the reference."
    )
    management: LabManagement | SshManagement = Field(
        discriminator="kind", description="How devices are reached."
    )
    sites_as_number: PrivateAs = Field(description="One AS for all sites: they hear only the hub.")
    hub: Hub = Field(description="The energy service provider.")
    addresses: AddressPools = Field(description="Pools; a site's addresses follow from its number.")
    networks: Networks = Field(description="The two closed networks.")
    reliability: Reliability = Field(description="As suppliers state it, for R-AVAIL.")
    risks: Risks = Field(
        default_factory=Risks, description="Ducts, power and buildings that both networks share, for R-DUAL."
    )
    time: Time = Field(
        default_factory=Time, description="Where the service's time comes from; left out: the clock of DRAS."
    )
    vault_hosts: VaultHosts = Field(default=("vault",), description="Vault servers: one, or a cluster.")
    dras_hosts: DrasHosts = Field(
        default=("dras",),
        description="Hosts of the VTN: dras, or dras and a second one, which keeps the same book (OpenADR).",
    )
    esps: tuple[Esp, ...] = Field(
        default=(), description="Whose systems may order events by REST; left out: DRAS has no such API."
    )
    enrolment: Literal["est"] | None = Field(
        default=None,
        description="By which protocol devices get certificates that no role enrols (routers of vendors, "
        "systems of ESPs), beside `heiiki sign`: est is RFC 7030, at DRAS. Left out: by none.",
    )
    openadr: OpenAdr = Field(default_factory=OpenAdr, description="How OpenADR is spoken.")
    evidence_days: EvidenceDays = Field(
        default=30, description="Measured fault rows older than this count as unknown until measured again."
    )
    test_equipment: TestEquipment | None = Field(
        default=None, description="Only to prove separation; formerly `witnesses`."
    )


class Resource(Model):
    """A demand-response resource behind the controller."""

    kind: Literal["heat_storage", "battery"] = Field(description="What the resource is (TR-1072 5.3).")
    control: Literal["direct", "indirect"] = Field(
        description="direct: IEC 61850, all the time; indirect: OpenADR, at events."
    )


class AccessA(Model):
    """How a site is attached to network A."""

    access: Literal["ethernet", "pppoe"] = Field(
        default="ethernet",
        description="ethernet: the line carries IP packets by itself; pppoe: optical access, where the "
        "site's router logs in (PPPoE, RADIUS) before it does (TR-1072 6).",
    )
    circuit: Circuit = Field(description="The carrier's number of the line.")
    pe: RouterName = Field(description="The PE to which the line leads.")
    mtu: Mtu | None = Field(
        default=None,
        description="Largest IP packet on this line, octets; left out: as on the network's others, and 1454 "
        "by pppoe. By pppoe 1492 at the most.",
    )
    bandwidth_kbps: Kbps | None = Field(default=None, description=_OWN_BANDWIDTH)
    bandwidth_up_kbps: Kbps | None = Field(default=None, description=BANDWIDTH_UP)
    platform: CePlatform = Field(
        default="frr",
        description="What the CE router runs: Linux with FRRouting, or a vendor's system, for which a "
        "configuration is compiled and pushed (`heiiki push`). Of a site with a gateway on each network.",
    )


class AccessB(Model):
    """How a site is attached to network B."""

    sim: Imsi = Field(description="IMSI (TS 23.003), 15 digits, quoted.")
    bandwidth_kbps: Kbps | None = Field(default=None, description=_OWN_BANDWIDTH)
    bandwidth_up_kbps: Kbps | None = Field(default=None, description=BANDWIDTH_UP)
    platform: Literal["linux_lte"] = "linux_lte"


class Site(Model):
    """``sites/<number>-<name>.yml``: one customer site."""

    number: SiteNumber = Field(
        description="Permanent; addresses and names follow from it. Equals the file's prefix."
    )
    name: Name = Field(description="Names of its devices begin with it.")
    customer: Text = Field(description="Whose site it is.")
    redundancy: Literal["networks", "networks_and_equipment"] = Field(
        description="Figure 5.18: networks (a), one gateway on both; networks_and_equipment (b), one on each."
    )
    primary: Literal["a", "b"] = Field(description="The network that carries traffic while both are up.")
    controller: Literal["bems", "erc"] = Field(
        description="bems: building energy management system; erc: energy resource controller."
    )
    resources: tuple[Resource, ...] = Field(
        min_length=1, description="What is controlled; volumes for R-COST and R-FIT follow from it."
    )
    site_lan: SiteLan = Field(
        default=WiredLan(), description="What the LAN between gateway and controller is; left out: wired."
    )
    a: AccessA = Field(description="Its line on network A.")
    b: AccessB = Field(description="Its SIM on network B.")


class Retired(Model):
    """``retired.yml``: numbers that are never given again."""

    numbers: tuple[SiteNumber, ...] = Field(
        default=(), description="Numbers of sites that are gone; their addresses never come back."
    )


class RevokedDevice(Model):
    """A device that is revoked."""

    device: DeviceName = Field(description="Its name.")
    since: Day = Field(description="The day of its revocation.")
    reason: Text = Field(description="Why, for people.")
    sim: Imsi | None = Field(default=None, description="IMSI of the SIM that was in it.")


class Revoked(Model):
    """``revoked.yml``: devices that are revoked; `revoke.yml` adds them, `enrol.yml` removes them."""

    devices: Annotated[tuple[RevokedDevice, ...], BeforeValidator(lambda written: written or ())] = Field(
        default=(), description="They get no certificate, their SIMs no service, and no play changes them."
    )


@dataclass(frozen=True, slots=True)
class Mark:
    """A revoked device, and `place`: what to say, at file, line and column, when there is no such device."""

    written: RevokedDevice
    place: Problem


@dataclass(frozen=True, slots=True)
class DeclaredRisk:
    """A shared risk, and where its elements are written.

    Attributes:
        places: what to say, at its file, line and column, when there is no such element; one an element.
    """

    written: SharedRisk
    places: tuple[Problem, ...]


class Intent(Model):
    """Everything that was written, checked.

    Attributes:
        revoked: the revoked devices.
        risks: what both networks share.
        notices: former names that the files use, which a later release will refuse.
        digest: SHA-256 over the names and contents of all files.
    """

    service: Service
    sites: tuple[Site, ...]
    retired: Retired = Retired()
    revoked: tuple[Mark, ...] = ()
    risks: tuple[DeclaredRisk, ...] = ()
    notices: tuple[str, ...] = ()
    digest: str
