"""What turns the kernel's state into the wanted one, and what can be known to fail beforehand."""

import re
from collections.abc import Iterable, Iterator

from heiiki_agent.links import queues
from heiiki_agent.links.model import (
    L3MDEV_RULE,
    LABELS,
    LOCAL_RULE,
    MADE_KINDS,
    OTHERS_KINDS,
    Difference,
    Link,
    State,
    Wanted,
)

# VRFs first: their members are put into them. IPsec interfaces last: they stand on others.
_TURNS = {"vrf": 0, "xfrm": 2}
_INTERFACE_SETTING = re.compile(r"net/(?:ipv[46]/(?:conf|neigh)|mpls/conf)/([^/]+)/[^/]+")


def problems(wanted: Wanted, state: State) -> list[str]:
    """Everything that can be known to fail, before anything is written."""
    return [*_link_problems(wanted, state), *_route_problems(wanted, state), *_sysctl_problems(wanted, state)]


def _link_problems(wanted: Wanted, state: State) -> Iterator[str]:
    for link in wanted.links:
        there = state.links.get(link.name)
        if link.kind in {"ethernet", "loopback"} and there is None:
            yield f"interface {link.name}: the device has no such port; plug it in, or correct the name"
        elif link.xfrm is not None and link.xfrm.underlay not in wanted.names | state.links.keys():
            yield (
                f"interface {link.name}: there is no interface {link.xfrm.underlay} below it; "
                "list it or correct the name"
            )
        elif (
            there is not None and _must_be_replaced(link, there) and state.owned.get(link.name) != there.kind
        ):
            yield (
                f"interface {link.name}: is there as another {there.kind}, not made by this program; "
                f"remove it (ip link del {link.name}) or give another name"
            )


def _route_problems(wanted: Wanted, state: State) -> Iterator[str]:
    for route in wanted.routes:
        if route.device and route.device not in wanted.names | state.links.keys():
            yield f"route {route.prefix}: there is no interface {route.device}; list it or correct the name"


def _sysctl_problems(wanted: Wanted, state: State) -> Iterator[str]:
    for key, value in wanted.sysctls.items():
        if state.sysctls.get(key) is not None or _is_optional(key, value):
            continue
        if key == LABELS:
            yield "MPLS: the kernel has none; modprobe mpls_router mpls_iptunnel, now and at boot"
        elif _interface_of(key) not in wanted.names - state.links.keys():
            yield f"sysctl {key}: the kernel has no such setting; correct the name"


def _is_optional(key: str, value: str) -> bool:
    """Labels need not be refused, nor IPv6 switched off, where the kernel has neither."""
    return (key.startswith("net/mpls/conf/") and value == "0") or (
        re.fullmatch(r"net/ipv6/conf/[^/]+/disable_ipv6", key) is not None and value == "1"
    )


def _interface_of(key: str) -> str:
    match = _INTERFACE_SETTING.fullmatch(key)
    return match[1] if match else ""


def _must_be_replaced(wanted: Link, there: Link) -> bool:
    if wanted.kind in MADE_KINDS:
        return (wanted.kind, wanted.table, wanted.xfrm) != (there.kind, there.table, there.xfrm)
    return wanted.kind == "loopback" and there.kind != "loopback"


def difference(wanted: Wanted, state: State) -> Difference:
    """Work out what turns `state` into `wanted`."""
    gone = frozenset(_stale_links(wanted, state))
    rest = state.without(gone)
    waiting = frozenset(link.name for link in wanted.links if link.kind in OTHERS_KINDS) - rest.links.keys()
    links = sorted(
        (link for link in wanted.links if link.kind not in OTHERS_KINDS),
        key=lambda link: _TURNS.get(link.kind, 1),
    )
    lost = [f"link del {name}" for name in sorted(gone)]
    linkwise = [command for link in links for command in _make(link, rest.links.get(link.name))]
    linkwise += [command for link in links for command in _renumber(link, rest.links.get(link.name))]
    routes = [route for route in wanted.routes if route.device not in waiting]
    missing = [route for route in routes if not any(had.fulfils(route) for had in rest.routes)]
    rules = _rules(state) if any(link.kind == "vrf" for link in links) else []
    before, after = _settings(wanted, rest)
    unknown = [one for one in wanted.neighbours if one not in rest.neighbours]
    repeated = [f"route replace {r}" for r in routes if r not in missing]
    repeated += [f"neigh replace {one}" for one in wanted.neighbours if one not in unknown]
    return Difference(
        batch=(
            *_stale_routes(wanted, rest),
            *_stale_neighbours(wanted, rest),
            *lost,
            *linkwise,
            *rules,
            *(f"route replace {r}" for r in missing),
            *(f"neigh replace {one}" for one in unknown),
        ),
        repeats=tuple(repeated) if lost or linkwise else (),
        before=before,
        after=after,
        queues=tuple(_queues(links, rest)),
    )


