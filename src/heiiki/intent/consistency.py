"""What no single file can tell: numbers and SIMs used twice, pools that overlap, names nobody defined."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from itertools import combinations

from heiiki.errors import Problem
from heiiki.intent.model import AddressPools, IpVpn, Mark, Retired, Revoked, Service, Site
from heiiki.intent.yaml_source import YamlSource

_Written = tuple[YamlSource, Site]

RESERVED_NAMES = frozenset(
    {"hub", "dras", "xmpp", "second", "test_ue", "a", "b", "all", "ungrouped", "unmanaged", "localhost"}
    | {
        "pe_router",
        "ce_router",
        "lte_gateway",
        "apn_gateway",
        "closed_group_host",
        "ems",
        "mobile_core",
        "sites",
    }
    | {"lan_switch", "test_equipment", "network_a", "network_b"}
)
"""Names of devices and groups that no site may take."""

_UNUSABLE = tuple(
    IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
)
"""This network, loopback, link local, multicast, reserved (RFC 6890)."""
_IMSI_DIGITS, _SHOWN = 15, 12
_INFRASTRUCTURE = 24
_SMALLEST = {
    "hub_lan": 28,
    "site_lan": 27,
    "access_a": 29,
    "loopback_a": 29,
    "sim_b": 29,
    "tunnel_a": 29,
    "tunnel_b": 29,
}
"""Longest prefix of each pool that holds a hub and a site."""
_ADDRESSES_A_SITE = {"site_lan": 16, "access_a": 4, "loopback_a": 1, "sim_b": 1, "tunnel_a": 4, "tunnel_b": 4}


def across(
    service: tuple[YamlSource, Service] | None,
    sites: Sequence[_Written],
    retired: tuple[YamlSource, Retired] | None,
    named: Sequence[str] = (),
) -> Iterator[Problem]:
    """Yield every problem that shows only when the files are read together.

    Args:
        service: the service, unless its file has mistakes.
        sites: the sites whose files have none.
        retired: the retired numbers, if there are any.
        named: names of all sites by their files; one whose file has mistakes exists all the same.
    """
    yield from _file_names(sites)
    yield from _reserved(sites)
    yield from _twice(sites, "number", lambda site: site.number, ("number",))
    yield from _twice(sites, "name", lambda site: site.name, ("name",))
    yield from _twice(sites, "SIM", lambda site: site.b.sim, ("b", "sim"))
    yield from _twice(sites, "circuit", lambda site: site.a.circuit, ("a", "circuit"))
    if retired is not None:
        yield from _retired(sites, retired[1])
    if service is not None:
        yield from _pools(*service)
        yield from _core(service[0], service[1].networks.a)
        yield from _as_numbers(*service)
        yield from _references(service, sites)
        yield from _witness(*service, [*(site.name for _, site in sites), *named])
        yield from _capacity(service[1].addresses, sites)


def marks(source: YamlSource, revoked: Revoked, problems: list[Problem]) -> tuple[Mark, ...]:
    """Return the devices that are shut out, each with its place; one that is named twice is a problem."""
    named = [one.device for one in revoked.devices]
    for index, name in enumerate(named):
        if name in named[:index]:
            loc = ("devices", index, "device")
            problems.append(source.problem(loc, f"`{name}` is named twice", "leave one of them out"))
    fix = "write a name that `ansible-inventory --graph` shows"
    return tuple(
        Mark(one, source.problem(("devices", index, "device"), f"there is no device `{one.device}`", fix))
        for index, one in enumerate(revoked.devices)
    )


def _file_names(sites: Iterable[_Written]) -> Iterator[Problem]:
    for source, site in sites:
        wanted = f"{site.number:04d}-{site.name}.yml"
        if source.file.name != wanted:
            what = f"the file's name does not agree with number {site.number} and name `{site.name}`"
            yield source.problem(("number",), what, f"call the file {wanted}, or mend number or name")


def _reserved(sites: Iterable[_Written]) -> Iterator[Problem]:
    for source, site in sites:
        if site.name in RESERVED_NAMES:
            yield source.problem(
                ("name",), f"`{site.name}` is a name of the hub or of a group", "choose another name"
            )


def _twice(
    sites: Iterable[_Written], word: str, key: Callable[[Site], object], loc: tuple[str | int, ...]
) -> Iterator[Problem]:
    first: dict[object, YamlSource] = {}
    for source, site in sites:
        value = key(site)
        if value in first:
            what = f"{word} {value} is used twice; the first is in {first[value].file.name}"
            yield source.problem(loc, what, f"give this site its own {word}")
        else:
            first[value] = source


def _retired(sites: Iterable[_Written], retired: Retired) -> Iterator[Problem]:
    gone = frozenset(retired.numbers)
    for source, site in sites:
        if site.number in gone:
            what = f"number {site.number} is retired: its addresses must not come back"
            yield source.problem(("number",), what, "take a number that was never used")


def _named_pools(service: Service) -> dict[tuple[str, ...], IPv4Network]:
    pools: dict[tuple[str, ...], IPv4Network] = {
        ("addresses", name): getattr(service.addresses, name) for name in AddressPools.model_fields
    }
    pools["networks", "a", "infrastructure"] = service.networks.a.infrastructure
    pools["networks", "b", "infrastructure"] = service.networks.b.infrastructure
    return pools


def _pools(source: YamlSource, service: Service) -> Iterator[Problem]:
    pools = _named_pools(service)
    for (one, first), (other, second) in combinations(pools.items(), 2):
        if first.overlaps(second):
            what = f"{second} overlaps {first} of {'.'.join(one)}"
            yield source.problem(other, what, "give each pool addresses of its own")
    for loc, pool in pools.items():
        yield from _pool(source, loc, pool)


def _pool(source: YamlSource, loc: tuple[str, ...], pool: IPv4Network) -> Iterator[Problem]:
    if any(pool.overlaps(network) for network in _UNUSABLE):
        fix = "take private addresses, such as a part of 10.0.0.0/8"
        yield source.problem(loc, f"{pool} holds addresses that no device may own", fix)
    if loc[-1] == "infrastructure":
        if pool.prefixlen != _INFRASTRUCTURE:
            what = f"{pool} is not a /{_INFRASTRUCTURE}"
            yield source.problem(loc, what, f"give the carrier's infrastructure a /{_INFRASTRUCTURE}")
    elif pool.prefixlen > _SMALLEST[loc[-1]]:
        yield source.problem(
            loc, f"the pool {pool} is too small", f"give it at least a /{_SMALLEST[loc[-1]]}"
        )


def _core(source: YamlSource, network: IpVpn) -> Iterator[Problem]:
    here = ("networks", "a")
    names = [router.name for router in network.routers]
    for field, word, values in (
        ("routers", "name", names),
        ("routers", "number", [router.number for router in network.routers]),
        ("links", "number", [link.number for link in network.links]),
        ("links", "between", [" and ".join(sorted(link.between)) for link in network.links]),
    ):
        for index, value in enumerate(values):
            if value in values[:index]:
                yield source.problem(
                    (*here, field, index, word), f"`{value}` is used twice", "give each its own"
                )
    yield from _core_links(source, network, names)
    if network.hub_pe in names:
        yield from _connected(source, network)


def _core_links(source: YamlSource, network: IpVpn, names: Sequence[str]) -> Iterator[Problem]:
    for index, link in enumerate(network.links):
        loc = ("networks", "a", "links", index, "between")
        for name in link.between:
            if name not in names:
                yield source.problem(loc, *_unknown("router", name, names))
        if link.between[0] == link.between[1]:
            yield source.problem(loc, f"`{link.between[0]}` is linked to itself", "name two routers")


def _connected(source: YamlSource, network: IpVpn) -> Iterator[Problem]:
    """Every router must be reachable from the hub's PE, or a site behind it has no path."""
    reached = {network.hub_pe}
    for _ in network.routers:
        reached |= {name for link in network.links if reached & {*link.between} for name in link.between}
    for index, router in enumerate(network.routers):
        if router.name not in reached:
            what = f"`{router.name}` has no way to the hub's PE `{network.hub_pe}`"
            yield source.problem(
                ("networks", "a", "routers", index), what, "add the missing link to networks.a.links"
            )


