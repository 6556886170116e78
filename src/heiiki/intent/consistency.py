"""What no single file can tell: numbers and SIMs used twice, pools that overlap, undefined names."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

from heiiki.errors import Problem
from heiiki.intent import dras, esps, lan, openadr, platforms, pppoe, rates, risks, time, vault
from heiiki.intent import pools as address_pools
from heiiki.intent.model import Mark, Retired, Revoked, Service, Site
from heiiki.intent.networks import IpVpn, Networks
from heiiki.intent.yaml_source import YamlSource

_Written = tuple[YamlSource, Site]

RESERVED_NAMES = frozenset(
    {"a", "b", "hub", "second", "dras", "xmpp", "radius", "vault", "esp", "stranger", "test_ue"}
    | {"all", "ungrouped", "localhost", "managed", "unmanaged", "by_hand", "sites", "none", "controller"}
    | {
        "pe_router",
        "ce_router",
        "lte_gateway",
        "apn_gateway",
        "dras_server",
        "xmpp_server",
        "radius_server",
        "ems",
        "vault_server",
    }
    | {"mobile_core", "lan_switch", "witness", "test_equipment"}
)
"""Names that no site may take: first parts of other devices' names, devices, and groups of the inventory."""

_RESERVED_BEGINNINGS = ("function_", "network_")

_IMSI_DIGITS, _SHOWN = 15, 12
_RESERVED_SINGLES = {"loopback_a": 6, "sim_b": 4}
"""Of pools of single addresses, from the last number down to the first that is no site's, and one more."""
_ADDRESSES_A_SITE = {"site_lan": 16, "access_a": 4, "loopback_a": 1, "sim_b": 1, "tunnel_a": 4, "tunnel_b": 4}


def across(
    service: tuple[YamlSource, Service] | None,
    sites: Sequence[_Written],
    retired: tuple[YamlSource, Retired] | None,
    named: Sequence[str] | None = (),
) -> Iterator[Problem]:
    """Yield every problem that shows only when the files are read together.

    Args:
        service: the service, unless its file has mistakes.
        sites: the sites whose files have none.
        retired: the retired numbers, if there are any.
        named: names of all sites by their files, with mistakes too; None when their folder is unreadable.
    """
    yield from _file_names(sites)
    yield from _reserved(sites)
    yield from _twice(sites, "number", lambda site: site.number, ("number",))
    yield from _twice(sites, "name", lambda site: site.name, ("name",))
    yield from _twice(sites, "SIM", lambda site: site.b.sim, ("b", "sim"))
    yield from _twice(sites, "circuit", lambda site: site.a.circuit, ("a", "circuit"))
    yield from _cut_short(sites, ("customer",))
    yield from rates.of_sites(sites)
    yield from lan.problems(
        (source, site.redundancy == "networks_and_equipment", site.site_lan) for source, site in sites
    )
    yield from platforms.problems(
        (source, site.redundancy == "networks_and_equipment", site.a.platform) for source, site in sites
    )
    yield from pppoe.of_sites(sites)
    if retired is not None:
        yield from _retired(sites, retired[1])
    if service is not None:
        yield from address_pools.problems(*service)
        yield from risks.problems(*service)
        yield from time.problems(*service)
        yield from rates.problems(*service)
        every = None if named is None else [*(site.name for _, site in sites), *named]
        yield from esps.problems(*service, every)
        yield from vault.problems(*service)
        yield from dras.problems(*service)
        yield from pppoe.problems(*service, [site for _, site in sites])
        yield from openadr.problems(*service)
        yield from _cut_short([service], ("title",))
        yield from _core(service[0], service[1].networks.a)
        yield from _as_numbers(*service)
        yield from _tariffs(*service)
        yield from _references(service, sites)
        if named is not None:
            yield from _test_equipment(*service, [*(site.name for _, site in sites), *named])
        yield from _capacity(service[1], sites)


def marks(source: YamlSource, revoked: Revoked, problems: list[Problem]) -> tuple[Mark, ...]:
    """Return the revoked devices, each with its place; one that is named twice is a problem."""
    for index in range(len(revoked.devices)):
        problems += _cut_short([(source, revoked)], ("devices", index, "reason"))
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


def reserved(name: str) -> bool:
    """Tell whether a name is that of the hub, of a host or of a group: no site may have it."""
    return name in RESERVED_NAMES or name.startswith(_RESERVED_BEGINNINGS)


def _reserved(sites: Iterable[_Written]) -> Iterator[Problem]:
    for source, site in sites:
        if reserved(site.name):
            what = f"`{site.name}` is a name of the hub or of a group"
            yield source.problem(("name",), what, "choose another name")


def _twice(
    sites: Iterable[_Written], word: str, key: Callable[[Site], object], loc: tuple[str | int, ...]
) -> Iterator[Problem]:
    first: dict[object, YamlSource] = {}
    for source, site in sites:
        value = key(site)
        # A carrier's number of a line is one whether it is written in capitals or not.
        same = value.casefold() if isinstance(value, str) else value
        if same in first:
            what = f"{word} {value} is used twice; the first is in {first[same].file.name}"
            yield source.problem(loc, what, f"give this site its own {word}")
        else:
            first[same] = source