def _queues(links: Iterable[Link], state: State) -> Iterator[str]:
    """Only tunnels of ours are shaped: what waits at a port is none of this program's."""
    for link in links:
        if link.kind in MADE_KINDS:
            there = state.queues.get(link.name, frozenset())
            yield from queues.changes(link.name, link.rate_kbps, link.mtu, there)


def _stale_links(wanted: Wanted, state: State) -> Iterator[str]:
    listed = {link.name: link for link in wanted.links}
    for name, kind in state.owned.items():
        there = state.links.get(name)
        if there is None or there.kind != kind:  # gone already, or another's by now
            continue
        if name not in listed or _must_be_replaced(listed[name], there):
            yield name


def _stale_routes(wanted: Wanted, state: State) -> list[str]:
    keys = {route.key for route in wanted.routes}
    return [f"route del {route}" for route in sorted(state.routes) if route.key not in keys]


def _stale_neighbours(wanted: Wanted, state: State) -> list[str]:
    """A permanent entry that is not planned holds an address for another station, and no ARP corrects it."""
    listed = {(one.address, one.interface) for one in wanted.neighbours}
    return [
        f"neigh del {one.address} dev {one.interface}"
        for one in sorted(state.neighbours)
        if one.interface in wanted.names and (one.address, one.interface) not in listed
    ]


def _make(link: Link, there: Link | None) -> Iterator[str]:
    """Make the interface, put it in its VRF, set it up: in that order, a change of VRF empties its routes."""
    if there is None:
        yield " ".join(("link add", link.name, "type", link.kind, *_parameters(link)))
        there = Link(link.name, link.kind, gre=link.gre, up=False)
    if link.gre != there.gre and link.gre is not None:
        yield " ".join(("link set", link.name, "type gre", *_parameters(link)))
    if link.vrf != there.vrf:
        yield f"link set {link.name} {f'master {link.vrf}' if link.vrf else 'nomaster'}"
    if link.mtu is not None and link.mtu != there.mtu:
        yield f"link set {link.name} mtu {link.mtu}"
    if link.link_address is not None and link.link_address != there.link_address:
        yield f"link set {link.name} address {link.link_address}"
    if not there.up:
        yield f"link set {link.name} up"


def _parameters(link: Link) -> Iterator[str]:
    """What the kind of an interface is made with."""
    if link.table is not None:
        yield f"table {link.table}"
    if link.gre is not None:
        yield f"local {link.gre.local} remote {link.gre.remote} ttl 64 tos inherit"
    if link.xfrm is not None:
        yield f"dev {link.xfrm.underlay} if_id {link.xfrm.if_id}"


def _renumber(link: Link, there: Link | None) -> Iterator[str]:
    had = there.addresses if there else ()
    removed = [address for address in had if address not in link.addresses]
    yield from (f"address del {address} dev {link.name}" for address in removed)
    # The removal of a first address may take others of its subnet along: after one, all are written again.
    missing = [address for address in link.addresses if removed or address not in had]
    yield from (f"address replace {address} dev {link.name}" for address in missing)


def _rules(state: State) -> list[str]:
    """Rules of a device with VRFs; the kernel itself adds the l3mdev rule, once, with the first VRF."""
    commands = []
    if L3MDEV_RULE not in {priority for priority, _ in state.rules} and _has_vrf(state):
        commands.append(f"rule add l3mdev pref {L3MDEV_RULE}")
    if not any(priority == LOCAL_RULE for priority, _ in state.rules):
        commands.append(f"rule add pref {LOCAL_RULE} table local")
    if any(priority == 0 for priority, _ in state.rules):
        commands.append("rule del pref 0")
    return commands


def _has_vrf(state: State) -> bool:
    return any(link.kind == "vrf" for link in state.links.values())


def _settings(wanted: Wanted, state: State) -> tuple[dict[str, str], dict[str, str]]:
    """Settings to write before and after the batch."""
    forward = "net/ipv4/ip_forward"
    flips = forward in wanted.sysctls and state.sysctls.get(forward) != wanted.sysctls[forward]
    before, after = {}, {}
    for key, value in sorted(wanted.sysctls.items(), key=lambda item: item[0] != forward):
        has = state.sysctls.get(key) if _interface_of(key) not in wanted.names - state.links.keys() else None
        # A change of ip_forward puts other IPv4 settings back to defaults (kernel doc, networking/ip-sysctl).
        if has is not None and (has != value or (flips and key.startswith("net/ipv4/conf/"))):
            before[key] = value
        elif has is None and _interface_of(key) in wanted.made and not _is_optional(key, value):
            after[key] = value
    return before, after