def _as_numbers(source: YamlSource, service: Service) -> Iterator[Problem]:
    written = {
        ("hub", "as_number"): service.hub.as_number,
        ("sites_as_number",): service.sites_as_number,
        ("networks", "a", "as_number"): service.networks.a.as_number,
        ("networks", "b", "as_number"): service.networks.b.as_number,
    }
    for (one, first), (other, second) in combinations(written.items(), 2):
        if first == second:
            yield source.problem(
                other, f"AS {second} is that of {'.'.join(one)}", "give each its own AS number"
            )
    if service.networks.a.carrier == service.networks.b.carrier:
        what = f"both networks are of carrier `{service.networks.a.carrier}`"
        yield source.problem(("networks", "b", "carrier"), what, "name two independent carriers (R-DUAL)")


def _references(service: tuple[YamlSource, Service], sites: Sequence[_Written]) -> Iterator[Problem]:
    source, written = service
    edges = [router.name for router in written.networks.a.routers if router.function == "pe"]
    if written.networks.a.hub_pe not in edges:
        loc = ("networks", "a", "hub_pe")
        yield source.problem(loc, *_unknown("PE", written.networks.a.hub_pe, edges))
    for site_source, site in sites:
        if site.a.pe not in edges:
            yield site_source.problem(("a", "pe"), *_unknown("PE", site.a.pe, edges))
        if written.witnesses is not None and site.b.sim == witness_imsi(written.networks.b.plmn):
            what = f"IMSI {site.b.sim} is the witness's test SIM"
            yield site_source.problem(("b", "sim"), what, "take another SIM, or remove `witnesses`")
        if not site.b.sim.startswith(written.networks.b.plmn):
            what = f"IMSI {site.b.sim} is not of PLMN {written.networks.b.plmn}"
            yield site_source.problem(("b", "sim"), what, "order the SIM from the carrier of network B")


