"""What every part of the plan is computed from: the intent, its timers, and the addresses of the hub."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network

from heiiki.intent import Service, Site, dras, pppoe, vault
from heiiki.intent.pools import pools
from heiiki.plan import addresses as addr
from heiiki.plan import names, sizes
from heiiki.plan.model import (
    BfdProfile,
    BgpInstance,
    BgpNeighbor,
    Management,
    ManagementAccess,
    Network,
    PrefixSet,
    Rate,
    Router,
    Timers,
    TimeServer,
)

PRIMARY_PREFERENCE, STANDBY_PREFERENCE = 200, 100
EDGE_LINK = 6
"""Number of the /30 in carrier B's infrastructure between its edge and the hub."""

LAST_RESORT = 240
"""Distance of a device's own route to the Vault and time servers: behind the one that BGP knows."""
SITE_VRID, HUB_VRID = 51, 52


@dataclass(frozen=True)
class SiteAddresses:
    """Every address that follows from one site's number; made once each, for the plan names it many times."""

    lan: IPv4Network
    access: IPv4Network
    loopback: IPv4Address
    sim: IPv4Address
    tunnel_a: IPv4Network
    tunnel_b: IPv4Network

    @cached_property
    def pe(self) -> IPv4Address:
        """The PE's end of the access line."""
        return addr.host(self.access, 1)

    @cached_property
    def ce(self) -> IPv4Address:
        """The site's end of the access line."""
        return addr.host(self.access, 2)

    @cached_property
    def only_ce(self) -> IPv4Network:
        """The site's end of the access line, as a prefix."""
        return addr.only(self.ce)

    @cached_property
    def only_loopback(self) -> IPv4Network:
        """The loopback of the site's gateway on network A, as a prefix."""
        return addr.only(self.loopback)

    @cached_property
    def only_sim(self) -> IPv4Network:
        """The SIM's address, as a prefix."""
        return addr.only(self.sim)

    def tunnel(self, network: Network) -> IPv4Network:
        """Return the /30 inside the tunnel over `network`."""
        return self.tunnel_a if network is Network.A else self.tunnel_b

    def tunnel_hub(self, network: Network) -> IPv4Address:
        """Return the hub's end inside the tunnel over `network`."""
        return addr.host(self.tunnel(network), 1)

    def tunnel_site(self, network: Network) -> IPv4Address:
        """Return the site's end inside the tunnel over `network`."""
        return addr.host(self.tunnel(network), 2)

    @cached_property
    def controller(self) -> IPv4Address:
        """The site's BEMS or ERC."""
        return addr.host(self.lan, addr.LAN_CONTROLLER)


def _rate(down: int | None, up: int | None) -> Rate | None:
    return None if down is None else Rate(down, up or down)


def site_addresses(service: Service, number: int) -> SiteAddresses:
    """Return the addresses of site `number`."""
    pools = service.addresses
    return SiteAddresses(
        lan=addr.block(pools.site_lan, number, addr.LAN),
        access=addr.block(pools.access_a, number, addr.ACCESS),
        loopback=addr.host(pools.loopback_a, number),
        sim=addr.host(pools.sim_b, number),
        tunnel_a=addr.block(pools.tunnel_a, number, addr.ACCESS),
        tunnel_b=addr.block(pools.tunnel_b, number, addr.ACCESS),
    )


@dataclass(frozen=True, slots=True)
class VaultAddresses:
    """Where a Vault server is reached.

    Attributes:
        lan: in the closed group.
        service: outside of tunnels, for gateways and edges.
    """

    lan: IPv4Address
    service: IPv4Address


