"""The whole service, resolved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network

from heiiki.plan.model.device import Device, Function
from heiiki.plan.model.faults import Availability, Fault
from heiiki.plan.model.mobile import MobilePlan
from heiiki.plan.model.networks import ClosedNetwork, Network
from heiiki.plan.model.pki import Identity, Pki
from heiiki.plan.model.risks import Risks
from heiiki.plan.model.time import TimeServer
from heiiki.plan.model.timers import Timers
from heiiki.plan.model.topology import Endpoint, Link, LinkKind, Path


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What a site is, resolved."""

    number: int
    name: str
    customer: str
    redundancy: str
    primary: Network
    lan: IPv4Network
    virtual_gateway: IPv4Address
    controller: str
    controller_address: IPv4Address
    gateways: tuple[str, ...]
    sim_address: IPv4Address
    resources: tuple[tuple[str, str], ...] = ()

    def gateway(self, network: Network) -> str:
        """Return the gateway on `network`; of a site with one, it is the same on both."""
        return self.gateways[0] if network is Network.A else self.gateways[-1]


@dataclass(frozen=True, slots=True)
class Management:
    """How devices are reached: ``lab`` or ``ssh``.

    Attributes:
        sources: where SSH may come from.
        controllers: where controllers reach the Vault server from; empty: as the plan has it.
        interface: the devices' interface to the management network; empty where none is named.
        become: the user becomes root by ``sudo``.
        known_hosts: path of the file of SSH host keys that are accepted; None for the user's own file.
    """

    kind: str
    user: str = ""
    host_suffix: str = ""
    sources: tuple[IPv4Network, ...] = ()
    controllers: tuple[IPv4Network, ...] = ()
    interface: str = ""
    become: bool = False
    known_hosts: str | None = None


@dataclass(frozen=True)
class Plan:
    """The whole service, resolved.

    Attributes:
        service: name of the service.
        digest: SHA-256 of the intent's files, for evidence.
        evidence_days: how long a measured row of the fault table counts.
        risks: what both networks share beside the elements of their paths.
    """

    service: str
    title: str
    digest: str
    timers: Timers
    networks: tuple[ClosedNetwork, ...]
    mobile: MobilePlan
    hub_lan: IPv4Network
    hub_virtual_gateway: IPv4Address
    devices: tuple[Device, ...]
    links: tuple[Link, ...]
    sites: tuple[SitePlan, ...]
    paths: tuple[Path, ...]
    faults: tuple[Fault, ...]
    pki: Pki
    risks: Risks
    time_servers: tuple[TimeServer, ...] = ()
    reliability: tuple[Availability, ...] = ()
    management: Management = Management("lab")
    evidence_days: int = 30

    @cached_property
    def _by_name(self) -> dict[str, Device]:
        return {device.name: device for device in self.devices}

    @cached_property
    def _by_hand(self) -> dict[str, Device]:
        return {device.name: device for device in self.devices if device.by_hand}

    @cached_property
    def _links_by_name(self) -> dict[str, Link]:
        return {link.name: link for link in self.links}

    @cached_property
    def _sites_by_name(self) -> dict[str, SitePlan]:
        return {site.name: site for site in self.sites}

    @cached_property
    def _other_ends(self) -> dict[tuple[str, str], Endpoint]:
        ends = {here: there for link in self.links for here, there in (link.ends, link.ends[::-1])}
        both = {*ends.items(), *((self.above(here), self.above(there)) for here, there in ends.items())}
        return {(here.device, here.interface): there for here, there in both}

    @cached_property
    def _above(self) -> dict[Endpoint, Endpoint]:
        return {
            Endpoint(device.name, one.port): Endpoint(device.name, one.name)
            for device in self.devices
            for one in device.interfaces
            if one.port
        }

    @cached_property
    def revoked(self) -> frozenset[str]:
        """The names of the devices that are revoked."""
        return frozenset(device.name for device in self.devices if device.revoked)

    @cached_property
    def out_of_service(self) -> frozenset[str]:
        """The devices that are revoked, and all of each site whose gateways are revoked."""
        cut_off = {site.name for site in self.sites if self.revoked.issuperset(site.gateways)}
        return self.revoked | {device.name for device in self.devices if device.site in cut_off}

    def device(self, name: str) -> Device:
        """Return the device called `name`; KeyError when there is none."""
        return self._by_name[name]

    def link(self, name: str) -> Link:
        """Return the link called `name`; KeyError when there is none."""
        return self._links_by_name[name]

    def element_kind(self, name: str) -> Function | LinkKind:
        """Return what a device or link of a path is; KeyError when there is none."""
        device = self._by_name.get(name)
        return self.link(name).kind if device is None else device.function

    def site(self, name: str) -> SitePlan:
        """Return the site called `name`; KeyError when there is none."""
        return self._sites_by_name[name]

    def across(self, device: str, interface: str) -> Endpoint | None:
        """Return the other end of the link, or of the session, on an interface; None where it has none."""
        return self._other_ends.get((device, interface))

    def above(self, end: Endpoint) -> Endpoint:
        """Return what is routed at a link's end: the session that its port carries, or the port itself."""
        return self._above.get(end, end)

    def identities(self) -> Iterator[Identity]:
        """Every identity that the plan gives a device, in plan order."""
        return (device.identity for device in self.devices if device.identity is not None)

    def managed(self) -> Iterator[Device]:
        """Every device that a role of ours provisions, in plan order."""
        return (device for device in self.devices if device.managed)

    def configured(self) -> Iterator[Device]:
        """Every device for which a configuration is compiled, in plan order."""
        return (device for device in self.devices if device.configured)

    def by_hand(self) -> Iterator[Device]:
        """Every device of a vendor's platform that is in service, in plan order."""
        return iter(self._by_hand.values())

    def first_by_hand(self, names: Iterable[str]) -> Device | None:
        """Return the first of these devices or links that is of a vendor's platform; None without any."""
        return next((self._by_hand[name] for name in names if name in self._by_hand), None)

    def verifiers(self) -> Iterator[Device]:
        """Every device that refuses peers by revocation lists, and that can have the newest ones."""
        gone = self.out_of_service
        return (one for one in self.managed() if one.crl_source and one.name not in gone)

    def path(self, site: str, network: Network) -> Path:
        """Return the path of `site` over `network`; KeyError when there is none."""
        for path in self.paths:
            if path.site == site and path.network == network:
                return path
        raise KeyError(f"{site} over {network}")