def _cut_short(written: Iterable[tuple[YamlSource, object]], loc: tuple[str | int, ...]) -> Iterator[Problem]:
    """A text that ends where YAML sees a comment: `ACME #2` is read as `ACME`."""
    for source, _ in written:
        if rest := source.comment_behind(loc):
            what = f"the text ends before `{rest}`, which YAML takes for a comment"
            yield source.problem(loc, what, "put the whole text in quotes, or a blank behind the `#`")


def _retired(sites: Iterable[_Written], retired: Retired) -> Iterator[Problem]:
    gone = frozenset(retired.numbers)
    for source, site in sites:
        if site.number in gone:
            what = f"number {site.number} is retired: its addresses must not come back"
            yield source.problem(("number",), what, "take a number that was never used")


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
    own, others = service.networks.a.carrier, service.networks.b.carrier
    if one_carrier(own, others):
        what = f"`{others}` is the carrier of network a, `{own}`, too"
        fix = "name two independent carriers, each by its own name (R-DUAL)"
        yield source.problem(("networks", "b", "carrier"), what, fix)


def one_carrier(first: str, second: str) -> bool:
    """Tell whether two names are one carrier's: they differ in capitals, digits and separators at most."""
    return _letters(first) == _letters(second)


def _letters(name: str) -> str:
    return "".join(filter(str.isalpha, name.casefold()))


def _tariffs(source: YamlSource, service: Service) -> Iterator[Problem]:
    """What is included, and the price of more, belong together: neither says anything alone."""
    for name in Networks.model_fields:
        tariff = getattr(service.networks, name).tariff
        priced, limited = "yen_per_extra_mb" in tariff.model_fields_set, tariff.included_mb is not None
        loc = ("networks", name, "tariff")
        if limited and not priced:
            what = "`included_mb` limits the volume, and nothing says what more costs"
            yield source.problem(loc, what, "add `yen_per_extra_mb:`, 0 if it is free")
        if priced and not limited:
            what = "`yen_per_extra_mb` is the price of more than `included_mb`, which is missing"
            yield source.problem(loc, what, "add `included_mb:`, or leave the price out")


def _references(service: tuple[YamlSource, Service], sites: Sequence[_Written]) -> Iterator[Problem]:
    source, written = service
    edges = [router.name for router in written.networks.a.routers if router.function == "pe"]
    if written.networks.a.hub_pe not in edges:
        loc = ("networks", "a", "hub_pe")
        yield source.problem(loc, *_unknown("PE", written.networks.a.hub_pe, edges))
    for site_source, site in sites:
        if site.a.pe not in edges:
            yield site_source.problem(("a", "pe"), *_unknown("PE", site.a.pe, edges))
        if written.test_equipment is not None and site.b.sim == imsi_of_test_sim(written.networks.b.plmn):
            what = f"IMSI {site.b.sim} is that of the test SIM"
            yield site_source.problem(("b", "sim"), what, "take another SIM, or remove `test_equipment`")
        if not site.b.sim.startswith(written.networks.b.plmn):
            what = f"IMSI {site.b.sim} is not of PLMN {written.networks.b.plmn}"
            yield site_source.problem(("b", "sim"), what, "order the SIM from the carrier of network B")


def _test_equipment(source: YamlSource, service: Service, names: Sequence[str]) -> Iterator[Problem]:
    if not names:
        yield source.problem((), "the service has no site", "add sites/0001-name.yml")
    elif service.test_equipment is not None and service.test_equipment.overlaps not in names:
        some = sorted(set(names))[:_SHOWN]
        yield source.problem(
            ("test_equipment", "overlaps"), *_unknown("site", service.test_equipment.overlaps, some)
        )


def imsi_of_test_sim(plmn: str) -> str:
    """Return the IMSI of the test SIM of network B, which has no subscription: the last of the PLMN."""
    return plmn.ljust(_IMSI_DIGITS, "9")


def _unknown(word: str, name: str, known: Sequence[str]) -> tuple[str, str]:
    choices = ", ".join(f"`{item}`" for item in dict.fromkeys(known)) or "(none)"
    return f"there is no {word} `{name}`", f"write one of {choices}"


def _capacity(service: Service, sites: Sequence[_Written]) -> Iterator[Problem]:
    """The hub owns number 0 of each pool of blocks; hub and test equipment own the last of the others."""
    pools, reserved = service.addresses, dict(_RESERVED_SINGLES)
    optical = any(pppoe.is_used(site) for _, site in sites)
    reserved["loopback_a"] += vault.MOST if optical else len(service.vault_hosts[1:])
    highest = {
        name: max(0, getattr(pools, name).num_addresses // size - reserved.get(name, 1))
        for name, size in _ADDRESSES_A_SITE.items()
    }
    name = min(highest, key=lambda pool: highest[pool])
    for source, site in sites:
        if site.number > highest[name]:
            what = f"number {site.number} does not fit into addresses.{name} {getattr(pools, name)}"
            yield source.problem(
                ("number",), what, f"take a number up to {highest[name]}, or enlarge the pool"
            )