def _witness(source: YamlSource, service: Service, names: Sequence[str]) -> Iterator[Problem]:
    if not names:
        yield source.problem((), "the service has no site", "add sites/0001-name.yml")
    elif service.witnesses is not None and service.witnesses.overlaps not in names:
        some = sorted(set(names))[:_SHOWN]
        yield source.problem(("witnesses", "overlaps"), *_unknown("site", service.witnesses.overlaps, some))


def witness_imsi(plmn: str) -> str:
    """Return the IMSI of the SIM that only the witness of network B uses: the last of the PLMN."""
    return plmn.ljust(_IMSI_DIGITS, "9")


def _unknown(word: str, name: str, known: Sequence[str]) -> tuple[str, str]:
    choices = ", ".join(f"`{item}`" for item in dict.fromkeys(known)) or "(none)"
    return f"there is no {word} `{name}`", f"write one of {choices}"


def _capacity(pools: AddressPools, sites: Iterable[_Written]) -> Iterator[Problem]:
    """The hub owns number 0 of each pool of blocks; hub and witness own the last addresses of the others."""
    highest = {
        name: getattr(pools, name).num_addresses // size - (1 if size > 1 else 4)
        for name, size in _ADDRESSES_A_SITE.items()
    }
    name = min(highest, key=lambda pool: highest[pool])
    for source, site in sites:
        if site.number > highest[name]:
            what = f"number {site.number} does not fit into addresses.{name} {getattr(pools, name)}"
            yield source.problem(
                ("number",), what, f"take a number up to {highest[name]}, or enlarge the pool"
            )