@dataclass(frozen=True)
class Context:
    """The service and what follows from it alone.

    Attributes:
        revoked: devices whose certificates and subscriptions are revoked.
    """

    service: Service
    sites: tuple[Site, ...]
    timers: Timers
    revoked: frozenset[str] = frozenset()

    @cached_property
    def _own(self) -> dict[int, SiteAddresses]:
        return {site.number: site_addresses(self.service, site.number) for site in self.sites}

    def own(self, site: Site) -> SiteAddresses:
        """Return every address that follows from the site's number."""
        return self._own[site.number]

    @cached_property
    def _attached(self) -> Mapping[str, list[Site]]:
        found = defaultdict(list)
        for site in self.sites:
            found[site.a.pe].append(site)
        return found

    def attached(self, router: str) -> list[Site]:
        """Return the sites whose access line ends at a PE router of carrier A."""
        return self._attached.get(router, [])

    @cached_property
    def management(self) -> Management:
        """How devices are reached; a kind that writes none of the rest is reached without it."""
        return Management(**self.service.management.model_dump(exclude_none=True))

    @cached_property
    def access(self) -> ManagementAccess | None:
        """What every packet filter opens: without it the first run would lock the engineer out."""
        used, own = self.management, tuple(pools(self.service).values())
        return ManagementAccess(used.interface, used.sources, own) if used.sources else None

    @cached_property
    def hub_lan(self) -> IPv4Network:
        """LAN of DRAS and XMPP server."""
        return self.service.addresses.hub_lan

    @cached_property
    def hub_gateway(self) -> IPv4Address:
        """Virtual gateway of the hub LAN."""
        return addr.host(self.hub_lan, addr.LAN_GATEWAY)

    @cached_property
    def hub_loopback(self) -> IPv4Address:
        """Loopback of the hub's CE-A: the hub's end of every overlay session on network A."""
        pool = self.service.addresses.loopback_a
        return addr.host(pool, addr.hub_index(pool))

    @cached_property
    def tunnel_endpoint(self) -> IPv4Address:
        """Address of the hub's CE-B to which every site's tunnel leads."""
        return addr.host(self.service.networks.b.infrastructure, 1)

    @cached_property
    def vaults(self) -> Mapping[str, VaultAddresses]:
        """The addresses of each Vault server, by its name; the first is the one that a set-up begins with."""
        pool = self.service.addresses.loopback_a
        return {
            name: VaultAddresses(
                addr.host(self.hub_lan, addr.HUB_VAULT + server),
                addr.host(pool, addr.service_index(pool, server)),
            )
            for server, name in enumerate(self.service.vault_hosts)
        }

    @cached_property
    def dras_hosts(self) -> Mapping[str, IPv4Address]:
        """Where each host of the VTN is, by its name; the first has direct control and enrolment besides."""
        first, *others = self.service.dras_hosts
        return {
            first: addr.host(self.hub_lan, addr.HUB_DRAS),
            **{name: dras.second_address(self.service) for name in others},
        }

    @cached_property
    def time_servers(self) -> tuple[TimeServer, ...]:
        """The hub's hosts that hand the time on; as the Vault server, each has a second address."""
        pool = self.service.addresses.loopback_a
        return tuple(
            TimeServer(name, addr.host(self.hub_lan, index), addr.host(pool, addr.time_index(pool, server)))
            for server, (name, index) in enumerate(zip(names.HUB_HOSTS, addr.HUB_HOSTS, strict=True))
        )

    @cached_property
    def shown(self) -> tuple[IPv4Network, ...]:
        """The hub's hosts that are reached outside of tunnels, by the addresses for that: Vault and time."""
        times = (addr.only(server.service_address) for server in self.time_servers)
        first, *others = (addr.only(one.service) for one in self.vaults.values())
        return (first, *times, *others)

    def shown_to_edge(self, network: Network) -> tuple[IPv4Network, ...]:
        """Return the same as the carrier's edge of `network` reaches them; that of A asks RADIUS besides."""
        radius = (addr.only(self.radius_service),) if self.optical and network is Network.A else ()
        return (*self.shown, *radius)

    @cached_property
    def optical(self) -> tuple[Site, ...]:
        """The sites whose line to network A is a session of PPPoE."""
        return tuple(site for site in self.sites if pppoe.is_used(site))

    @cached_property
    def radius_service(self) -> IPv4Address:
        """Where carrier A reaches the RADIUS server: after the addresses that Vault servers may have."""
        pool = self.service.addresses.loopback_a
        return addr.host(pool, addr.service_index(pool, vault.MOST))

    def tunnel_pool(self, network: Network) -> IPv4Network:
        """Return the addresses inside tunnels over `network`: block 0 the hub's VPN, then a block a site."""
        pools = self.service.addresses
        return pools.tunnel_a if network is Network.A else pools.tunnel_b

    def inside_esp(self, network: Network) -> IPv4Network:
        """Return the /30 inside the IPsec VPN between the hub and the edge of `network`."""
        return addr.block(self.tunnel_pool(network), 0, addr.ACCESS)

    def hub_end(self, network: Network) -> IPv4Address:
        """Return the hub's end of every site's tunnel over `network`."""
        return self.hub_loopback if network is Network.A else self.tunnel_endpoint

    def line_mtu(self, site: Site, network: Network) -> int:
        """Return the largest IP packet on the site's line to `network`, octets."""
        networks = self.service.networks
        if network is Network.B:
            return networks.b.mtu
        usual = min(networks.a.mtu, pppoe.DEFAULT_MTU) if pppoe.is_used(site) else networks.a.mtu
        return site.a.mtu or usual

    def line_rate(self, site: Site, network: Network) -> Rate | None:
        """Return how fast the site's line to `network` is, where the intent says it."""
        own, networks = (site.a if network is Network.A else site.b), self.service.networks
        common = networks.a if network is Network.A else networks.b
        return _rate(own.bandwidth_kbps, own.bandwidth_up_kbps) or _rate(
            common.bandwidth_kbps, common.bandwidth_up_kbps
        )

    @cached_property
    def hub_rate(self) -> Rate | None:
        """How fast each line of the hub is, where the intent says it."""
        return _rate(self.service.hub.bandwidth_kbps, self.service.hub.bandwidth_up_kbps)

    @cached_property
    def vpn_mtu(self) -> int:
        """The largest IP packet inside of the IPsec VPN on a line of the hub, octets."""
        return sizes.vpn_mtu(self.service.hub.mtu)

    def tunnel_mtu(self, site: Site, network: Network) -> int:
        """Return the largest IP packet in the site's tunnel over `network`, for its whole path, octets."""
        return sizes.tunnel_mtu(min(self.line_mtu(site, network), self.vpn_mtu))

    def segment(self, site: Site) -> int:
        """Return the largest TCP segment that crosses the site's tunnels over both networks, octets.

        So a connection survives a switch of paths without being told again how large its packets may be.
        """
        return min(self.tunnel_mtu(site, network) for network in Network) - sizes.IP - sizes.TCP

    def far_pool(self, network: Network) -> IPv4Network:
        """Return the pool of the sites' ends of their tunnels over `network`."""
        pools = self.service.addresses
        return pools.loopback_a if network is Network.A else pools.sim_b

    def far_set(self, network: Network) -> PrefixSet:
        """Return that pool as the carrier announces it."""
        return self.loopback_set if network is Network.A else self.sim_set

    def carrier_as(self, network: Network) -> int:
        """Return the AS number of the carrier of `network`."""
        networks = self.service.networks
        return networks.a.as_number if network is Network.A else networks.b.as_number

    def edge(self, network: Network) -> str:
        """Return the carrier's device at the other end of the hub's line."""
        hub_pe = self.service.networks.a.hub_pe
        return names.core_router(hub_pe) if network is Network.A else names.EDGE

    def line(self, network: Network) -> IPv4Network:
        """Return the /30 of the hub's line to the edge of `network`."""
        return self.hub_access_a if network is Network.A else self.infrastructure_b(EDGE_LINK)

    @cached_property
    def hub_access_a(self) -> IPv4Network:
        """The /30 between the hub's PE and CE-A."""
        return addr.block(self.service.addresses.access_a, 0, addr.ACCESS)

    def infrastructure_b(self, index: int) -> IPv4Network:
        """Return the /30 number `index` of carrier B's core."""
        first = int(self.service.networks.b.infrastructure.network_address) + 64
        return IPv4Network((first + 4 * index, addr.ACCESS))

    def bfd(self, site: Site, network: Network) -> BfdProfile:
        """Return the BFD profile of the site's overlay session on `network`."""
        return self.timers.active if site.primary == network else self.timers.standby

    def preference(self, site: Site, network: Network) -> int:
        """Return the local preference of the site's routes over `network`."""
        return PRIMARY_PREFERENCE if site.primary == network else STANDBY_PREFERENCE

    def router(
        self,
        as_number: int,
        router_id: IPv4Address,
        neighbors: tuple[BgpNeighbor, ...],
        networks: tuple[IPv4Network, ...],
        sets: tuple[PrefixSet, ...],
    ) -> Router:
        """Return a router of the overlay: one BGP instance, and the BFD profiles of its sessions."""
        used = {neighbor.bfd for neighbor in neighbors}
        return Router(
            router_id=router_id,
            bgp=(BgpInstance(as_number, router_id, neighbors, networks),),
            prefix_sets=sets,
            bfd_profiles=tuple(profile for profile in self.timers.bfd if profile.name in used),
        )

    @cached_property
    def hub_set(self) -> PrefixSet:
        """The hub LAN, and nothing else."""
        return PrefixSet("HUB-LAN", (self.hub_lan,))

    @cached_property
    def _underlay(self) -> Mapping[Network, PrefixSet]:
        ends = {network: addr.only(self.hub_end(network)) for network in Network}
        return {network: PrefixSet("HUB-UNDERLAY", (end, *self.shown)) for network, end in ends.items()}

    def underlay_set(self, network: Network) -> PrefixSet:
        """Return what the hub shows to a carrier: its end of the tunnels, Vault server and time servers."""
        return self._underlay[network]

    @cached_property
    def loopback_set(self) -> PrefixSet:
        """The sites' ends of their tunnels on network A."""
        return PrefixSet("SITE-LOOPBACKS", (self.service.addresses.loopback_a,), le=addr.HOST)

    @cached_property
    def sim_set(self) -> PrefixSet:
        """The SIMs of network B."""
        return PrefixSet("SIMS", (self.service.addresses.sim_b,))

    @cached_property
    def sites_set(self) -> PrefixSet:
        """Every site's LAN."""
        return PrefixSet("SITES", (self.service.addresses.site_lan,), le=addr.LAN)
